/* Firewall rules made from a configuration, and how iptables-restore and nft read them. */
#ifndef KNOCKCTL_RULES_H
#define KNOCKCTL_RULES_H

#include <stdio.h>

#include "lib/config.h"
#include "lib/port_set.h"

/* Longest --log-prefix of iptables (xt_LOG.h: 30 bytes with NUL), longest --nflog-prefix
 * (xt_NFLOG.h: 64), longest prefix of nft (127). */
enum { PREFIX_MAX_IPTABLES = 29, PREFIX_MAX_NFLOG = 63, PREFIX_MAX_NFT = 127 };

enum rules_kind { RULES_IP4, RULES_IP6, RULES_NFT };

/* Where packets are logged to: the kernel's log, or (nflog) a group of NFLOG. */
struct rules_log {
    bool nflog;
    uint16_t group;
    char prefix[PREFIX_MAX_NFT + 1]; /* as it is to be logged */
};

struct rules {
    const char *path; /* of the configuration */
    struct rules_log logs[CONFIG_SOURCES_MAX];
    unsigned log_count; /* 0: nothing needs to be logged, since all that hears captures */
    bool captures;      /* a source of type pcap hears what no rule logs */
    struct port_set
        knocks;    /* ports of sequences and of sealed knocks; none where nothing is logged */
    uint16_t span; /* the first one of sealed knocks; 0: there are none */
    uint16_t packet_port;   /* UDP: takes sealed knocks in one packet, by NFLOG; 0: none, or one
                               that the span has */
    struct port_set doors;  /* ports that doors open */
    struct port_set input;  /* those of them that packets reach through INPUT */
    struct port_set accept; /* ports that stay open for everyone */
};

/*
 * Collects from `config` what the rules of that kind need, all but `accept`; `nflog`: those that
 * log to groups of NFLOG alone. What can't be had of it is told to `report`: errors (returns false)
 * if no rules can be made, warnings if a door won't work with them.
 */
bool rules_collect(const struct config *config, enum rules_kind kind, bool nflog, struct rules *out,
                   struct report *report);

/* ELSEWHERE: of another chain than INPUT. UNKNOWN: it isn't clear which ports it opens. */
enum rule_ports { RULE_ADDED, RULE_ELSEWHERE, RULE_UNKNOWN };

/*
 * Adds the ports that `rule` (the text of a door's `rule`; %PORT% and %PROTO% stand for `port`)
 * lets in at INPUT.
 */
enum rule_ports rules_add_door_rule(struct port_set *set, const char *rule, struct port_proto port);

/* What to do with the jumps from INPUT, which no chain's declaration empties. */
enum rules_jumps {
    JUMP_FIRST = 1, /* add the one to KNOCKD at the beginning */
    JUMP_LAST = 2,  /* add the one to KNOCKD-DENY at the end */
    JUMP_MOVED = 4, /* take away the latter first, which must be there */
};

/* For `iptables-restore --noflush` (RULES_IP4) or `ip6tables-restore --noflush` (RULES_IP6). */
void rules_print_iptables(FILE *out, const struct rules *rules, enum rules_kind kind,
                          unsigned jumps);

/* For `nft -f -`. */
void rules_print_nft(FILE *out, const struct rules *rules);

#endif
