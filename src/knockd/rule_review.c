/* Reads the words of each rule as iptables(8) would, and tells what is odd in them. */
#include "knockd/rule_review.h"

#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words of a rule, and of them what is looked for. */
struct review {
    const struct config_door *door;
    const struct config_text *rule;
    struct report *report;
    struct command_words words;
    const char *chain;
    const char *target; /* NULL: none */
};

/* --- words --- */

/* The value of the option, which has two names, behind its word number *at, or joined to it; NULL
 * where the word is another. `*at` becomes the number of the value's word. iptables takes long
 * names abbreviated, too. */
static const char *value_of(const struct review *review, unsigned *at, const char *brief,
                            const char *name)
{
    char *const *words = review->words.words;
    const char *word = words[*at];
    size_t len = strcspn(word, "=");
    if (len > strlen("--x") && strncmp(name, word, len) == 0 && word[len] == '=')
        return word + len + 1;
    if (strcmp(word, brief) == 0 || (len > strlen("--x") && strncmp(name, word, len) == 0))
        return words[*at + 1] ? words[++*at] : NULL;
    bool joined = strlen(brief) == 2 && strncmp(word, brief, 2) == 0 && word[2] != '\0';
    return joined ? word + 2 : NULL;
}

static bool read_rule(struct review *review)
{
    char *const *words = review->words.words;
    unsigned at = 0;
    if (command_words_split(review->rule->text, &review->words))
        return false;
    at = strcmp(words[0], "-t") == 0 && words[1] ? 2 : 0;
    review->chain = words[at];
    review->target = NULL;
    for (unsigned i = at; review->chain && words[i]; i++) {
        const char *jump = value_of(review, &i, "-j", "--jump");
        if (!jump && words[i])
            jump = value_of(review, &i, "-g", "--goto");
        review->target = review->target ? review->target : jump;
    }
    return review->chain != NULL;
}

/* --- targets --- */

