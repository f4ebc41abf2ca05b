#include "listener/matcher.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/crypto.h"
#include "listener/match_index.h"
#include "listener/source_table.h"

struct matcher {
    struct match_door *doors;
    unsigned door_count;
    int64_t longest;             /* timeout of all doors: what is older serves nobody */
    unsigned *opened;            /* by the newest packet: room for all doors */
    struct match_stage *reached; /* likewise */
    struct match_index *index;
    struct source_table *peers;
    uint8_t key[CRYPTO_KEY_SIZE];
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
    m->opened = calloc((size_t)count + 1, sizeof(*m->opened));
    m->reached = calloc((size_t)count + 1, sizeof(*m->reached));
    m->peers = source_table_new(max_sources, key);
    if (!copy_doors(m, doors, count) || !m->index || !m->peers || !m->opened || !m->reached) {
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
    source_table_free(m->peers);
    free(m->doors);
    free(m->opened);
    free(m->reached);
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
        !source_table_may_have(m->peers, source, &packet->src))
        return MATCH_IDLE;
    return verdict;
}

bool matcher_is_sealed(const struct matcher *m, const struct packet *packet)
{
    return m->span && judge(m, packet) == MATCH_SEALED;
}

static bool is_step(struct port_proto step, const struct seen *seen)
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

/* The runs of a record that are looked at. */
struct view {
    unsigned from, end; /* ages: the newest one, and behind the oldest one */
    unsigned skip;      /* packets of the newest run that don't count */
};

/* All that count for a door. */
static struct view view_of(const struct matcher *m, unsigned number, const struct peer *peer)
{
    return (struct view){
        .end = m->doors[number].strict ? packets_since_gap(m, peer) : peer->count,
    };
}

/* Takes as many packets of the run as go on with the steps before `steps`; returns what is left of
 * them. Equal steps that follow each other want packets of one run. */
static unsigned take_steps(const struct sequence *sequence, unsigned steps, const struct run *run,
                           unsigned packets)
{
    while (steps > 0 && packets > 0 && is_step(sequence->steps[steps - 1], &run->seen)) {
        steps--;
        packets--;
    }
    return steps;
}

/*
 * Whether the view, read backwards, holds the first `steps` steps of the door. To take the latest
 * packet for each step is never wrong: it leaves the most packets, and the most time, to the
 * earlier ones. Only of the first steps, which are equal, the time of each packet matters, and
 * there they are kept apart.
 */
static bool fulfils(const struct matcher *m, unsigned number, const struct peer *peer,
                    struct view view, unsigned steps, int64_t now)
{
    const struct match_door *door = &m->doors[number];
    const struct run *taken = NULL; /* the newest run that packets were taken from */
    for (unsigned age = view.from; age < view.end && steps > 0; age++) {
        const struct run *run = peer_run(peer, age);
        unsigned packets = run->count - (age == view.from ? view.skip : 0);
        if (now - run->time > door->timeout)
            return false;
        if (packets == 0 || !match_index_sees(m->index, number, &run->seen))
            continue;
        bool same = taken && run_continues(run, taken);
        bool wanted = is_step(door->sequence.steps[steps - 1], &run->seen);
        /* To another destination it is no part of the run that the step before was taken from. */
        bool torn = taken && !same && taken->seen.dpt == run->seen.dpt &&
                    taken->seen.proto == run->seen.proto;
        if (door->strict && (torn || (!wanted && !same)) && !is_ignored(door, &run->seen))
            return false;
        if (wanted) {
            steps = take_steps(&door->sequence, steps, run, packets);
            taken = run;
        }
    }
    return steps == 0;
}

static bool is_one_run(const struct sequence *sequence)
{
    for (unsigned i = 1; i < sequence->count; i++)
        if (!port_proto_equal(sequence->steps[i], sequence->steps[0]))
            return false;
    return true;
}

/* Whether the newest packet goes on with a run, as the door sees it. */
static bool goes_on(const struct matcher *m, unsigned number, const struct peer *peer)
{
    struct view view = view_of(m, number, peer);
    const struct run *newest = peer_run(peer, 0);
    if (newest->count > 1)
        return true;
    for (unsigned age = 1; age < view.end; age++) {
        const struct run *run = peer_run(peer, age);
        if (match_index_sees(m->index, number, &run->seen) &&
            !is_ignored(&m->doors[number], &run->seen))
            return run_continues(run, newest);
    }
    return false;
}

