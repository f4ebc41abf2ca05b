/*
 * The groups of NFLOG that a configuration hears. Only one socket may have a group at a time, so
 * they belong to the configuration, not to its listeners: one that dies leaves its group bound for
 * the next, and a reload takes over those that the configuration before had.
 */
#ifndef KEEPER_NFLOG_GROUPS_H
#define KEEPER_NFLOG_GROUPS_H

#include "lib/config.h"

struct nflog_groups {
    unsigned count;
    struct {
        unsigned group;
        int fd; /* bound to it */
    } bound[CONFIG_SOURCES_MAX];
};

/*
 * Binds the groups of `config`'s sources; those that `before` (NULL: there are none) has are shared
 * with it: either may be closed first. False after the errors were reported; then none is open.
 */
bool nflog_groups_open(struct nflog_groups *groups, const struct config *config,
                       const struct nflog_groups *before, struct report *report);
void nflog_groups_close(struct nflog_groups *groups);

/* The socket of `group`, or -1; it stays theirs. */
int nflog_groups_find(const struct nflog_groups *groups, unsigned group);

#endif
