#include "listener/source_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "listener/links.h"

_Static_assert(sizeof(struct seen) == 10, "no padding");
_Static_assert(sizeof(struct run) == 32 && sizeof(struct peer) <= 1100, "records stay small");

/* Every record in use is in one of the first two lists, newest at the front. */
enum list { LIST_TOUCHED, LIST_MIDWAY, LIST_FREE, LISTS };

enum { MARKS_MANY = 255 };

struct source_table {
    uint8_t key[CRYPTO_KEY_SIZE];
    uint32_t max;
    uint32_t used; /* records from here on were never needed */
    uint32_t bucket_mask;
    uint8_t *marks;     /* how many records have each; MARKS_MANY stays. As many as buckets */
    uint32_t *buckets;  /* first record of each, plus one: calloc's zero is "none" */
    struct link *links; /* of the records, then the heads of the lists */
    struct peer *items;
};

static uint32_t number_of(const struct source_table *peers, const struct peer *peer)
{
    return (uint32_t)(peer - peers->items);
}

/* The record at the back of a list, or NULL. */
static struct peer *last_of(const struct source_table *peers, enum list list)
{
    uint32_t back = links_last(peers->links, peers->max + list);
    return back < peers->max ? &peers->items[back] : NULL;
}

struct source_table *source_table_new(unsigned max, const uint8_t key[16])
{
    assert(max > 0 && max < UINT32_MAX / 2);
    uint32_t buckets = 1;
    while (buckets < max)
        buckets *= 2;
    struct source_table *peers = calloc(1, sizeof(*peers));
    if (!peers)
        return NULL;
    peers->buckets = calloc(buckets, sizeof(*peers->buckets));
    peers->marks = calloc(buckets, sizeof(*peers->marks));
    peers->links = calloc((size_t)max + LISTS, sizeof(*peers->links));
    peers->items = calloc(max, sizeof(*peers->items));
    if (!peers->buckets || !peers->marks || !peers->links || !peers->items) {
        source_table_free(peers);
        return NULL;
    }
    memcpy(peers->key, key, sizeof(peers->key));
    peers->max = max;
    peers->bucket_mask = buckets - 1;
    for (uint32_t head = max; head < max + LISTS; head++)
        links_begin(peers->links, head);
    return peers;
}

void source_table_free(struct source_table *peers)
{
    if (!peers)
        return;
    free(peers->buckets);
    free(peers->marks);
    free(peers->links);
    free(peers->items);
    free(peers);
}

static uint32_t bucket_of(const struct source_table *peers, unsigned source,
                          const struct addr *address)
{
    uint8_t name[sizeof(*address) + 1];
    memcpy(name, address, sizeof(*address));
    name[sizeof(*address)] = (uint8_t)source;
    return (uint32_t)crypto_keyed_hash(peers->key, name, sizeof(name)) & peers->bucket_mask;
}

/*
 * A mark is no secret: who finds addresses of the same mark makes source_table_find look for all of
 * them, which every packet would do without marks.
 */
static uint32_t mark_of(const struct source_table *peers, unsigned source,
                        const struct addr *address)
{
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof(halves));
    uint64_t mark = (halves[0] ^ (halves[1] + source) * UINT64_C(0xff51afd7ed558ccd)) *
                    UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mark >> 32) & peers->bucket_mask;
}

static void add_mark(struct source_table *peers, uint32_t mark)
{
    if (peers->marks[mark] < MARKS_MANY)
        peers->marks[mark]++;
}

static void remove_mark(struct source_table *peers, uint32_t mark)
{
    if (peers->marks[mark] < MARKS_MANY)
        peers->marks[mark]--;
}

bool source_table_may_have(const struct source_table *peers, unsigned source,
                           const struct addr *address)
{
    return peers->marks[mark_of(peers, source, address)] > 0;
}

struct peer *source_table_find(const struct source_table *peers, unsigned source,
                               const struct addr *address)
{
    uint32_t place = peers->buckets[bucket_of(peers, source, address)];
    while (place != 0) {
        struct peer *peer = &peers->items[place - 1];
        if (peer->source == source && addr_equal(&peer->address, address))
            return peer;
        place = peer->chain;
    }
    return NULL;
}

void source_table_remove(struct source_table *peers, struct peer *peer)
{
    uint32_t node = number_of(peers, peer), *place = &peers->buckets[peer->bucket];
    while (*place != node + 1)
        place = &peers->items[*place - 1].chain;
    *place = peer->chain;
    remove_mark(peers, peer->mark);
    links_remove(peers->links, node);
    links_push(peers->links, peers->max + LIST_FREE, node);
}

