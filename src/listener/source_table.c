/* Remembers the last runs of packets of each address, and evicts addresses when it is full. */
#include "listener/source_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "listener/links.h"

_Static_assert(sizeof(struct packet_key) == 10, "no padding");
_Static_assert(sizeof(struct run) == 32 && sizeof(struct source_entry) <= 1100,
               "entries stay small");

/* Every entry in use is in one of the first two lists, newest at the front. */
enum list { LIST_TOUCHED, LIST_IN_PROGRESS, LIST_FREE, LISTS };

enum { MARKS_MANY = 255 };

struct source_table {
    uint8_t key[CRYPTO_KEY_SIZE];
    uint32_t max;
    uint32_t used; /* entries from here on were never needed */
    uint32_t bucket_mask;
    uint8_t *marks; /* a counting filter: how many entries have each mark; MARKS_MANY stays. As many
                       marks as buckets */
    uint32_t *buckets;  /* first entry of each, plus one: calloc's zero is "none" */
    struct link *links; /* of the entries, then the heads of the lists */
    struct source_entry *items;
};

static uint32_t number_of(const struct source_table *table, const struct source_entry *entry)
{
    return (uint32_t)(entry - table->items);
}

/* The entry at the back of a list, or NULL. */
static struct source_entry *last_of(const struct source_table *table, enum list list)
{
    uint32_t back = links_last(table->links, table->max + list);
    return back < table->max ? &table->items[back] : NULL;
}

struct source_table *source_table_new(unsigned max, const uint8_t key[16])
{
    assert(max > 0 && max < UINT32_MAX / 2);
    uint32_t buckets = 1;
    while (buckets < max)
        buckets *= 2;
    struct source_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->buckets = calloc(buckets, sizeof(*table->buckets));
    table->marks = calloc(buckets, sizeof(*table->marks));
    table->links = calloc((size_t)max + LISTS, sizeof(*table->links));
    table->items = calloc(max, sizeof(*table->items));
    if (!table->buckets || !table->marks || !table->links || !table->items) {
        source_table_free(table);
        return NULL;
    }
    memcpy(table->key, key, sizeof(table->key));
    table->max = max;
    table->bucket_mask = buckets - 1;
    for (uint32_t head = max; head < max + LISTS; head++)
        links_begin(table->links, head);
    return table;
}

void source_table_free(struct source_table *table)
{
    if (!table)
        return;
    free(table->buckets);
    free(table->marks);
    free(table->links);
    free(table->items);
    free(table);
}

static uint32_t bucket_of(const struct source_table *table, unsigned source,
                          const struct addr *address)
{
    uint8_t name[sizeof(*address) + 1];
    memcpy(name, address, sizeof(*address));
    name[sizeof(*address)] = (uint8_t)source;
    return (uint32_t)crypto_keyed_hash(table->key, name, sizeof(name)) & table->bucket_mask;
}

/*
 * A mark is no secret: an attacker who finds addresses of the same mark makes source_table_find
 * look for all of them, which every packet would do without the filter.
 */
static uint32_t mark_of(const struct source_table *table, unsigned source,
                        const struct addr *address)
{
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof(halves));
    uint64_t mark = (halves[0] ^ (halves[1] + source) * UINT64_C(0xff51afd7ed558ccd)) *
                    UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mark >> 32) & table->bucket_mask;
}

static void add_mark(struct source_table *table, uint32_t mark)
{
    if (table->marks[mark] < MARKS_MANY)
        table->marks[mark]++;
}

static void remove_mark(struct source_table *table, uint32_t mark)
{
    if (table->marks[mark] < MARKS_MANY)
        table->marks[mark]--;
}

bool source_table_may_have(const struct source_table *table, unsigned source,
                           const struct addr *address)
{
    return table->marks[mark_of(table, source, address)] > 0;
}

struct source_entry *source_table_find(const struct source_table *table, unsigned source,
                                       const struct addr *address)
{
    uint32_t place = table->buckets[bucket_of(table, source, address)];
    while (place != 0) {
        struct source_entry *entry = &table->items[place - 1];
        if (entry->source == source && addr_equal(&entry->address, address))
            return entry;
        place = entry->chain;
    }
    return NULL;
}

void source_table_remove(struct source_table *table, struct source_entry *entry)
{
    uint32_t node = number_of(table, entry), *place = &table->buckets[entry->bucket];
    while (*place != node + 1)
        place = &table->items[*place - 1].chain;
    *place = entry->chain;
    remove_mark(table, entry->mark);
    links_remove(table->links, node);
    links_push(table->links, table->max + LIST_FREE, node);
}

static bool remove_dead(struct source_table *table, int64_t alive_since)
{
    for (enum list list = LIST_TOUCHED; list <= LIST_IN_PROGRESS; list++) {
        struct source_entry *entry = last_of(table, list);
        if (entry && entry->touched < alive_since) {
            source_table_remove(table, entry);
            return true;
        }
    }
    return false;
}

