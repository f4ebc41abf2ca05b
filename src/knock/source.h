/* Where a knock comes from: which of this machine's addresses and interfaces its packets leave by,
 * and which address it is bound to. */
#ifndef KNOCK_SOURCE_H
#define KNOCK_SOURCE_H

#include "knock/profile.h"
#include "knock/target.h"

enum source_informant { LEARNED_FROM_NOBODY, LEARNED_FROM_STUN, LEARNED_FROM_COMMAND };

struct source {
    struct knock_target own; /* that the packets leave from, port 0; length 0: the kernel chooses */
    const char *interface;   /* that they leave by, the profile's; NULL: the kernel chooses */
    struct addr bound;       /* as the server sees it; family 0: not bound */
    enum source_informant learned_from; /* whom that address is from */
    char binding[400];                  /* what a sealed knock is bound to, and why, for -v */
};

/* Finds the source that `profile` asks for, but binds it only to an address that the profile gives.
 * False, reported already, when there is none. */
bool source_choose(const struct profile *profile, const struct knock_target *target,
                   struct source *out);

/*
 * Makes a non-blocking socket of `type` for packets to `target` by the source's interface. It has
 * no address yet. Returns the descriptor, which the caller closes; -1 with errno.
 */
int source_socket(const struct source *source, const struct knock_target *target, int type);

/* The same, at the source's address; its port is chosen when it sends. */
int source_bound_socket(const struct source *source, const struct knock_target *target, int type);

#endif
