/*
 * Addresses that broke knocks, and those that aren't listened to for a while because they broke
 * too many. Pure but for the table, which is allocated once.
 *
 * The table is bounded as a processor's cache is: a keyed hash assigns an address to a row of 16
 * places. When all are taken, the least is forgotten: a knock that only began before failures that
 * were counted, these before a penalty; among equals the oldest. So a flood of first steps pushes
 * out no penalty, and only penalties push out penalties.
 */
#ifndef LISTENER_PENALTY_H
#define LISTENER_PENALTY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/sequence.h"

/* `max_failures` (1 or more) broken knocks within `window` ns make an address deaf for `length`. */
struct penalty_rule {
    unsigned max_failures;
    int64_t window;
    int64_t length;
};

/* An address that took a step of a knock. Times in ns. */
struct suspect {
    struct addr address; /* family 0: the place is free */
    bool under_way;      /* a knock; the rest is said of its */
    uint8_t source;      /* the log that it is in */
    struct step step;    /* its last one */
    uint32_t gaps;       /* of that log, when the step was taken */
    int64_t until;       /* when it is over */
    int64_t touched;
    int64_t deaf_until; /* as soon as this is reached, it is heard again */
    uint32_t failures;  /* since the last penalty or opening, max_failures at most */
    uint32_t oldest;    /* of their times, in a ring */
};

struct penalty_counters {
    uint64_t penalised;  /* penalties so far */
    uint64_t ignored;    /* packets of deaf addresses, counted by who ignores them */
    uint64_t evicted;    /* addresses whose failures or penalty were forgotten before their time */
    uint64_t overlooked; /* whose knocks that were under way were */
};

struct penalties;

/* A table for `max` addresses, in rows of 16, its hash keyed with `key`. NULL and errno on error.
 */
struct penalties *penalties_new(const struct penalty_rule *rule, unsigned max,
                                const uint8_t key[16]);
void penalties_free(struct penalties *penalties);

/* The record of an address; NULL: nothing is known of it. */
struct suspect *penalties_find(const struct penalties *penalties, const struct addr *address);

/* An empty record for an address that has none. */
struct suspect *penalties_add(struct penalties *penalties, const struct addr *address, int64_t now);

/* Counts a knock that broke at `when`; no earlier one broke later. True: that makes it deaf. */
bool penalties_fail(struct penalties *penalties, struct suspect *suspect, int64_t when);

/* How many of its failures still count at `now`. */
unsigned penalties_failures(const struct penalties *penalties, const struct suspect *suspect,
                            int64_t now);

/* The address opened a door: what it broke on the way was no guessing. */
void penalties_forgive(struct suspect *suspect);

struct penalty_counters *penalties_counters(struct penalties *penalties);

#endif
