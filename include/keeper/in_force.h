/*
 * Keys come into force by a start or a reload. A message that was refused before, since its key
 * wasn't in force, stays refused, whether knockd was reloaded or started again meanwhile; all
 * others of a new key are good at once. What must be known for that after a restart is in the
 * store: which keys were in force, and the time of the newest message of an unknown key; after a
 * crash that time isn't known, and new keys wait for max_skew.
 */
#ifndef KEEPER_IN_FORCE_H
#define KEEPER_IN_FORCE_H

#include "keeper/keyring.h"
#include "keeper/refused.h"
#include "keeper/store.h"

/* The clock as messages have it, and max_skew in s. */
struct in_force_time {
    uint64_t now;
    int64_t skew;
};

/* Puts the keys of a start in force. What can't be recorded is logged; until knockd ends it holds
 * all the same. */
void in_force_start(struct keyring *keyring, struct store *store, struct refused *refused,
                    struct in_force_time time);

/* Puts those of a reload in force in place of `old`, where max_skew was `old_skew` s. */
void in_force_reload(struct keyring *keyring, const struct keyring *old, int64_t old_skew,
                     struct store *store, const struct refused *refused, struct in_force_time time);

/* Records at the end what the next start has to know. */
void in_force_end(struct store *store, const struct refused *refused);

#endif
