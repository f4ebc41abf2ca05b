/* Which ports a door's `rule` opens: they must be closed until it does. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/rules.h"
#include "lib/command_words.h"

/* What was read of a rule. */
struct reading {
    struct port_proto port; /* of the door */
    bool tcp, udp;
    bool negated; /* the last word was "!" */
    char *ports;  /* NULL: none named */
};

static bool is_one_of(const char *word, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(word, *names) == 0)
            return true;
    return false;
}

static bool set_proto(struct reading *r, const char *word)
{
    if (strcmp(word, "%PROTO%") == 0)
        word = proto_name(r->port.proto);
    r->tcp = strcasecmp(word, "tcp") == 0 || strcmp(word, "6") == 0;
    r->udp = strcasecmp(word, "udp") == 0 || strcmp(word, "17") == 0;
    return r->tcp || r->udp;
}

/* A number, %PORT%, or a name from services(5), as iptables takes it. 0: none of them. */
static uint16_t port_number(const struct reading *r, const char *text)
{
    if (strcmp(text, "%PORT%") == 0)
        return r->port.port;
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits <= 5 ? strtoul(text, NULL, 10) : 0;
    if (text[digits] == '\0')
        return value <= UINT16_MAX ? (uint16_t)value : 0;
    const struct servent *service = getservbyname(text, r->udp ? "udp" : "tcp");
    return service ? ntohs((uint16_t)service->s_port) : 0;
}

/* "22", "22,80", "6000:6010" */
static bool add_ports(struct port_set *set, struct reading *r)
{
    char *rest = r->ports;
    for (char *item; (item = strsep(&rest, ","));) {
        char *end = strchr(item, ':');
        if (end)
            *end++ = '\0';
        uint16_t first = port_number(r, item), last = end ? port_number(r, end) : first;
        if (first == 0 || last < first)
            return false;
        port_set_add(set, r->udp ? IPPROTO_UDP : IPPROTO_TCP, first, last);
    }
    return true;
}

/* Reads the option `word` with its value, which is taken off *rest. False when it can't be
 * understood. */
static bool read_option(struct reading *r, const char *word, char ***rest)
{
    static const char *const proto[] = {"-p", "--protocol", "--proto", NULL};
    static const char *const ports[] = {"--dport", "--destination-port", "--dports",
                                        "--destination-ports", NULL};
    bool is_proto = is_one_of(word, proto), is_ports = is_one_of(word, ports);
    if (!is_proto && !is_ports)
        return true;
    if (r->negated || !**rest)
        return false;
    char *value = *(*rest)++;
    if (is_proto)
        return set_proto(r, value);
    r->ports = value;
    return true;
}

/* Takes "[-t TABLE] CHAIN" off *rest, and says whether it is the filter table's INPUT. */
static bool is_input(char ***rest)
{
    char **words = *rest;
    if (words[0] && strcmp(words[0], "-t") == 0) {
        if (!words[1] || strcmp(words[1], "filter") != 0)
            return false;
        words += 2;
    }
    if (!words[0] || strcmp(words[0], "INPUT") != 0)
        return false;
    *rest = words + 1;
    return true;
}

enum rule_ports rules_add_door_rule(struct port_set *set, const char *rule, struct port_proto port)
{
    struct reading r = {.port = port};
    struct command_words words;
    char **rest = words.words;
    if (command_words_split(rule, &words))
        return RULE_UNKNOWN;
    if (!is_input(&rest))
        return RULE_ELSEWHERE;
    while (*rest) {
        const char *word = *rest++;
        if (!read_option(&r, word, &rest))
            return RULE_UNKNOWN;
        r.negated = strcmp(word, "!") == 0;
    }
    bool added = r.ports && (r.tcp || r.udp) && add_ports(set, &r);
    return added ? RULE_ADDED : RULE_UNKNOWN;
}
