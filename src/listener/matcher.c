#include "listener/matcher.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/keyed.h"
#include "listener/match_index.h"
#include "listener/peers.h"

struct matcher {
    struct match_door *doors;
    unsigned door_count;
    int64_t longest; /* timeout of all doors: what is older serves nobody */
    struct match_index *index;
    struct peers *peers;
    uint8_t key[KEYED_KEY_SIZE];
    uint16_t span;                  /* of sealed knocks; 0: there are none */
    uint32_t epochs[MATCH_SOURCES]; /* gaps of each source so far */
    struct matcher_counters counters;
};

static bool copy_doors(struct matcher *m, const struct match_door *doors, unsigned count)
{
    m->doors = calloc((size_t)count + 1, sizeof(*m->doors));
    if (!m->doors)
        return false;
    m->door_count = count;
    for (unsigned i = 0; i < count; i++) {
        m->doors[i] = doors[i];
        if (doors[i].sequence.count > 0 && doors[i].timeout > m->longest)
            m->longest = doors[i].timeout;
    }
    return true;
}

struct matcher *matcher_new(const struct match_door *doors, unsigned count, unsigned max_sources,
                            const uint8_t key[16])
{
    struct matcher *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    memcpy(m->key, key, sizeof(m->key));
    m->index = match_index_new(doors, count);
    m->peers = peers_new(max_sources, key);
    if (!copy_doors(m, doors, count) || !m->index || !m->peers) {
        matcher_free(m);
        return NULL;
    }
    return m;
}

void matcher_free(struct matcher *m)
{
    if (!m)
        return;
    match_index_free(m->index);
    peers_free(m->peers);
    free(m->doors);
    free(m);
}

void matcher_set_span(struct matcher *m, uint16_t span)
{
    m->span = span;
}

static bool is_group(const struct packet *packet)
{
    return packet->link_group || addr_is_group(&packet->dst) || addr_is_group(&packet->src) ||
           addr_is_unspecified(&packet->src);
}

/* What no door would see: such packets are neither steps nor strays and leave no trace. */
static enum match_verdict judge(const struct matcher *m, const struct packet *packet)
{
    if (packet->in_len == 0)
        return MATCH_OUTGOING;
    if (is_group(packet))
        return MATCH_GROUP;
    if ((packet->proto != IPPROTO_TCP && packet->proto != IPPROTO_UDP) || !packet->has_ports)
        return MATCH_PROTOCOL;
    if (m->span && carrier_has(m->span, (uint8_t)packet->proto, packet->dpt))
        return MATCH_SEALED;
    if (packet->proto == IPPROTO_TCP && !match_index_flags(m->index, packet->flags))
        return MATCH_FLAGS;
    return MATCH_SEEN;
}

/*
 * The verdict on a packet as far as it needs neither time nor record. Nearly all packets of a log
 * end here: MATCH_SEEN is for those that may be a step, or a stray of an address that is known.
 */
static enum match_verdict glance(const struct matcher *m, unsigned source,
                                 const struct packet *packet)
{
    enum match_verdict verdict = judge(m, packet);
    if (verdict == MATCH_SEEN && !match_index_concerns(m->index, packet) &&
        !peers_may_have(m->peers, source, &packet->src))
        return MATCH_IDLE;
    return verdict;
}

bool matcher_is_sealed(const struct matcher *m, const struct packet *packet)
{
    return m->span && judge(m, packet) == MATCH_SEALED;
}

static bool is_step(struct step step, const struct seen *seen)
{
    return step.port == seen->dpt && step.proto == seen->proto;
}

/* A port of `ignore`, unless it is a step as well: then packets to it are meant as knocks. */
static bool is_ignored(const struct match_door *door, const struct seen *seen)
{
    bool ignored = false;
    for (unsigned i = 0; i < door->ignore_count && !ignored; i++)
        ignored = is_step(door->ignore[i], seen);
    for (unsigned i = 0; i < door->sequence.count && ignored; i++)
        ignored = !is_step(door->sequence.steps[i], seen);
    return ignored;
}

/* How many of the newest packets of a strict attempt count: those since the last gap. */
static unsigned packets_since_gap(const struct matcher *m, const struct peer *peer)
{
    return peer->epoch == m->epochs[peer->source] ? peer->strict : 0;
}

/*
 * Whether the record, read backwards, holds the first `steps` steps of the door. To take the latest
 * packet for each step is never wrong: it leaves the most packets, and the most time, to the
 * earlier ones.
 */
static bool fulfils(const struct matcher *m, unsigned number, const struct peer *peer,
                    unsigned steps, int64_t now)
{
    const struct match_door *door = &m->doors[number];
    unsigned count = door->strict ? packets_since_gap(m, peer) : peer->count;
    for (unsigned age = 0; age < count && steps > 0; age++) {
        const struct seen *seen = peer_packet(peer, age);
        if (now - seen->time > door->timeout)
            return false;
        if (!match_index_sees(m->index, number, seen))
            continue;
        if (is_step(door->sequence.steps[steps - 1], seen))
            steps--;
        else if (door->strict && !is_ignored(door, seen))
            return false;
    }
    return steps == 0;
}

