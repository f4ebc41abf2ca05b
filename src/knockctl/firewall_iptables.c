/* What iptables-save(8) prints: "-A CHAIN" and the options of iptables(8), iptables-extensions(8).
 */
#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"

/* A rule that is being read. */
struct reading {
    struct firewall_rule *rule;
    const struct rule_words *words;
    unsigned at;
    bool negated; /* "!" stands before the option at hand */
    bool account; /* a limit, for each source by itself */
    bool excess;  /* what is above the limit */
    bool logs, nflog;
    const char *prefix; /* of what it logs */
    unsigned long group;
};

static const char *value(struct reading *r)
{
    const char *word = r->words->words[r->at + 1];
    if (word)
        r->at++;
    return word ? word : "";
}

/* No kernel has a rule with two of them, but any text may. */
static void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

/* "7000,8000:8010" */
static void read_ports(struct reading *r)
{
    char *list = strdup(value(r)), *rest = list;
    for (char *item; list && (item = strsep(&rest, ","));)
        if (!firewall_add_ports(r->rule, item))
            r->rule->partly = true;
    if (r->negated)
        firewall_negate_ports(r->rule);
    r->rule->partly |= !list;
    free(list);
}

static void read_flags(struct reading *r)
{
    uint8_t mask = firewall_flags(value(r)), flags = firewall_flags(value(r));
    firewall_match_flags(r->rule, mask, flags, r->negated);
}

/* Knocks come to this host's own address. */
static void read_kind(struct reading *r, const char *const *ours)
{
    const char *kind = value(r);
    bool match = false;
    for (; *ours; ours++)
        match |= strcasestr(kind, *ours) != NULL;
    if (match == r->negated)
        firewall_match_proto(r->rule, "none", false);
}

static void read_limit(struct reading *r, const char *option)
{
    const char *text = value(r);
    if (strcmp(option, "mode") == 0)
        r->account = strstr(text, "srcip") != NULL;
    else if (strcmp(option, "srcmask") == 0 && strcmp(text, "0") == 0)
        r->account = false;
    r->excess |= strcmp(option, "above") == 0;
    r->rule->limited = true;
}

/* Modules that this reader knows, or that match nothing by themselves. */
static void read_module(struct reading *r)
{
    static const char *const known[] = {"tcp",       "udp",   "multiport", "conntrack", "state",
                                        "hashlimit", "limit", "pkttype",   "addrtype",  "comment"};
    const char *name = value(r);
    bool found = false;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        found |= strcmp(name, known[i]) == 0;
    r->rule->partly |= !found;
}

static void read_log(struct reading *r, bool nflog)
{
    r->logs = true;
    r->nflog = nflog;
}

static void read_target(struct reading *r, bool jump)
{
    const char *name = value(r);
    if (strcmp(name, "ACCEPT") == 0)
        r->rule->verdict = FIREWALL_ACCEPT;
    else if (strcmp(name, "DROP") == 0 || strcmp(name, "REJECT") == 0)
        r->rule->verdict = FIREWALL_DROP;
    else if (strcmp(name, "RETURN") == 0)
        r->rule->verdict = FIREWALL_RETURN;
    else if (strcmp(name, "LOG") == 0 || strcmp(name, "NFLOG") == 0)
        read_log(r, name[0] == 'N');
    else {
        r->rule->verdict = jump ? FIREWALL_JUMP : FIREWALL_GOTO;
        set(&r->rule->target, name);
    }
}

/* The number of a group has 16 bits. */
static void read_group(struct reading *r)
{
    const char *text = value(r);
    char *end;
    r->group = strtoul(text, &end, 10);
    r->rule->partly |= end == text || *end != '\0' || r->group > UINT16_MAX;
}

static bool read_match(struct reading *r, const char *option)
{
    static const char *const unicast[] = {"unicast", "host", NULL}, *const local[] = {"local",
                                                                                      NULL};
    if (strcmp(option, "-p") == 0)
        firewall_match_proto(r->rule, value(r), r->negated);
    else if (strcmp(option, "-m") == 0)
        read_module(r);
    else if (strcmp(option, "--dport") == 0 || strcmp(option, "--dports") == 0)
        read_ports(r);
    else if (strcmp(option, "--tcp-flags") == 0)
        read_flags(r);
    else if (strcmp(option, "--ctstate") == 0 || strcmp(option, "--state") == 0)
        firewall_match_state(r->rule, value(r), r->negated);
    else if (strcmp(option, "--pkt-type") == 0)
        read_kind(r, unicast);
    else if (strcmp(option, "--dst-type") == 0)
        read_kind(r, local);
    else
        return false;
    return true;
}

