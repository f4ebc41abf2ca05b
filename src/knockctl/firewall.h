/*
 * A packet filter as it is in force, read from what iptables-save(8) or nft(8) print: as much of it
 * as decides what becomes of a knock. What isn't understood of a rule makes it one that takes some
 * packets and leaves others, so that nothing is claimed of it.
 */
#ifndef KNOCKCTL_FIREWALL_H
#define KNOCKCTL_FIREWALL_H

#include "lib/port_set.h"
#include "lib/rule_words.h"

/* The packets that are asked about: first ones, TCP's with SYN alone, and TCP's of a session. */
enum firewall_packet { FIREWALL_NEW, FIREWALL_STANDING, FIREWALL_PACKETS };

enum firewall_verdict {
    FIREWALL_NEXT,
    FIREWALL_ACCEPT,
    FIREWALL_DROP, /* rejects as well */
    FIREWALL_RETURN,
    FIREWALL_JUMP,
    FIREWALL_GOTO,
};

enum firewall_family { FIREWALL_IP4 = 1, FIREWALL_IP6 = 2, FIREWALL_BOTH = 3 };

/* Where a rule logs to: the kernel's log, or (nflog) a group of NFLOG. */
struct firewall_log {
    bool nflog;
    uint16_t group;
    char *prefix;
};

struct firewall_rule {
    char *text;                        /* as the firewall's program prints it */
    int64_t handle;                    /* nft's number of it; 0: none */
    unsigned families;                 /* enum firewall_family */
    bool matches[FIREWALL_PACKETS][2]; /* [..][0] TCP, [..][1] UDP */
    struct port_set *ports;            /* destination; NULL: any */
    bool partly;                       /* some of these packets alone, of some sources ... */
    bool limited;                      /* as many as a limit says that all sources share */
    struct firewall_log *logs;         /* a rule of nft may have several */
    unsigned log_count;
    enum firewall_verdict verdict; /* after that */
    char *target;                  /* chain of FIREWALL_JUMP and FIREWALL_GOTO */
};

struct firewall_chain {
    char *table; /* of nft, like "inet knockd"; of iptables empty */
    char *name;
    unsigned families;
    bool input; /* packets to this host pass it by themselves: */
    int priority;
    enum firewall_verdict policy;
    struct firewall_rule *rules;
    unsigned count;
};

struct firewall {
    struct firewall_chain *chains;
    unsigned count;
};

void firewall_free(struct firewall *firewall);

/* Each returns NULL when memory is short. A chain is good until the next one is added. */
struct firewall_chain *firewall_add_chain(struct firewall *firewall, const char *table,
                                          const char *name, unsigned families);
struct firewall_rule *firewall_add_rule(struct firewall_chain *chain, const char *text);

/* The rule logs there, too; copies the prefix. False when memory is short. */
bool firewall_add_log(struct firewall_rule *rule, bool nflog, uint16_t group, const char *prefix);

/* The chain that one of the same table and family calls `name`, or NULL. */
const struct firewall_chain *firewall_chain(const struct firewall *firewall,
                                            const struct firewall_chain *from, const char *name);

/*
 * Adds the chains of table filter that iptables-save or ip6tables-save (FIREWALL_IP6) printed;
 * INPUT in any case, since the kernel accepts what there is no table for. False when memory is
 * short.
 */
bool firewall_read_iptables(struct firewall *firewall, const char *saved,
                            enum firewall_family family);

/* Whether this knockctl can read nft's rules: it was built with libjansson. */
bool firewall_reads_nft(void);

enum { FIREWALL_WHY_SIZE = 160 };

/*
 * Adds the chains that `nft -j list ruleset` printed. `iptables`: what iptables has made of it is
 * left out, since it was read from iptables-save. False after writing to `why` what is wrong with
 * it, or that memory is short; what was added until then is not the whole firewall.
 */
bool firewall_read_nft(struct firewall *firewall, const char *json, bool iptables,
                       char why[FIREWALL_WHY_SIZE]);

/*
 * Gives these chains' rules the text that people know them by, as `nft -a list ruleset` printed it,
 * and takes from it what the JSON of some releases of nft lacks: tables that are dormant, and rules
 * with text that isn't UTF-8, of which nothing is claimed. False when memory is short.
 */
bool firewall_name_nft(struct firewall *firewall, const char *listed);

/* --- for the readers --- */

/* The chain of that table and name, or NULL. The search begins at number *recent, which becomes
 * that of the chain: rules come chain by chain. */
struct firewall_chain *firewall_find_chain(struct firewall *firewall, unsigned *recent,
                                           const char *table, const char *name);

/* The rule takes packets of this protocol (name or number) only, or (not) all others. */
void firewall_match_proto(struct firewall_rule *rule, const char *proto, bool negated);

/* It takes TCP packets only, and of those such whose flags, of `mask`, are (not) `flags`. */
void firewall_match_flags(struct firewall_rule *rule, uint8_t mask, uint8_t flags, bool negated);

/* It takes packets only of these (not these) states, a list like "RELATED,ESTABLISHED". */
void firewall_match_state(struct firewall_rule *rule, const char *states, bool negated);

/* Adds "22", "6000:6010" or "6000-6010" to its ports. False when it isn't that. */
bool firewall_add_ports(struct firewall_rule *rule, const char *text);

/* It takes packets to all ports but those added. */
void firewall_negate_ports(struct firewall_rule *rule);

/* Of the packets that it took so far, it takes those to these ports, or (others) to all but these.
 * False when memory is short. */
bool firewall_keep_ports(struct firewall_rule *rule, const struct port_set *ports, bool others);

/* Reads a rule of iptables-save, from its "-A CHAIN" on. */
void firewall_read_iptables_rule(struct firewall_rule *rule, const struct rule_words *words);

/* The flags named in a text, whatever separates them. */
uint8_t firewall_flags(const char *text);

/* --- the way of packets --- */

struct firewall_visitor {
    /* A rule that logs, accepts or drops (NULL: the chain's policy) gets the packets to `ports`, or
     * some of them. */
    void (*visit)(void *arg, const struct firewall_chain *chain, const struct firewall_rule *rule,
                  const struct port_set *ports, bool surely);
    void *arg;
};

/*
 * Sends packets of that kind to `ports` through the chain, which has `input`. What is left in
 * `ports` may go on to the next one. Where chains jump to chains beyond all measure, the rest of
 * the way isn't followed, and nothing of it is sure.
 */
void firewall_walk(const struct firewall *firewall, const struct firewall_chain *chain,
                   enum firewall_family family, enum firewall_packet kind, struct port_set *ports,
                   const struct firewall_visitor *visitor);

#endif
