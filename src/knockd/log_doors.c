/*
 * The doors of a replay: a hash table with linear probing. No entry is removed by itself: when the
 * table is half full, a new one is made of the doors that are still open, twice as large if they
 * are many. It grows with the log and no further: an entry takes less room than the line that made
 * it.
 */
#include "knockd/log_doors.h"

#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

enum { SMALLEST = 256 };

struct entry {
    int64_t until;
    struct addr address; /* family 0: empty */
    uint32_t door;
};

struct log_doors {
    uint8_t key[CRYPTO_KEY_SIZE];
    struct entry *entries;
    size_t size; /* a power of two */
    size_t used;
};

struct log_doors *log_doors_new(void)
{
    struct log_doors *doors = calloc(1, sizeof(*doors));
    if (!doors)
        return NULL;
    /* Strangers choose the addresses: the key keeps them from choosing places in the table. */
    crypto_random(doors->key, sizeof(doors->key));
    doors->size = SMALLEST;
    doors->entries = calloc(doors->size, sizeof(*doors->entries));
    if (doors->entries)
        return doors;
    free(doors);
    return NULL;
}

void log_doors_free(struct log_doors *doors)
{
    if (!doors)
        return;
    free(doors->entries);
    free(doors);
}

void log_doors_clear(struct log_doors *doors)
{
    memset(doors->entries, 0, doors->size * sizeof(*doors->entries));
    doors->used = 0;
}

/* The entry of (door, address), or the empty one that is for it. */
static struct entry *find_entry(const struct log_doors *doors, unsigned door,
                                const struct addr *address)
{
    uint8_t name[sizeof(*address) + sizeof(door)];
    memcpy(name, address, sizeof(*address));
    memcpy(name + sizeof(*address), &door, sizeof(door));
    size_t at = crypto_keyed_hash(doors->key, name, sizeof(name)) & (doors->size - 1);
    struct entry *entry = &doors->entries[at];
    while (entry->address.family != 0 &&
           (entry->door != door || !addr_equal(&entry->address, address))) {
        at = (at + 1) & (doors->size - 1);
        entry = &doors->entries[at];
    }
    return entry;
}

static bool rebuild(struct log_doors *doors, int64_t now)
{
    struct entry *old = doors->entries, *old_end = old + doors->size;
    size_t open = 0;
    for (const struct entry *entry = old; entry < old_end; entry++)
        open += entry->address.family != 0 && entry->until > now;
    size_t size = open > doors->size / 4 ? 2 * doors->size : doors->size;
    struct entry *entries = calloc(size, sizeof(*entries));
    if (!entries)
        return false;
    doors->entries = entries;
    doors->size = size;
    doors->used = open;
    for (const struct entry *entry = old; entry < old_end; entry++)
        if (entry->address.family != 0 && entry->until > now)
            *find_entry(doors, entry->door, &entry->address) = *entry;
    free(old);
    return true;
}

enum log_knock log_doors_knock(struct log_doors *doors, unsigned door, const struct addr *address,
                               int64_t now, int64_t until)
{
    if (doors->used >= doors->size / 2 && !rebuild(doors, now))
        return LOG_KNOCK_NO_MEMORY;
    struct entry *entry = find_entry(doors, door, address);
    bool is_new = entry->address.family == 0;
    bool open = !is_new && entry->until > now;
    doors->used += is_new;
    *entry = (struct entry){.until = until, .address = *address, .door = door};
    return open ? LOG_KNOCK_EXTEND : LOG_KNOCK_OPEN;
}
