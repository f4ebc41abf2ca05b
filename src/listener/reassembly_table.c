/* Remembers the fragments that came in, and evicts entries when it is full. */
#include "listener/reassembly_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "listener/links.h"

_Static_assert(sizeof(struct reassembly_entry_name) == sizeof(struct addr) + 5,
               "names have no padding");
_Static_assert(sizeof(struct reassembly_entry) <= 256 && CARRIER_SLOTS_MAX < 64,
               "entries stay small");

/*
 * Every entry is either in the list of those with as many slots, the newest there in front, and in
 * the list of all by age; or in the free list, which is the first list beyond them.
 */
enum { RANKS = CARRIER_SLOTS_MAX + 1, RANK_FREE = RANKS, RANK_LISTS };

struct reassembly_table {
    uint8_t key[CRYPTO_KEY_SIZE];
    uint32_t max;
    uint32_t used; /* entries from here on were never needed */
    uint32_t bucket_mask;
    uint32_t *buckets;  /* first entry of each, plus one: calloc's zero is "none" */
    struct link *ranks; /* of the entries, then the heads */
    struct link *ages;  /* likewise; one head */
    uint64_t ranked;    /* a bit for each of the first RANKS lists that isn't empty */
    struct reassembly_entry *items;
};

static uint32_t number_of(const struct reassembly_table *table,
                          const struct reassembly_entry *entry)
{
    return (uint32_t)(entry - table->items);
}

struct reassembly_table *reassembly_table_new(unsigned max, const uint8_t key[16])
{
    assert(max > 1 && max < UINT32_MAX / 2);
    uint32_t buckets = 1;
    while (buckets < max)
        buckets *= 2;
    struct reassembly_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->buckets = calloc(buckets, sizeof(*table->buckets));
    table->ranks = calloc((size_t)max + RANK_LISTS, sizeof(*table->ranks));
    table->ages = calloc((size_t)max + 1, sizeof(*table->ages));
    table->items = calloc(max, sizeof(*table->items));
    if (!table->buckets || !table->ranks || !table->ages || !table->items) {
        reassembly_table_free(table);
        return NULL;
    }
    memcpy(table->key, key, sizeof(table->key));
    table->max = max;
    table->bucket_mask = buckets - 1;
    for (uint32_t head = max; head < max + RANK_LISTS; head++)
        links_begin(table->ranks, head);
    links_begin(table->ages, max);
    return table;
}

void reassembly_table_free(struct reassembly_table *table)
{
    if (!table)
        return;
    free(table->buckets);
    free(table->ranks);
    free(table->ages);
    free(table->items);
    free(table);
}

static void leave_rank(struct reassembly_table *table, uint32_t node)
{
    uint32_t head = table->max + table->items[node].count;
    links_remove(table->ranks, node);
    if (links_last(table->ranks, head) == head)
        table->ranked &= ~(UINT64_C(1) << table->items[node].count);
}

static void enter_rank(struct reassembly_table *table, uint32_t node)
{
    links_push(table->ranks, table->max + table->items[node].count, node);
    table->ranked |= UINT64_C(1) << table->items[node].count;
}

static void remove_node(struct reassembly_table *table, uint32_t node)
{
    uint32_t *place = &table->buckets[table->items[node].bucket];
    while (*place != node + 1)
        place = &table->items[*place - 1].chain;
    *place = table->items[node].chain;
    leave_rank(table, node);
    links_remove(table->ages, node);
    links_push(table->ranks, table->max + RANK_FREE, node);
}

static bool is_over(const struct reassembly_entry *entry, int64_t now)
{
    return now - entry->since >= REASSEMBLY_LIFE;
}

static bool remove_oldest_if_over(struct reassembly_table *table, int64_t now)
{
    uint32_t oldest = links_last(table->ages, table->max);
    if (oldest == table->max || !is_over(&table->items[oldest], now))
        return false;
    remove_node(table, oldest);
    return true;
}