/* An entry that is in no list and no bucket. Dead ones come before fresh memory. */
static uint32_t take_node(struct source_table *table, int64_t alive_since, bool *evicted)
{
    *evicted = false;
    bool room = remove_dead(table, alive_since) || last_of(table, LIST_FREE);
    if (!room && table->used < table->max)
        return table->used++;
    if (!room) {
        struct source_entry *touched = last_of(table, LIST_TOUCHED);
        source_table_remove(table, touched ? touched : last_of(table, LIST_IN_PROGRESS));
        *evicted = true;
    }
    uint32_t node = number_of(table, last_of(table, LIST_FREE));
    links_remove(table->links, node);
    return node;
}

struct source_entry *source_table_add(struct source_table *table, unsigned source,
                                      const struct addr *address, int64_t alive_since,
                                      bool *evicted)
{
    uint32_t node = take_node(table, alive_since, evicted);
    uint32_t bucket = bucket_of(table, source, address);
    struct source_entry *entry = &table->items[node];
    entry->address = *address;
    entry->source = (uint8_t)source;
    entry->in_progress = false;
    entry->count = entry->since_gap = 0;
    entry->touched = alive_since;
    entry->bucket = bucket;
    entry->mark = mark_of(table, source, address);
    add_mark(table, entry->mark);
    entry->chain = table->buckets[bucket];
    table->buckets[bucket] = node + 1;
    links_push(table->links, table->max + LIST_TOUCHED, node);
    return entry;
}

void source_table_touch(struct source_table *table, struct source_entry *entry, int64_t now,
                        bool in_progress)
{
    uint32_t node = number_of(table, entry);
    links_remove(table->links, node);
    links_push(table->links, table->max + (in_progress ? LIST_IN_PROGRESS : LIST_TOUCHED), node);
    entry->touched = now;
    entry->in_progress = in_progress;
}

static struct run *run_at(struct source_entry *entry, unsigned age)
{
    return &entry->ring[(entry->newest + SOURCE_RUNS - age) % SOURCE_RUNS];
}

/* The later run becomes a part of the earlier one. */
static void join_runs(struct run *run, const struct run *later)
{
    unsigned count = run->count + later->count;
    run->count = (uint8_t)(count < RUN_PACKETS_MAX ? count : RUN_PACKETS_MAX);
    run->time = later->time;
    for (unsigned i = 0; i < later->port_count; i++) {
        if (run->port_count == RUN_PORTS)
            memmove(run->ports, run->ports + 1, --run->port_count * sizeof(*run->ports));
        run->ports[run->port_count++] = later->ports[i];
    }
}

/* How many of the newest runs since the last gap are like `packet`, `most` at most. */
static unsigned count_alike(const struct source_entry *entry, const struct run *packet,
                            unsigned most)
{
    unsigned count = 0;
    while (count < most && count < entry->since_gap) {
        const struct run *run = source_entry_run(entry, count);
        if (run->dst != packet->dst || memcmp(&run->key, &packet->key, sizeof(run->key)) != 0)
            break;
        count++;
    }
    return count;
}

void source_entry_push(struct source_entry *entry, const struct run *packet, unsigned apart)
{
    if (count_alike(entry, packet, apart) == apart) {
        /* The oldest two of those that were apart become one; the others move up. */
        join_runs(run_at(entry, apart - 1), apart > 1 ? run_at(entry, apart - 2) : packet);
        for (unsigned age = apart - 1; age > 1; age--)
            *run_at(entry, age - 1) = *run_at(entry, age - 2);
        if (apart > 1)
            *run_at(entry, 0) = *packet;
        return;
    }
    entry->newest = (uint8_t)((entry->newest + 1) % SOURCE_RUNS);
    entry->ring[entry->newest] = *packet;
    if (entry->count < SOURCE_RUNS)
        entry->count++;
    if (entry->since_gap < SOURCE_RUNS)
        entry->since_gap++;
}

void source_entry_trim(struct source_entry *entry, int64_t alive_since)
{
    while (entry->count > 0) {
        const struct run *oldest = source_entry_run(entry, entry->count - 1u);
        if (oldest->key.first && oldest->time >= alive_since)
            break;
        entry->count--;
    }
    if (entry->since_gap > entry->count)
        entry->since_gap = entry->count;
}

bool source_entry_has(const struct source_entry *entry, const struct run *packet, unsigned from)
{
    for (unsigned age = from; age < entry->count; age++) {
        const struct run *run = source_entry_run(entry, age);
        for (unsigned i = 0; run_continues(run, packet) && i < run->port_count; i++)
            if (run->ports[i] == packet->ports[0])
                return true;
    }
    return false;
}
