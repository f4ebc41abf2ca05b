/* Remembers the last refusals of each address, for `knockctl why`. */
#include "keeper/refusal_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

enum { WAYS = 4, SETS = REFUSAL_LOG_MAX / WAYS };

struct refusal_log {
    uint8_t key[CRYPTO_KEY_SIZE];
    struct refusal items[SETS][WAYS];
};

struct refusal_log *refusal_log_new(const uint8_t key[16])
{
    struct refusal_log *log = calloc(1, sizeof(*log));
    if (log)
        memcpy(log->key, key, sizeof(log->key));
    return log;
}

void refusal_log_free(struct refusal_log *log)
{
    free(log);
}

static unsigned set_of(const struct refusal_log *log, const struct addr *address)
{
    return (unsigned)(crypto_keyed_hash(log->key, address, sizeof(*address)) % SETS);
}

const struct refusal *refusal_log_find(const struct refusal_log *log, const struct addr *address)
{
    const struct refusal *set = log->items[set_of(log, address)];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].address.family && addr_equal(&set[i].address, address))
            return &set[i];
    return NULL;
}

/* The address's own place, or the one to be replaced. */
static struct refusal *place_of(struct refusal_log *log, const struct addr *address)
{
    struct refusal *set = log->items[set_of(log, address)], *oldest = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (addr_equal(&set[i].address, address))
            return &set[i];
        if (set[i].time < oldest->time)
            oldest = &set[i];
    }
    return oldest;
}

bool refusal_log_note(struct refusal_log *log, const struct addr *address, const char *door,
                      const char *why, int64_t apart, int64_t now)
{
    struct refusal *place = place_of(log, address);
    if (!addr_equal(&place->address, address))
        *place = (struct refusal){.address = *address,
                                  .rate = limit_make(REFUSAL_RATE, REFUSAL_BURST, now)};
    snprintf(place->door, sizeof(place->door), "%s", door ? door : "");
    place->why = why;
    place->apart = apart;
    place->time = now;
    if (place->count < UINT32_MAX)
        place->count++;
    return limit_take(&place->rate, now);
}
