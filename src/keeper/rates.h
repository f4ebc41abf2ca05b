/*
 * How often an address has opened a door lately. Pure, and of a fixed size: an entry that is needed
 * for another pair is taken over, so a flood of addresses can only make it forget.
 */
#ifndef KEEPER_RATES_H
#define KEEPER_RATES_H

#include "lib/config.h"
#include "lib/crypto.h"

enum { RATES_ENTRIES = 4096 };

struct rates {
    uint8_t key[CRYPTO_KEY_SIZE];
    struct rate_entry {
        uint64_t pair;  /* hash of door and address; 0: free */
        int64_t since;  /* ns: when its period began */
        unsigned count; /* openings in it */
    } entries[RATES_ENTRIES];
};

/* Forgets everything and takes a new random key. */
void rates_init(struct rates *rates);

/* Counts an opening at `now` (ns). False, not counted, when the door's rate doesn't allow it. */
bool rates_take(struct rates *rates, const struct config_door *door, const struct addr *address,
                int64_t now);

#endif
