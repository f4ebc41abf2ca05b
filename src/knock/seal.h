/* Making the messages of a sealed knock, each with a time that was never used before. */
#ifndef KNOCK_SEAL_H
#define KNOCK_SEAL_H

#include "knock/last_time.h"
#include "knock/profile.h"
#include "lib/sealed.h"

struct seal {
    struct sealed_key *key; /* crypto_alloc() */
    struct last_time last;
    struct sealed_request request;
};

/*
 * Reads the profile's key file. False, reported already, when that fails; the caller calls
 * seal_close() either way.
 */
bool seal_open(struct seal *seal, const struct profile *profile, enum sealed_op op);

/* Waits until no other process knocks with this key, or `until` (clock_now()). False, reported
 * already, when none may. */
bool seal_lock(struct seal *seal, int64_t until);

/* Makes the next message after seal_lock(), bound to `bound` (family 0: to no address), and returns
 * its length; 0, reported already, when it can't have a time. */
size_t seal_make(struct seal *seal, const struct addr *bound, uint8_t out[SEALED_LONG]);

/* Makes one that only looks so, sealed by nobody's key: it uses no time up, and is worth nothing to
 * anybody who sees it. */
size_t seal_sample(const struct seal *seal, const struct addr *bound, uint8_t out[SEALED_LONG]);

void seal_close(struct seal *seal);

#endif