static bool is_young(const struct reassembly_entry *entry, int64_t now)
{
    return now - entry->since < REASSEMBLY_YOUNG;
}

/* The entry that is evicted for a new one. Of those with as many slots, the last one alone is
 * looked at: to have a young one stand last everywhere, an attacker has to outrun the whole list.
 */
static uint32_t weakest(const struct reassembly_table *table, int64_t now,
                        const struct reassembly_entry *keep)
{
    uint32_t kept = keep ? number_of(table, keep) : UINT32_MAX, first = kept;
    for (uint64_t ranked = table->ranked; ranked; ranked &= ranked - 1) {
        uint32_t head = table->max + (uint32_t)__builtin_ctzll(ranked);
        uint32_t node = links_last(table->ranks, head);
        if (node == kept)
            node = table->ranks[node].prev;
        if (node == head)
            continue;
        if (!is_young(&table->items[node], now))
            return node;
        first = first == kept ? node : first;
    }
    return first;
}

/* An entry that is in no list and no bucket. Those that are over come before fresh memory. */
static uint32_t take_node(struct reassembly_table *table, int64_t now,
                          const struct reassembly_entry *keep, bool *evicted)
{
    uint32_t head = table->max + RANK_FREE;
    bool room = remove_oldest_if_over(table, now) || links_last(table->ranks, head) != head;
    if (!room && table->used < table->max)
        return table->used++;
    if (!room)
        remove_node(table, weakest(table, now, keep));
    *evicted = !room;
    uint32_t node = links_last(table->ranks, head);
    links_remove(table->ranks, node);
    return node;
}

static uint32_t bucket_of(const struct reassembly_table *table,
                          const struct reassembly_entry_name *name)
{
    return (uint32_t)crypto_keyed_hash(table->key, name, sizeof(*name)) & table->bucket_mask;
}

static struct reassembly_entry *find_in(struct reassembly_table *table, uint32_t bucket,
                                        const struct reassembly_entry_name *name, int64_t now)
{
    for (uint32_t place = table->buckets[bucket]; place != 0;) {
        struct reassembly_entry *found = &table->items[place - 1];
        place = found->chain;
        if (memcmp(&found->name, name, sizeof(*name)) != 0)
            continue;
        if (!is_over(found, now))
            return found;
        remove_node(table, number_of(table, found));
        break;
    }
    return NULL;
}

struct reassembly_entry *reassembly_table_find(struct reassembly_table *table,
                                               const struct reassembly_entry_name *name,
                                               int64_t now)
{
    return find_in(table, bucket_of(table, name), name, now);
}

struct reassembly_entry *reassembly_table_get(struct reassembly_table *table,
                                              const struct reassembly_entry_name *name, int64_t now,
                                              const struct reassembly_entry *keep, bool *evicted)
{
    uint32_t bucket = bucket_of(table, name);
    struct reassembly_entry *entry = find_in(table, bucket, name, now);
    *evicted = false;
    if (entry)
        return entry;
    uint32_t node = take_node(table, now, keep, evicted);
    entry = &table->items[node];
    entry->since = now;
    entry->agreeing = 0;
    entry->name = *name;
    entry->handed = entry->inconsistent = entry->count = 0;
    entry->bucket = bucket;
    entry->chain = table->buckets[bucket];
    table->buckets[bucket] = node + 1;
    enter_rank(table, node);
    links_push(table->ages, table->max, node);
    return entry;
}

void reassembly_table_grow(struct reassembly_table *table, struct reassembly_entry *entry)
{
    uint32_t node = number_of(table, entry);
    assert(entry->count < CARRIER_SLOTS_MAX);
    leave_rank(table, node);
    entry->count++;
    enter_rank(table, node);
}

void reassembly_table_shrink(struct reassembly_table *table, struct reassembly_entry *entry)
{
    uint32_t node = number_of(table, entry);
    assert(entry->count > 0);
    leave_rank(table, node);
    entry->count--;
    enter_rank(table, node);
    if (entry->count == 0)
        remove_node(table, node);
}
