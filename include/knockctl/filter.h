/*
 * A packet filter as it is in force, read from what iptables-save(8) or nft(8) print: as much of it
 * as decides what becomes of a knock. What isn't understood of a rule makes it one that takes some
 * packets and leaves others, so that nothing is claimed of it.
 */
#ifndef KNOCKCTL_FILTER_H
#define KNOCKCTL_FILTER_H

#include "lib/port_set.h"

/* The packets that are asked about: first ones, TCP's with SYN alone, and TCP's of a session. */
enum filter_packet { FILTER_NEW, FILTER_STANDING, FILTER_PACKETS };

enum filter_verdict {
    FILTER_NEXT,
    FILTER_ACCEPT,
    FILTER_DROP, /* rejects as well */
    FILTER_RETURN,
    FILTER_JUMP,
    FILTER_GOTO,
};

enum filter_family { FILTER_IP4 = 1, FILTER_IP6 = 2, FILTER_BOTH = 3 };

struct filter_rule {
    char *text;                      /* as the firewall's program prints it */
    unsigned families;               /* enum filter_family */
    bool matches[FILTER_PACKETS][2]; /* [..][0] TCP, [..][1] UDP */
    struct port_set *ports;          /* destination; NULL: any */
    bool partly;                     /* some of these packets alone, of some sources ... */
    bool limited;                    /* as many as a limit says that all sources share */
    char *prefix;                    /* it logs, with this prefix; NULL: it doesn't */
    enum filter_verdict verdict;     /* after that */
    char *target;                    /* chain of FILTER_JUMP and FILTER_GOTO */
};

struct filter_chain {
    char *table; /* of nft, like "inet knockd"; of iptables empty */
    char *name;
    unsigned families;
    bool input; /* packets to this host pass it by themselves: */
    int priority;
    enum filter_verdict policy;
    struct filter_rule *rules;
    unsigned count;
};

struct filter {
    struct filter_chain *chains;
    unsigned count;
};

void filter_free(struct filter *filter);

/* Each returns NULL when memory is short. A chain is good until the next one is added. */
struct filter_chain *filter_add_chain(struct filter *filter, const char *table, const char *name,
                                      unsigned families);
struct filter_rule *filter_add_rule(struct filter_chain *chain, const char *text);

/* The chain that one of the same table and family calls `name`, or NULL. */
const struct filter_chain *filter_chain(const struct filter *filter,
                                        const struct filter_chain *from, const char *name);

/*
 * Adds the chains of table filter that iptables-save or ip6tables-save (FILTER_IP6) printed; INPUT
 * in any case, since the kernel accepts what there is no table for. False when memory is short.
 */
bool filter_read_iptables(struct filter *filter, const char *saved, enum filter_family family);

/*
 * Adds the chains that `nft -y list ruleset` printed. `iptables`: what iptables has made of it is
 * left out, since it was read from iptables-save.
 */
bool filter_read_nft(struct filter *filter, const char *listed, bool iptables);

/* --- for the two readers --- */

enum { FILTER_WORDS = 512 };

/* A line as words: blanks separate, "..." groups, \ takes what follows. */
struct filter_words {
    char *text; /* owns them */
    char *words[FILTER_WORDS + 1];
    unsigned count;
};

/* False when memory is short. A line of more words is cut; then nothing is said of its rule. */
bool filter_split(const char *line, size_t len, struct filter_words *out);

/* The rule takes packets of this protocol (name or number) only, or (not) all others. */
void filter_match_proto(struct filter_rule *rule, const char *proto, bool negated);

/* It takes TCP packets only, and of those such whose flags, of `mask`, are (not) `flags`. */
void filter_match_flags(struct filter_rule *rule, uint8_t mask, uint8_t flags, bool negated);

/* It takes packets only of these (not these) states, a list like "RELATED,ESTABLISHED". */
void filter_match_state(struct filter_rule *rule, const char *states, bool negated);

/* Adds "22", "6000:6010" or "6000-6010" to its ports. False when it isn't that. */
bool filter_add_ports(struct filter_rule *rule, const char *text);

/* It takes packets to all ports but those added. */
void filter_negate_ports(struct filter_rule *rule);

/* Reads a rule of nft's. */
void filter_read_nft_rule(struct filter_rule *rule, const struct filter_words *words);

/* The flags named in a text, whatever separates them. */
uint8_t filter_flags(const char *text);

/* --- the way of packets --- */

struct filter_visitor {
    /* A rule that logs, accepts or drops (NULL: the chain's policy) gets the packets to `ports`, or
     * some of them. */
    void (*visit)(void *arg, const struct filter_chain *chain, const struct filter_rule *rule,
                  const struct port_set *ports, bool surely);
    void *arg;
};

/*
 * Sends packets of that kind to `ports` through the chain, which has `input`. What is left in
 * `ports` may go on to the next one.
 */
void filter_walk(const struct filter *filter, const struct filter_chain *chain,
                 enum filter_family family, enum filter_packet kind, struct port_set *ports,
                 const struct filter_visitor *visitor);

#endif
