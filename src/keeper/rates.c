/* Counts the openings of each pair of door and address, for a period that begins with the first. */
#include "keeper/rates.h"

#include <string.h>

void rates_init(struct rates *rates)
{
    memset(rates, 0, sizeof(*rates));
    crypto_random(rates->key, sizeof(rates->key));
}

static uint64_t hash_pair(const struct rates *rates, const char *door, const struct addr *address)
{
    struct {
        struct addr address;
        char door[CONFIG_NAME_MAX + 1];
    } pair = {.address = *address};
    memcpy(pair.door, door, strnlen(door, CONFIG_NAME_MAX));
    uint64_t hash = crypto_keyed_hash(rates->key, &pair, sizeof(pair));
    return hash ? hash : 1;
}

bool rates_take(struct rates *rates, const struct config_door *door, const struct addr *address,
                int64_t now)
{
    if (door->rate.count == 0)
        return true;
    uint64_t pair = hash_pair(rates, door->name, address);
    struct rate_entry *entry = &rates->entries[pair % RATES_ENTRIES];
    if (entry->pair != pair || now - entry->since >= door->rate.period)
        *entry = (struct rate_entry){.pair = pair, .since = now};
    if (entry->count >= door->rate.count)
        return false;
    entry->count++;
    return true;
}
