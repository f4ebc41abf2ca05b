/* Whether an address translator must stand between two addresses. Pure. */
#ifndef KNOCK_NAT_H
#define KNOCK_NAT_H

#include <stdbool.h>

#include "lib/addr.h"

/*
 * Whether packets from `own` can reach `target` only with another source address: `own` is of a
 * smaller scope, or a translator to IPv4 is the target. False also where that isn't known.
 */
bool nat_between(const struct addr *own, const struct addr *target);

/* The family, 4 or 6, of the addresses that the host at `target` sees: a translator to IPv4 changes
 * it. */
uint8_t nat_seen_family(const struct addr *target);

#endif