/* Whether the newest packet, the last step of the door, completes its sequence. */
static bool completes(const struct matcher *m, unsigned number, const struct peer *peer,
                      int64_t now)
{
    const struct sequence *sequence = &m->doors[number].sequence;
    struct view view = view_of(m, number, peer);
    if (!fulfils(m, number, peer, view, sequence->count, now))
        return false;
    view.skip = 1;
    return is_one_run(sequence) || !goes_on(m, number, peer) ||
           !fulfils(m, number, peer, view, sequence->count, now);
}

/* Of a tolerant door, what came before the newest packet that completed it is no attempt any more;
 * a strict one sees it as strays. */
static struct view view_of_attempt(const struct matcher *m, unsigned number,
                                   const struct peer *peer, int64_t now)
{
    const struct match_door *door = &m->doors[number];
    struct view view = view_of(m, number, peer), tail = view;
    struct port_proto last = door->sequence.steps[door->sequence.count - 1];
    for (; !door->strict && tail.from < view.end; tail.from++) {
        const struct run *run = peer_run(peer, tail.from);
        if (is_step(last, &run->seen) && match_index_sees(m->index, number, &run->seen) &&
            fulfils(m, number, peer, tail, door->sequence.count, now)) {
            view.end = tail.from + 1;
            break;
        }
    }
    return view;
}

/* The most steps that may be done: once they all are, those of the last run are no attempt's. */
static unsigned stage_at_most(const struct matcher *m, unsigned number, const struct peer *peer,
                              struct view view, int64_t now)
{
    const struct sequence *sequence = &m->doors[number].sequence;
    unsigned steps = sequence->count - 1;
    struct port_proto last = sequence->steps[steps];
    if (fulfils(m, number, peer, view, sequence->count, now))
        while (steps > 0 && port_proto_equal(sequence->steps[steps - 1], last))
            steps--;
    return steps;
}

static unsigned stage_of(const struct matcher *m, unsigned number, const struct peer *peer,
                         unsigned skip, int64_t now)
{
    if (m->doors[number].sequence.count == 0)
        return 0;
    struct view view = view_of_attempt(m, number, peer, now);
    view.skip = skip;
    unsigned steps = stage_at_most(m, number, peer, view, now);
    while (steps > 0 && !fulfils(m, number, peer, view, steps, now))
        steps--;
    return steps;
}

/* Puts the address where eviction spares it as long as its attempt deserves it. */
static void rank(struct matcher *m, struct peer *peer, const struct run *newest)
{
    for (unsigned age = 1; newest->seen.second && age < peer->count; age++) {
        const struct run *earlier = peer_run(peer, age);
        if (match_index_pair(m->index, &earlier->seen, &newest->seen)) {
            peer->midway_until = earlier->time + m->longest;
            source_table_touch(m->peers, peer, newest->time, true);
            return;
        }
    }
    bool midway = peer->midway && newest->time <= peer->midway_until;
    /* Junk doesn't make an address that did no more than begin look fresher. */
    if (midway || peer->midway || newest->seen.first)
        source_table_touch(m->peers, peer, newest->time, midway);
}

static unsigned open_doors(struct matcher *m, const struct peer *peer, const struct run *newest)
{
    unsigned count = 0;
    struct index_range range = match_index_ending(m->index, &newest->seen);
    for (const struct index_entry *entry = range.begin; entry < range.end; entry++)
        if (match_index_sees(m->index, entry->value, &newest->seen) &&
            completes(m, entry->value, peer, newest->time))
            m->opened[count++] = entry->value;
    m->counters.opened += count;
    return count;
}

/* The stage of a door that the newest packet brought its address to; 0: it is no step of it, or
 * only doubles one. */
