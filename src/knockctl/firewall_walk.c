/* What becomes of packets, for all their ports at once. */
#include "knockctl/firewall.h"

/* Chains that call chains that call chains: nft's may 16 deep, of iptables' nobody has more. */
enum { DEPTH_MAX = 32 };

/* Two jumps from each chain to the next make ways without end: after so many rules nothing is
 * followed any more. Those of the largest firewalls are fewer, and they take a tenth of a second.
 */
enum { MEETINGS_MAX = 50000 };

struct walk {
    const struct firewall *firewall;
    enum firewall_family family;
    enum firewall_packet kind;
    const struct firewall_visitor *visitor;
    struct port_set accepted;
    unsigned meetings;
    bool lost; /* a jump was not followed: from there on, nothing is sure */
};

/* Of `ports`, those that the rule takes. */
static void take(const struct firewall_rule *rule, enum firewall_packet kind,
                 const struct port_set *ports, struct port_set *out)
{
    static const struct port_set none;
    *out = *ports;
    if (rule->ports)
        port_set_keep(out, rule->ports);
    for (int i = 0; i < 2; i++)
        if (!rule->matches[kind][i])
            for (size_t j = 0; j < sizeof(none.bits[i]) / sizeof(none.bits[i][0]); j++)
                out->bits[i][j] = 0;
}

static void pass(struct walk *w, const struct firewall_chain *chain, struct port_set *ports,
                 bool surely, unsigned depth);

/* The chain that a rule sends packets to, if they are followed there. */
static const struct firewall_chain *target_of(struct walk *w, const struct firewall_chain *chain,
                                              const struct firewall_rule *rule, unsigned depth)
{
    const struct firewall_chain *target = firewall_chain(w->firewall, chain, rule->target);
    if (!target || (depth < DEPTH_MAX && w->meetings < MEETINGS_MAX))
        return target;
    w->lost = true;
    return NULL;
}

/* `taken` surely go where the rule says; those in `through` came back from its target. */
static void apply(struct walk *w, const struct firewall_rule *rule, const struct port_set *taken,
                  const struct port_set *through, struct port_set *ports, struct port_set *returned)
{
    port_set_remove(ports, taken);
    if (rule->verdict == FIREWALL_ACCEPT)
        port_set_join(&w->accepted, taken);
    else if (rule->verdict == FIREWALL_JUMP)
        port_set_join(ports, through);
    else if (rule->verdict == FIREWALL_RETURN || rule->verdict == FIREWALL_GOTO)
        port_set_join(returned, through);
}

static void meet(struct walk *w, const struct firewall_chain *chain,
                 const struct firewall_rule *rule, bool surely, unsigned depth,
                 struct port_set *ports, struct port_set *returned)
{
    struct port_set taken;
    w->meetings++;
    take(rule, w->kind, ports, &taken);
    if (!(rule->families & w->family) || port_set_is_empty(&taken))
        return;
    surely = surely && !w->lost && !rule->partly && !rule->limited;
    if (rule->log_count > 0 || rule->verdict == FIREWALL_ACCEPT || rule->verdict == FIREWALL_DROP)
        w->visitor->visit(w->visitor->arg, chain, rule, &taken, surely);
    struct port_set through = taken;
    const struct firewall_chain *target = target_of(w, chain, rule, depth);
    if (target)
        pass(w, target, &through, surely, depth + 1);
    if (surely && !w->lost && rule->verdict != FIREWALL_NEXT)
        apply(w, rule, &taken, &through, ports, returned);
}

/* Leaves in `ports` what comes out at the end of the chain, or by return. `surely`: all packets to
 * them came here. */
static void pass(struct walk *w, const struct firewall_chain *chain, struct port_set *ports,
                 bool surely, unsigned depth)
{
    struct port_set returned = {0};
    for (unsigned i = 0; i < chain->count; i++)
        meet(w, chain, &chain->rules[i], surely, depth, ports, &returned);
    port_set_join(ports, &returned);
}

void firewall_walk(const struct firewall *firewall, const struct firewall_chain *chain,
                   enum firewall_family family, enum firewall_packet kind, struct port_set *ports,
                   const struct firewall_visitor *visitor)
{
    struct walk w = {.firewall = firewall, .family = family, .kind = kind, .visitor = visitor};
    pass(&w, chain, ports, true, 0);
    if (!port_set_is_empty(ports))
        visitor->visit(visitor->arg, chain, NULL, ports, !w.lost);
    if (chain->policy == FIREWALL_DROP && !w.lost)
        *ports = w.accepted;
    else
        port_set_join(ports, &w.accepted);
}
