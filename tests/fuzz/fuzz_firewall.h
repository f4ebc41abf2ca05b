/* What is claimed of every firewall that was read, by whichever reader: packets only get lost on
 * their way, nobody is shown ports that weren't asked about, and the way ends. */
#ifndef FUZZ_FIREWALL_H
#define FUZZ_FIREWALL_H

#include "fuzz.h"

#include <netinet/in.h>

#include "knockctl/firewall.h"

static struct port_set asked; /* none until ask() */

static void ask(void)
{
    port_set_add(&asked, IPPROTO_TCP, 22, 22);
    port_set_add(&asked, IPPROTO_TCP, 7000, 9000);
    port_set_add(&asked, IPPROTO_UDP, 20000, 32287);
}

static bool is_within(const struct port_set *ports, const struct port_set *others)
{
    struct port_set rest = *ports;
    port_set_remove(&rest, others);
    return port_set_is_empty(&rest);
}

static void visit(void *arg, const struct firewall_chain *chain, const struct firewall_rule *rule,
                  const struct port_set *ports, bool surely)
{
    const struct firewall *firewall = arg;
    (void)surely;
    CLAIM(chain >= firewall->chains && chain < firewall->chains + firewall->count);
    CLAIM(!rule || (rule >= chain->rules && rule < chain->rules + chain->count));
    CLAIM(!port_set_is_empty(ports) && is_within(ports, &asked));
}

static void claim_rules(const struct firewall *firewall)
{
    for (unsigned i = 0; i < firewall->count; i++) {
        const struct firewall_chain *chain = &firewall->chains[i];
        CLAIM(chain->table && chain->name && (chain->families & ~(unsigned)FIREWALL_BOTH) == 0);
        for (unsigned j = 0; j < chain->count; j++) {
            const struct firewall_rule *rule = &chain->rules[j];
            CLAIM(*rule->text && !strchr(rule->text, '\n'));
            for (unsigned k = 0; k < rule->log_count; k++)
                CLAIM(rule->logs[k].prefix && (rule->logs[k].nflog || rule->logs[k].group == 0));
        }
    }
}

/* Those of the first chains: sanitizers take their time. */
static void claim_ways(struct firewall *firewall, enum firewall_family family,
                       enum firewall_packet kind)
{
    const struct firewall_visitor visitor = {visit, firewall};
    for (unsigned i = 0; i < firewall->count && i < 2; i++) {
        struct port_set ports = asked;
        if (!firewall->chains[i].input || !(firewall->chains[i].families & family))
            continue;
        firewall_walk(firewall, &firewall->chains[i], family, kind, &ports, &visitor);
        CLAIM(is_within(&ports, &asked));
    }
}

#endif