static unsigned reached_stage(const struct matcher *m, unsigned number, const struct peer *peer,
                              const struct run *newest)
{
    if (!match_index_sees(m->index, number, &newest->seen))
        return 0;
    unsigned stage = stage_of(m, number, peer, 0, newest->time);
    bool step =
        stage > 0 && is_step(m->doors[number].sequence.steps[stage - 1], &peer_run(peer, 0)->seen);
    bool doubled =
        step && goes_on(m, number, peer) && stage_of(m, number, peer, 1, newest->time) == stage;
    return step && !doubled ? stage : 0;
}

/* Of the doors that have the newest packet as a step, the first `stages` are looked at. */
static void find_reached(const struct matcher *m, const struct peer *peer, const struct run *newest,
                         unsigned stages, struct match_result *result)
{
    struct index_range range = match_index_steps(m->index, &newest->seen);
    const struct index_entry *entry = range.begin;
    result->reached = m->reached;
    for (; stages > 0 && entry < range.end && !m->doors[entry->value].one_time; entry++, stages--) {
        unsigned stage = reached_stage(m, entry->value, peer, newest);
        if (stage > 0)
            m->reached[result->reached_count++] = (struct match_stage){entry->value, stage};
    }
    result->one_time_step = range.begin < range.end && m->doors[range.end[-1].value].one_time;
}

/* The record of the address, without what is over; NULL if nothing is left. */
static struct peer *find_live(struct matcher *m, unsigned source, const struct addr *address,
                              int64_t alive_since)
{
    struct peer *peer = source_table_find(m->peers, source, address);
    if (!peer)
        return NULL;
    peer_trim(peer, alive_since);
    if (peer->count > 0)
        return peer;
    source_table_remove(m->peers, peer);
    return NULL;
}

static struct peer *add_peer(struct matcher *m, unsigned source, const struct addr *address,
                             int64_t alive_since)
{
    bool evicted;
    struct peer *peer = source_table_add(m->peers, source, address, alive_since, &evicted);
    m->counters.evicted += evicted;
    return peer;
}

static void remember(struct matcher *m, struct peer *peer, const struct run *packet)
{
    if (peer->epoch != m->epochs[peer->source]) {
        peer->epoch = m->epochs[peer->source];
        peer->strict = 0;
    }
    peer_push(peer, packet,
              packet->seen.first ? match_index_begun_with(m->index, &packet->seen) : 1);
    rank(m, peer, packet);
}

static struct match_result take(struct matcher *m, unsigned source, const struct packet *packet,
                                int64_t now, unsigned stages)
{
    enum match_verdict verdict = glance(m, source, packet);
    if (verdict != MATCH_SEEN)
        return (struct match_result){.verdict = verdict};
    struct run run = {.time = now, .count = 1};
    match_index_digest(m->index, packet, &run.seen);
    struct peer *peer = find_live(m, source, &packet->src, now - m->longest);
    if (!peer && !run.seen.first)
        return (struct match_result){.verdict = MATCH_IDLE};
    run.dst = (uint32_t)crypto_keyed_hash(m->key, &packet->dst, sizeof(packet->dst));
    /* Of UDP every packet counts: who sends two from one socket means two. */
    if (packet->proto == IPPROTO_TCP)
        run.ports[run.port_count++] = packet->spt;
    if (!peer)
        peer = add_peer(m, source, &packet->src, now - m->longest);
    else if (packet->proto == IPPROTO_TCP && peer_has(peer, &run))
        return (struct match_result){.verdict = MATCH_REPEAT};
    remember(m, peer, &run);
    struct match_result result = {.verdict = MATCH_SEEN, .opened = m->opened};
    result.opened_count = open_doors(m, peer, &run);
    find_reached(m, peer, &run, stages, &result);
    return result;
}

struct match_result matcher_feed(struct matcher *m, unsigned source, const struct packet *packet,
                                 int64_t now, unsigned stages)
{
    assert(source < MATCH_SOURCES);
    struct match_result result = take(m, source, packet, now, stages);
    m->counters.packets[result.verdict]++;
    return result;
}

unsigned matcher_stage(const struct matcher *m, unsigned source, const struct addr *address,
                       int64_t now, unsigned door)
{
    assert(source < MATCH_SOURCES && door < m->door_count);
    const struct peer *peer = source_table_find(m->peers, source, address);
    return peer ? stage_of(m, door, peer, 0, now) : 0;
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
