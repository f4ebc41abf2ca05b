/* Keeps the tables, chains and rules of a packet filter, whichever program printed them. */
#include "knockctl/firewall.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sequence.h"

static void free_rule(struct firewall_rule *rule)
{
    free(rule->text);
    free(rule->ports);
    for (unsigned i = 0; i < rule->log_count; i++)
        free(rule->logs[i].prefix);
    free(rule->logs);
    free(rule->target);
}

void firewall_free(struct firewall *firewall)
{
    for (unsigned i = 0; i < firewall->count; i++) {
        struct firewall_chain *chain = &firewall->chains[i];
        for (unsigned j = 0; j < chain->count; j++)
            free_rule(&chain->rules[j]);
        free(chain->rules);
        free(chain->table);
        free(chain->name);
    }
    free(firewall->chains);
    *firewall = (struct firewall){0};
}

struct firewall_chain *firewall_add_chain(struct firewall *firewall, const char *table,
                                          const char *name, unsigned families)
{
    struct firewall_chain *chains =
        realloc(firewall->chains, (firewall->count + 1) * sizeof(*firewall->chains));
    if (!chains)
        return NULL;
    firewall->chains = chains;
    struct firewall_chain *chain = &chains[firewall->count++];
    *chain = (struct firewall_chain){.table = strdup(table),
                                     .name = strdup(name),
                                     .families = families,
                                     .policy = FIREWALL_ACCEPT};
    return chain->table && chain->name ? chain : NULL;
}

struct firewall_rule *firewall_add_rule(struct firewall_chain *chain, const char *text)
{
    struct firewall_rule *rules = realloc(chain->rules, (chain->count + 1) * sizeof(*rules));
    if (!rules)
        return NULL;
    chain->rules = rules;
    struct firewall_rule *rule = &rules[chain->count++];
    *rule = (struct firewall_rule){.text = strdup(text), .families = FIREWALL_BOTH};
    for (int kind = 0; kind < FIREWALL_PACKETS; kind++)
        rule->matches[kind][0] = rule->matches[kind][1] = true;
    return rule->text ? rule : NULL;
}

bool firewall_add_log(struct firewall_rule *rule, bool nflog, uint16_t group, const char *prefix)
{
    struct firewall_log *logs = realloc(rule->logs, (rule->log_count + 1) * sizeof(*logs));
    if (!logs)
        return false;
    rule->logs = logs;
    logs[rule->log_count] = (struct firewall_log){nflog, group, strdup(prefix)};
    if (!logs[rule->log_count].prefix)
        return false;
    rule->log_count++;
    return true;
}

const struct firewall_chain *firewall_chain(const struct firewall *firewall,
                                            const struct firewall_chain *from, const char *name)
{
    for (unsigned i = 0; name && i < firewall->count; i++) {
        const struct firewall_chain *chain = &firewall->chains[i];
        if (strcmp(chain->name, name) == 0 && strcmp(chain->table, from->table) == 0 &&
            chain->families == from->families)
            return chain;
    }
    return NULL;
}

struct firewall_chain *firewall_find_chain(struct firewall *firewall, unsigned *recent,
                                           const char *table, const char *name)
{
    for (unsigned i = 0; i < firewall->count; i++) {
        unsigned number = (*recent + i) % firewall->count;
        struct firewall_chain *chain = &firewall->chains[number];
        if (strcmp(chain->name, name) == 0 && strcmp(chain->table, table) == 0) {
            *recent = number;
            return chain;
        }
    }
    return NULL;
}

static void keep_proto(struct firewall_rule *rule, unsigned place)
{
    for (int kind = 0; kind < FIREWALL_PACKETS; kind++)
        for (unsigned i = 0; i < 2; i++)
            rule->matches[kind][i] &= i == place;
}

void firewall_match_proto(struct firewall_rule *rule, const char *proto, bool negated)
{
    bool tcp = strcmp(proto, "tcp") == 0 || strcmp(proto, "6") == 0;
    bool udp = strcmp(proto, "udp") == 0 || strcmp(proto, "17") == 0;
    if (strcmp(proto, "all") == 0 || strcmp(proto, "0") == 0)
        return;
    if (!negated)
        keep_proto(rule, tcp ? 0 : udp ? 1 : 2);
    else if (tcp || udp)
        keep_proto(rule, tcp ? 1 : 0);
}

void firewall_match_flags(struct firewall_rule *rule, uint8_t mask, uint8_t flags, bool negated)
{
    keep_proto(rule, 0);
    rule->matches[FIREWALL_NEW][0] &= ((TCP_SYN & mask) == flags) != negated;
    rule->matches[FIREWALL_STANDING][0] &= ((TCP_ACK & mask) == flags) != negated;
}

void firewall_match_state(struct firewall_rule *rule, const char *states, bool negated)
{
    static const char *const wanted[FIREWALL_PACKETS] = {"NEW", "ESTABLISHED"};
    for (int kind = 0; kind < FIREWALL_PACKETS; kind++) {
        bool found = strcasestr(states, wanted[kind]) != NULL;
        for (int i = 0; i < 2; i++)
            rule->matches[kind][i] &= found != negated;
    }
}

bool firewall_add_ports(struct firewall_rule *rule, const char *text)
{
    char *end;
    unsigned long first = strtoul(text, &end, 10), last = first;
    if (end != text && (*end == ':' || *end == '-'))
        last = strtoul(end + 1, &end, 10);
    if (end == text || *end != '\0' || last > UINT16_MAX || first > last)
        return false;
    if (!rule->ports)
        rule->ports = calloc(1, sizeof(*rule->ports));
    if (!rule->ports)
        return false;
    port_set_add(rule->ports, IPPROTO_TCP, (uint16_t)first, (uint16_t)last);
    port_set_add(rule->ports, IPPROTO_UDP, (uint16_t)first, (uint16_t)last);
    return true;
}

void firewall_negate_ports(struct firewall_rule *rule)
{
    struct port_set all = {0};
    port_set_add(&all, IPPROTO_TCP, 0, UINT16_MAX);
    port_set_add(&all, IPPROTO_UDP, 0, UINT16_MAX);
    if (!rule->ports)
        return;
    port_set_remove(&all, rule->ports);
    *rule->ports = all;
}

bool firewall_keep_ports(struct firewall_rule *rule, const struct port_set *ports, bool others)
{
    bool any = !rule->ports;
    if (any && !(rule->ports = calloc(1, sizeof(*rule->ports))))
        return false;
    if (any)
        *rule->ports = *ports;
    if (any && others)
        firewall_negate_ports(rule);
    else if (others)
        port_set_remove(rule->ports, ports);
    else
        port_set_keep(rule->ports, ports);
    return true;
}

uint8_t firewall_flags(const char *text)
{
    static const struct {
        const char *name;
        uint8_t flag;
    } names[] = {{"fin", TCP_FIN}, {"syn", TCP_SYN}, {"rst", TCP_RST}, {"psh", TCP_PSH},
                 {"ack", TCP_ACK}, {"urg", TCP_URG}, {"all", 0x3f}};
    uint8_t flags = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcasestr(text, names[i].name))
            flags |= names[i].flag;
    return flags;
}
