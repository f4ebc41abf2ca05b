/*
 * Which keys may have made a message: a table by hint for each period of 128 s that a message's
 * time may lie in. It is made when the first message of its period comes, and then kept as long as
 * that period isn't stale, so ten thousand keys cost a few milliseconds every 128 s.
 */
#ifndef KEEPER_KEY_INDEX_H
#define KEEPER_KEY_INDEX_H

#include "lib/sealed.h"

enum { KEY_INDEX_MAX = 65535 };

struct key_index;

/*
 * For `count` keys, at most KEY_INDEX_MAX, which stay the caller's and in place, and for messages
 * whose time is at most `skew` s from the clock. NULL when memory is short.
 */
struct key_index *key_index_new(const struct sealed_key *keys, unsigned count, int64_t skew);
void key_index_free(struct key_index *index);

/* The keys whose messages around `time` have `hint`: *count entries, each for key_index_key(). */
const uint32_t *key_index_find(struct key_index *index, uint64_t time, uint16_t hint,
                               unsigned *count);

/* The number of the key that an entry stands for. */
static inline unsigned key_index_key(uint32_t entry)
{
    return entry & 0xffff;
}

#endif