static bool is_built_in(const char *chain)
{
    static const char *const names[] = {"INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(chain, names[i]) == 0)
            return true;
    return false;
}

/* What lets nothing pass that wouldn't pass without the rule. */
static bool opens_nothing(const struct review *review)
{
    static const char *const names[] = {"DROP", "REJECT", "LOG", "NFLOG", "ULOG", "TRACE", "AUDIT"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(review->target, names[i]) == 0)
            return true;
    return strcmp(review->target, "RETURN") == 0 && is_built_in(review->chain);
}

/* Whether the rule may open something; warns where it has no target. */
static bool review_target(const struct review *review)
{
    if (review->target)
        return !opens_nothing(review);
    report_warning(review->report, review->rule->pos,
                   "door \"%s\": this rule has no target, so it only counts packets and opens "
                   "nothing; add one, as -j ACCEPT",
                   review->door->name);
    return false;
}

/* --- ports --- */

enum port_named { PORT_NONE, PORT_OTHER, PORT_OWN };

static bool in_range(const char *text, size_t len, unsigned port)
{
    char copy[32], *end;
    if (len >= sizeof(copy))
        return true;
    memcpy(copy, text, len);
    copy[len] = '\0';
    /* %PORT%, or the name of a service: it isn't known to be another. */
    if (!isdigit((unsigned char)*copy))
        return true;
    unsigned long first = strtoul(copy, &end, 10), last = first;
    if (*end == ':')
        last = isdigit((unsigned char)end[1]) ? strtoul(end + 1, &end, 10) : UINT16_MAX;
    return first <= port && port <= last;
}

/* Whether "22", "22,80" or "6000:6010" has a port that the door opens. */
static bool has_own_port(const struct config_door *door, const char *list)
{
    for (; *list; list += strcspn(list, ","), list += *list == ',') {
        size_t len = strcspn(list, ",");
        if (door->port.port && in_range(list, len, door->port.port))
            return true;
        for (unsigned i = 0; i < door->port_count; i++)
            if (in_range(list, len, door->ports[i].port))
                return true;
    }
    return false;
}

/* Whether the rule names ports, and of them one of the door's; else *other is the list. */
static enum port_named name_ports(const struct review *review, const char **other)
{
    static const char *const options[] = {"--dport", "--destination-port", "--dports",
                                          "--destination-ports", "--ports"};
    char *const *words = review->words.words;
    for (unsigned i = 0; words[i]; i++)
        for (size_t j = 0; j < sizeof(options) / sizeof(*options); j++) {
            unsigned at = i;
            const char *ports = value_of(review, &at, options[j], options[j]);
            if (!ports)
                continue;
            if ((i > 0 && strcmp(words[i - 1], "!") == 0) || has_own_port(review->door, ports))
                return PORT_OWN;
            *other = ports;
            return PORT_OTHER;
        }
    return PORT_NONE;
}

/* --- interfaces --- */

/* "eth+" is any whose name begins so. */
static bool interface_exists(const char *name)
{
    size_t len = strlen(name);
    bool found = false;
    if (len == 0 || name[len - 1] != '+')
        return if_nametoindex(name) != 0;
    struct if_nameindex *all = if_nameindex();
    for (unsigned i = 0; all && all[i].if_index != 0; i++)
        found |= strncmp(all[i].if_name, name, len - 1) == 0;
    if_freenameindex(all);
    return found || len == 1;
}

static void review_interfaces(const struct review *review)
{
    char *const *words = review->words.words;
    for (unsigned i = 0; words[i]; i++) {
        unsigned negated = i > 0 && strcmp(words[i - 1], "!") == 0;
        const char *name = value_of(review, &i, "-i", "--in-interface");
        if (!name && words[i])
            name = value_of(review, &i, "-o", "--out-interface");
        if (!name || negated || strchr(name, '%') || interface_exists(name))
            continue;
        report_warning(review->report, review->rule->pos,
                       "door \"%s\": this rule is about interface %.40s, which isn't there just "
                       "now: until it is, the rule opens nothing; see ip link",
                       review->door->name, name);
    }
}

static void review_own_interface(const struct config_door *door, struct report *report)
{
    if (door->interface[0] && !interface_exists(door->interface))
        report_warning(
            report, door->pos,
            "door \"%s\": interface %s isn't there just now: until it is, no knock comes "
            "in by it; see ip link",
            door->name, door->interface);
}

/* --- families --- */

/* An address, or a network, whose host bits don't matter here. */
static uint8_t family_of(const char *word)
{
    struct addr address;
    return addr_parse(word, strcspn(word, "/"), &address) ? address.family : 0;
}

uint8_t rule_review_family(const char *rule)
{
    struct command_words words;
    uint8_t family = 0;
    if (command_words_split(rule, &words))
        return 0;
    for (unsigned i = 0; words.words[i] && family == 0; i++)
        family = family_of(words.words[i]);
    return family;
}

static void review_family(const struct review *review, const struct plans *plans, unsigned number)
{
    uint8_t family = rule_review_family(review->rule->text);
    if (family == 0 || !plans_get(plans, number, family == 4 ? 6 : 4)->usable)
        return;
    report_warning(review->report, review->rule->pos,
                   "door \"%s\": this rule has an IPv%u address, and the door hears IPv%u as well, "
                   "for which it can't open: give the door allow = %s, or leave the address out",
                   review->door->name, family, family == 4 ? 6 : 4,
                   family == 4 ? "0.0.0.0/0" : "\"::/0\"");
}

/* --- doors --- */

static void tell_that_nothing_opens(const struct config_door *door, const char *target,
                                    struct report *report)
{
    report_warning(report, door->rules.items[0].pos,
                   "door \"%s\": %s opens nothing, and no other rule of the door does; "
                   "is ACCEPT meant?",
                   door->name, target);
}

static void tell_other_port(const struct config_door *door, const struct config_text *rule,
                            const char *ports, struct report *report)
{
    struct port_proto own = config_own_port(door);
    report_warning(
        report, rule->pos,
        "door \"%s\": its rule opens %.40s, but port says %u: knockctl and sealed knocks "
        "go by port; write %%PORT%% in the rule, or the same number",
        door->name, ports, own.port);
}

static void review_door(const struct config *config, const struct plans *plans, unsigned number,
                        bool families, struct report *report)
{
    const struct config_door *door = &config->doors[number];
    const struct config_text *other_rule = NULL;
    char other[64] = "", idle[32] = "";
    bool opens = false, own = false;
    review_own_interface(door, report);
    for (unsigned i = 0; i < door->rules.count; i++) {
        struct review review = {.door = door, .rule = &door->rules.items[i], .report = report};
        const char *ports = "";
        if (!read_rule(&review))
            continue;
        opens |= review_target(&review);
        if (review.target && !idle[0])
            snprintf(idle, sizeof(idle), "%s", review.target);
        enum port_named named = name_ports(&review, &ports);
        own |= named == PORT_OWN;
        if (named == PORT_OTHER && !other_rule) {
            other_rule = review.rule;
            snprintf(other, sizeof(other), "%s", ports);
        }
        review_interfaces(&review);
        if (families)
            review_family(&review, plans, number);
    }
    if (!opens && idle[0])
        tell_that_nothing_opens(door, idle, report);
    if (!own && other_rule && config_own_port(door).port)
        tell_other_port(door, other_rule, other, report);
}

void rule_review(const struct config *config, const struct plans *plans, bool families,
                 struct report *report)
{
    for (unsigned i = 0; i < config->door_count; i++)
        review_door(config, plans, i, families, report);
}