static bool remove_dead(struct source_table *peers, int64_t alive_since)
{
    for (enum list list = LIST_TOUCHED; list <= LIST_MIDWAY; list++) {
        struct peer *peer = last_of(peers, list);
        if (peer && peer->touched < alive_since) {
            source_table_remove(peers, peer);
            return true;
        }
    }
    return false;
}

/* A record that is in no list and no bucket. Dead ones come before fresh memory. */
static uint32_t take_node(struct source_table *peers, int64_t alive_since, bool *evicted)
{
    *evicted = false;
    bool room = remove_dead(peers, alive_since) || last_of(peers, LIST_FREE);
    if (!room && peers->used < peers->max)
        return peers->used++;
    if (!room) {
        struct peer *touched = last_of(peers, LIST_TOUCHED);
        source_table_remove(peers, touched ? touched : last_of(peers, LIST_MIDWAY));
        *evicted = true;
    }
    uint32_t node = number_of(peers, last_of(peers, LIST_FREE));
    links_remove(peers->links, node);
    return node;
}

struct peer *source_table_add(struct source_table *peers, unsigned source,
                              const struct addr *address, int64_t alive_since, bool *evicted)
{
    uint32_t node = take_node(peers, alive_since, evicted);
    uint32_t bucket = bucket_of(peers, source, address);
    struct peer *peer = &peers->items[node];
    peer->address = *address;
    peer->source = (uint8_t)source;
    peer->midway = false;
    peer->count = peer->strict = 0;
    peer->touched = alive_since;
    peer->bucket = bucket;
    peer->mark = mark_of(peers, source, address);
    add_mark(peers, peer->mark);
    peer->chain = peers->buckets[bucket];
    peers->buckets[bucket] = node + 1;
    links_push(peers->links, peers->max + LIST_TOUCHED, node);
    return peer;
}

void source_table_touch(struct source_table *peers, struct peer *peer, int64_t now, bool midway)
{
    uint32_t node = number_of(peers, peer);
    links_remove(peers->links, node);
    links_push(peers->links, peers->max + (midway ? LIST_MIDWAY : LIST_TOUCHED), node);
    peer->touched = now;
    peer->midway = midway;
}

static struct run *run_at(struct peer *peer, unsigned age)
{
    return &peer->ring[(peer->newest + PEER_RUNS - age) % PEER_RUNS];
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
static unsigned count_alike(const struct peer *peer, const struct run *packet, unsigned most)
{
    unsigned count = 0;
    while (count < most && count < peer->strict) {
        const struct run *run = peer_run(peer, count);
        if (run->dst != packet->dst || memcmp(&run->seen, &packet->seen, sizeof(run->seen)) != 0)
            break;
        count++;
    }
    return count;
}

void peer_push(struct peer *peer, const struct run *packet, unsigned apart)
{
    if (count_alike(peer, packet, apart) == apart) {
        /* The oldest two of those that were apart become one; the others move up. */
        join_runs(run_at(peer, apart - 1), apart > 1 ? run_at(peer, apart - 2) : packet);
        for (unsigned age = apart - 1; age > 1; age--)
            *run_at(peer, age - 1) = *run_at(peer, age - 2);
        if (apart > 1)
            *run_at(peer, 0) = *packet;
        return;
    }
    peer->newest = (uint8_t)((peer->newest + 1) % PEER_RUNS);
    peer->ring[peer->newest] = *packet;
    if (peer->count < PEER_RUNS)
        peer->count++;
    if (peer->strict < PEER_RUNS)
        peer->strict++;
}

void peer_trim(struct peer *peer, int64_t alive_since)
{
    while (peer->count > 0) {
        const struct run *oldest = peer_run(peer, peer->count - 1u);
        if (oldest->seen.first && oldest->time >= alive_since)
            break;
        peer->count--;
    }
    if (peer->strict > peer->count)
        peer->strict = peer->count;
}

bool peer_has(const struct peer *peer, const struct run *packet)
{
    for (unsigned age = 0; age < peer->count; age++) {
        const struct run *run = peer_run(peer, age);
        for (unsigned i = 0; run_continues(run, packet) && i < run->port_count; i++)
            if (run->ports[i] == packet->ports[0])
                return true;
    }
    return false;
}