static void read_option(struct reading *r, const char *option)
{
    if (read_match(r, option))
        return;
    if (strcmp(option, "-j") == 0 || strcmp(option, "-g") == 0)
        read_target(r, option[1] == 'j');
    else if (strcmp(option, "--log-prefix") == 0 || strcmp(option, "--nflog-prefix") == 0)
        r->prefix = value(r);
    else if (strcmp(option, "--nflog-group") == 0)
        read_group(r);
    else if (strcmp(option, "--limit") == 0)
        read_limit(r, "");
    else if (strncmp(option, "--hashlimit-", 12) == 0)
        read_limit(r, option + 12);
    else if (strcmp(option, "--comment") == 0 || strcmp(option, "--limit-burst") == 0)
        value(r);
    else if (!r->logs && r->rule->verdict == FIREWALL_NEXT)
        r->rule->partly = true; /* what stands behind a target is the target's */
}

void firewall_read_iptables_rule(struct firewall_rule *rule, const struct rule_words *words)
{
    struct reading r = {.rule = rule, .words = words, .prefix = ""};
    for (r.at = 2; r.at < words->count; r.at++) {
        const char *word = words->words[r.at];
        if (word[0] == '-')
            read_option(&r, word);
        r.negated = strcmp(word, "!") == 0;
    }
    /* A limit for each source lets knocks through, but for what exceeds it. */
    rule->limited &= !r.account;
    rule->partly |= r.excess || words->count == RULE_WORDS_MAX;
    if (r.logs && !firewall_add_log(rule, r.nflog, r.nflog ? (uint16_t)r.group : 0, r.prefix))
        rule->partly = true;
}

/* The chain of this table, which has been declared. */
static struct firewall_chain *declared(struct firewall *firewall, unsigned family, const char *name)
{
    const struct firewall_chain from = {.table = (char[]){""}, .families = family};
    const struct firewall_chain *chain = firewall_chain(firewall, &from, name);
    return chain ? &firewall->chains[chain - firewall->chains] : NULL;
}

/* ":INPUT DROP [0:0]" or "-A INPUT ..." */
static bool read_line(struct firewall *firewall, unsigned family, const char *line,
                      const struct rule_words *words)
{
    const char *first = words->count > 0 ? words->words[0] : "";
    if (first[0] == ':') {
        struct firewall_chain *chain = declared(firewall, family, first + 1);
        if (!chain)
            chain = firewall_add_chain(firewall, "", first + 1, family);
        if (chain && words->count > 1 && strcmp(words->words[1], "DROP") == 0)
            chain->policy = FIREWALL_DROP;
        return chain != NULL;
    }
    if (strcmp(first, "-A") != 0 || words->count < 2)
        return true;
    struct firewall_chain *chain = declared(firewall, family, words->words[1]);
    struct firewall_rule *rule = chain ? firewall_add_rule(chain, line) : NULL;
    if (rule)
        firewall_read_iptables_rule(rule, words);
    return !chain || rule;
}

bool firewall_read_iptables(struct firewall *firewall, const char *saved,
                            enum firewall_family family)
{
    bool ours = false;
    struct firewall_chain *input = firewall_add_chain(firewall, "", "INPUT", family);
    if (!input)
        return false;
    input->input = true;
    for (const char *line = saved, *end; *line; line = *end ? end + 1 : end) {
        struct rule_words words;
        end = line + strcspn(line, "\n");
        if (*line == '*')
            ours = strncmp(line, "*filter", 7) == 0;
        if (!ours || (*line != ':' && *line != '-'))
            continue;
        char *text = strndup(line, (size_t)(end - line));
        bool good = rule_words_split(line, (size_t)(end - line), &words) && text &&
                    read_line(firewall, family, text, &words);
        free(words.text);
        free(text);
        if (!good)
            return false;
    }
    return true;
}