/* Puts the address where eviction spares it as long as its attempt deserves it. */
static void rank(struct matcher *m, struct peer *peer, const struct seen *newest)
{
    for (unsigned age = 1; newest->second && age < peer->count; age++) {
        const struct seen *earlier = peer_packet(peer, age);
        if (match_index_pair(m->index, earlier, newest)) {
            peer->midway_until = earlier->time + m->longest;
            peers_touch(m->peers, peer, newest->time, true);
            return;
        }
    }
    bool midway = peer->midway && newest->time <= peer->midway_until;
    /* Junk doesn't make an address that did no more than begin look fresher. */
    if (midway || peer->midway || newest->first)
        peers_touch(m->peers, peer, newest->time, midway);
}

static void open_doors(struct matcher *m, const struct peer *peer, const struct seen *newest,
                       void (*opened)(void *arg, unsigned door), void *arg)
{
    struct index_range range = match_index_ending(m->index, newest);
    for (const struct index_entry *entry = range.begin; entry < range.end; entry++) {
        unsigned door = entry->value;
        if (match_index_sees(m->index, door, newest) &&
            fulfils(m, door, peer, m->doors[door].sequence.count, newest->time)) {
            m->counters.opened++;
            opened(arg, door);
        }
    }
}

/* The record of the address, without what is over; NULL if nothing is left. */
static struct peer *find_live(struct matcher *m, unsigned source, const struct addr *address,
                              int64_t alive_since)
{
    struct peer *peer = peers_find(m->peers, source, address);
    if (!peer)
        return NULL;
    peer_trim(peer, alive_since);
    if (peer->count > 0)
        return peer;
    peers_remove(m->peers, peer);
    return NULL;
}

static struct peer *add_peer(struct matcher *m, unsigned source, const struct addr *address,
                             int64_t alive_since)
{
    bool evicted;
    struct peer *peer = peers_add(m->peers, source, address, alive_since, &evicted);
    m->counters.evicted += evicted;
    return peer;
}

static void remember(struct matcher *m, struct peer *peer, const struct seen *seen)
{
    if (peer->epoch != m->epochs[peer->source]) {
        peer->epoch = m->epochs[peer->source];
        peer->strict = 0;
    }
    peer_push(peer, seen);
    rank(m, peer, seen);
}

static enum match_verdict take(struct matcher *m, unsigned source, const struct packet *packet,
                               int64_t now, void (*opened)(void *arg, unsigned door), void *arg)
{
    enum match_verdict verdict = glance(m, source, packet);
    if (verdict != MATCH_SEEN)
        return verdict;
    struct seen seen;
    match_index_digest(m->index, packet, &seen);
    seen.time = now;
    struct peer *peer = find_live(m, source, &packet->src, now - m->longest);
    if (!peer && !seen.first)
        return MATCH_IDLE;
    seen.dst = (uint32_t)keyed_hash(m->key, &packet->dst, sizeof(packet->dst));
    if (!peer)
        peer = add_peer(m, source, &packet->src, now - m->longest);
    else if (peer_has(peer, &seen))
        return MATCH_REPEAT;
    remember(m, peer, &seen);
    open_doors(m, peer, &seen, opened, arg);
    return MATCH_SEEN;
}

bool matcher_leaves(struct matcher *m, unsigned source, const struct packet *packet)
{
    assert(source < MATCH_SOURCES);
    enum match_verdict verdict = glance(m, source, packet);
    /* A piece of a sealed knock is somebody's business, if not ours. */
    if (verdict == MATCH_SEEN || verdict == MATCH_SEALED)
        return false;
    m->counters.packets[verdict]++;
    return true;
}

enum match_verdict matcher_feed(struct matcher *m, unsigned source, const struct packet *packet,
                                int64_t now, void (*opened)(void *arg, unsigned door), void *arg)
{
    assert(source < MATCH_SOURCES);
    enum match_verdict verdict = take(m, source, packet, now, opened, arg);
    m->counters.packets[verdict]++;
    return verdict;
}

unsigned matcher_stage(const struct matcher *m, unsigned source, const struct addr *address,
                       int64_t now, unsigned door)
{
    assert(source < MATCH_SOURCES && door < m->door_count);
    const struct peer *peer = peers_find(m->peers, source, address);
    if (!peer)
        return 0;
    unsigned steps = m->doors[door].sequence.count;
    while (steps > 0 && !fulfils(m, door, peer, steps, now))
        steps--;
    return steps;
}

void matcher_gap(struct matcher *m, unsigned source)
{
    assert(source < MATCH_SOURCES);
    m->epochs[source]++;
}

const struct matcher_counters *matcher_counters(const struct matcher *m)
{
    return &m->counters;
}
