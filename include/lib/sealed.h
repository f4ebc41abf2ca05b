/*
 * Sealed knocks: who wants which door, encrypted and authenticated, good for once. The message is
 * the whole of what an observer can see; how it travels is lib/carrier.h's business. Pure.
 *
 *   0      2            8                     16 or 32           32 or 48
 *   +------+------------+---------------------+------------------+
 *   | hint | time 48 b  | request, sealed     | tag              |
 *   +------+------------+---------------------+------------------+
 *
 * Format: knock-protocol(7). Big-endian throughout.
 */
#ifndef LIB_SEALED_H
#define LIB_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

enum {
    SEALED_SHORT = 32, /* bytes of a message */
    SEALED_LONG = 48,  /* of one that names an address to open for */
    SEALED_SECRET_SIZE = 32,
    SEALED_ID_SIZE = 32,
    SEALED_DOOR_SIZE = 3,
    SEALED_SERVER_MAX = 64,
    SEALED_HINT_PERIOD = 128, /* seconds that a hint is good for */
};

/* The last time that a message can say: in the year 2106. */
#define SEALED_TIME_MAX ((UINT64_C(1) << 48) - 1)

enum sealed_op { SEALED_OPEN = 1, SEALED_CLOSE = 2 };

/* What follows from a secret and the server's name. As secret as the secret itself, but for id. */
struct sealed_key {
    uint8_t id[SEALED_ID_SIZE]; /* H(no key, secret): names the key without telling it */
    uint8_t seal[SEALED_SECRET_SIZE];
    uint8_t hint[SEALED_SECRET_SIZE];
};

struct sealed_request {
    uint8_t op; /* enum sealed_op; others are the caller's to refuse */
    uint8_t door[SEALED_DOOR_SIZE];
    uint16_t seconds;    /* 0: the door's own time */
    uint16_t port;       /* 0: the door's own */
    struct addr address; /* to open for; family 0: whoever sent it, and the message is short */
};

/* `server` has 1 to SEALED_SERVER_MAX bytes. */
void sealed_key_derive(const uint8_t secret[SEALED_SECRET_SIZE], const char *server,
                       struct sealed_key *out);

/* The three bytes by which a request names the door called `name`. */
void sealed_door(const char *name, uint8_t out[SEALED_DOOR_SIZE]);

/* Seconds since 1970 and nanoseconds (0 to 999,999,999) as a message's time: seconds << 16 |
 * 1/65536 s; a time that doesn't fit becomes the nearest that does. */
uint64_t sealed_time(int64_t seconds, int32_t nanoseconds);

/* The later of two such times. */
static inline uint64_t sealed_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The hint of the messages that `key` makes around `time`. */
uint16_t sealed_hint(const struct sealed_key *key, uint64_t time);

/*
 * Seals `request` into `out` and returns the message's length. `bound`: the only source that it is
 * good from, as the server sees it, never ::; NULL: from anywhere. No time may ever be used twice
 * with a key: the same nonce for two requests would let others forge more.
 */
size_t sealed_make(const struct sealed_key *key, uint64_t time, const struct addr *bound,
                   const struct sealed_request *request, uint8_t out[SEALED_LONG]);

/* What a message says for anyone to read. */
uint16_t sealed_message_hint(const uint8_t *message);
uint64_t sealed_message_time(const uint8_t *message);

/*
 * Opens a message of `len` bytes that came from `source`, or one that isn't bound (NULL). False
 * when `key` didn't seal it so, and *out untouched; also from the source ::, whose bytes say
 * unbound. An IPv4 address that is written as IPv6 comes out as IPv4. The time is the caller's to
 * judge, and whether the hint is that of its period: the key found by it says so.
 */
bool sealed_open(const struct sealed_key *key, const uint8_t *message, size_t len,
                 const struct addr *source, struct sealed_request *out);

#endif
