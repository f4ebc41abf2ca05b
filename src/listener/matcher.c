/* Matches packets with the sequences of the doors: reads the runs of an address backwards. Of an
 * address that completes a strict one it decides whether it knocks or only scans ports. */
#include "listener/matcher.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/crypto.h"
#include "listener/match_index.h"
#include "listener/port_scan.h"
#include "listener/source_table.h"

struct matcher {
    struct match_door *doors;
    unsigned door_count;
    int64_t longest;             /* timeout of all doors: older packets are no part of a knock */
    unsigned *opened;            /* by the newest packet: room for all doors */
    unsigned *scanned;           /* likewise */
    struct match_stage *reached; /* likewise */
    struct match_index *index;
    struct source_table *sources;
    uint8_t key[CRYPTO_KEY_SIZE];
    uint16_t span;        /* of sealed knocks; 0: there are none */
    uint16_t packet_port; /* of those in one packet, by UDP; 0: there are none */
    unsigned max_sources;
    struct port_scan *scan; /* of what captures bring; NULL: none does */
    bool captured[MATCH_SOURCES];
    bool remote[MATCH_SOURCES];
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
    m->scanned = calloc((size_t)count + 1, sizeof(*m->scanned));
    m->reached = calloc((size_t)count + 1, sizeof(*m->reached));
    m->sources = source_table_new(max_sources, key);
    m->max_sources = max_sources;
    if (!copy_doors(m, doors, count) || !m->index || !m->sources || !m->opened || !m->scanned ||
        !m->reached) {
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
    source_table_free(m->sources);
    free(m->doors);
    port_scan_free(m->scan);
    free(m->opened);
    free(m->scanned);
    free(m->reached);
    free(m);
}

void matcher_set_span(struct matcher *m, uint16_t span, uint16_t packet_port)
{
    m->span = span;
    m->packet_port = packet_port;
}

/* The most ports that the address of a knock may have sent to besides. */
static unsigned other_ports(const struct match_door *door)
{
    unsigned strays = door->strays[1] * (door->sequence.count - 1);
    unsigned most = strays > SCAN_PORTS ? strays : SCAN_PORTS;
    return most < SCAN_PORTS_MOST ? most : SCAN_PORTS_MOST;
}

bool matcher_set_captured(struct matcher *m, unsigned source)
{
    assert(source < MATCH_SOURCES);
    unsigned most = SCAN_PORTS;
    m->captured[source] = true;
    for (unsigned i = 0; i < m->door_count; i++)
        if (m->doors[i].sequence.count > 0 && other_ports(&m->doors[i]) > most)
            most = other_ports(&m->doors[i]);
    if (!m->scan)
        m->scan = port_scan_new(m->max_sources, most + 1, m->longest, m->key);
    return m->scan != NULL;
}

void matcher_set_remote(struct matcher *m, unsigned source)
{
    assert(source < MATCH_SOURCES);
    m->remote[source] = true;
}

/* Neither a group nor the unspecified address, loopback nor IPv4 written as IPv6 begins with 1 to
 * 126 or 128 to 223, in either family. */
static bool is_ordinary(const struct addr *address)
{
    return address->bytes[0] - 1u < 223 && address->bytes[0] != 127;
}

static bool is_group(const struct packet *packet)
{
    if (is_ordinary(&packet->dst) && is_ordinary(&packet->src))
        return packet->link_group;
    return packet->link_group || addr_is_group(&packet->dst) || addr_is_group(&packet->src) ||
           addr_is_unspecified(&packet->src);
}

/* 127.0.0.0/8 and ::1. By a few bytes, since whoever sends from fe80::/10 comes here, too. */
static bool is_loopback(const struct addr *address)
{
    static const struct addr one = {.family = 6, .bytes = {[15] = 1}};
    return address->family == 4 ? address->bytes[0] == 127 : addr_equal(address, &one);
}

/*
 * Whether no host elsewhere can have sent the packet, or sent it here: from IPv4 written as IPv6,
 * or from or to loopback's addresses, but by loopback, which Linux calls "lo" in each namespace.
 */
static bool is_martian(const struct packet *packet)
{
    if (is_ordinary(&packet->dst) && is_ordinary(&packet->src))
        return false;
    bool own = is_loopback(&packet->src) || is_loopback(&packet->dst);
    bool by_loopback = packet->in_len == 2 && memcmp(packet->in, "lo", 2) == 0;
    return (own && !by_loopback) || addr_is_mapped(&packet->src);
}

/* Whether the packet has to do with sealed knocks. */
static bool is_sealed(const struct matcher *m, const struct packet *packet)
{
    if (m->span && carrier_has(m->span, (uint8_t)packet->proto, packet->dpt))
        return true;
    return packet->proto == IPPROTO_UDP && m->packet_port && packet->dpt == m->packet_port;
}

/* Why no door sees the packet; MATCH_SEEN: some may. What isn't seen is neither step nor stray. */
__attribute__((always_inline)) static inline enum match_verdict
classify(const struct matcher *m, const struct packet *packet)
{
    if (packet->in_len == 0)
        return MATCH_OUTGOING;
    if (is_group(packet))
        return MATCH_GROUP;
    if (is_martian(packet))
        return MATCH_MARTIAN;
    if ((packet->proto != IPPROTO_TCP && packet->proto != IPPROTO_UDP) || !packet->has_ports)
        return MATCH_PROTOCOL;
    if (is_sealed(m, packet))
        return MATCH_SEALED;
    if (packet->proto == IPPROTO_TCP && !match_index_flags(m->index, packet->flags))
        return MATCH_FLAGS;
    return MATCH_SEEN;
}

/*
 * The same, and whether the packet is of no interest, as far as that needs neither time nor the
 * address' entry. Nearly all packets of a log end here: MATCH_SEEN is for those that may be a step,
 * or a stray of an address that is known.
 */
__attribute__((always_inline)) static inline enum match_verdict
classify_at_once(const struct matcher *m, unsigned source, const struct packet *packet)
{
    assert(source < MATCH_SOURCES);
    enum match_verdict verdict = classify(m, packet);
    if (verdict == MATCH_SEEN && !match_index_concerns(m->index, packet) &&
        !source_table_may_have(m->sources, source, &packet->src))
        return MATCH_IDLE;
    return verdict;
}

static bool is_step(struct port_proto step, const struct packet_key *packet)
{
    return step.port == packet->dpt && step.proto == packet->proto;
}

/* A port of `ignore`, unless it is a step as well: then packets to it are meant as knocks. */
static bool is_ignored(const struct match_door *door, const struct packet_key *packet)
{
    bool ignored = false;
    for (unsigned i = 0; i < door->ignore_count && !ignored; i++)
        ignored = is_step(door->ignore[i], packet);
    for (unsigned i = 0; i < door->sequence.count && ignored; i++)
        ignored = !is_step(door->sequence.steps[i], packet);
    return ignored;
}

/* Whether the door hears the source of the address' packets. */
static bool hears(const struct matcher *m, unsigned number, const struct source_entry *entry)
{
    return !(m->doors[number].unheard >> entry->source & 1);
}

/* Different ports of strays between two packets to steps of a strict door. */
struct stray_group {
    unsigned count;
    unsigned most; /* that are forgiven */
    struct port_proto ports[STRAYS_MAX];
};

static struct stray_group no_strays(const struct matcher *m, unsigned number,
                                    const struct source_entry *entry)
{
    const struct match_door *door = &m->doors[number];
    struct stray_group strays;
    strays.count = 0;
    strays.most = door->strict ? door->strays[m->captured[entry->source]] : 0;
    return strays;
}

/* Whether the packet is to a step of the door or to one of its decoys. */
static bool is_near(const struct match_door *door, const struct packet_key *packet)
{
    for (unsigned i = 0; i < door->sequence.count; i++) {
        struct port_proto step = door->sequence.steps[i];
        int distance = packet->dpt - step.port;
        if (step.proto == packet->proto && abs(distance) <= SEQUENCE_DECOYS)
            return true;
    }
    return false;
}

/* Whether one more stray is forgiven; then it is one of the group. */
static bool forgive_stray(const struct match_door *door, struct stray_group *strays,
                          const struct packet_key *packet)
{
    unsigned i = 0;
    if (strays->most == 0 || is_near(door, packet))
        return false;
    while (i < strays->count && !is_step(strays->ports[i], packet))
        i++;
    if (i == strays->most)
        return false;
    if (i == strays->count)
        strays->ports[strays->count++] =
            (struct port_proto){.port = packet->dpt, .proto = packet->proto};
    return true;
}

/* How many of the newest runs a strict door looks at: those since the last gap. */
static unsigned runs_since_gap(const struct matcher *m, const struct source_entry *entry)
{
    return entry->epoch == m->epochs[entry->source] ? entry->since_gap : 0;
}

/* The runs of an address that are looked at. */
struct run_range {
    unsigned from, end; /* ages: the newest one, and behind the oldest one */
    unsigned skip;      /* packets of the newest run that don't count */
};

/* All that a door looks at. */
static struct run_range runs_for_door(const struct matcher *m, unsigned number,
                                      const struct source_entry *entry)
{
    return (struct run_range){
        .end = m->doors[number].strict ? runs_since_gap(m, entry) : entry->count,
    };
}

/* Takes as many packets of the run as go on with the steps before `steps`; returns what is left of
 * them. Equal steps that follow each other want packets of one run. */
static unsigned take_steps(const struct sequence *sequence, unsigned steps, const struct run *run,
                           unsigned packets)
{
    while (steps > 0 && packets > 0 && is_step(sequence->steps[steps - 1], &run->key)) {
        steps--;
        packets--;
    }
    return steps;
}

/*
 * Whether the runs, read backwards, hold the first `steps` steps of the door. To take the latest
 * packet for each step is never wrong: it leaves the most packets, and the most time, to the
 * earlier ones. Only of the first steps, which are equal, the time of each packet matters, and
 * there they are kept apart.
 */
static bool hold_steps(const struct matcher *m, unsigned number, const struct source_entry *entry,
                       struct run_range runs, unsigned steps, int64_t now)
{
    const struct match_door *door = &m->doors[number];
    const struct run *taken = NULL; /* the newest run that packets were taken from */
    struct stray_group strays = no_strays(m, number, entry);
    for (unsigned age = runs.from; age < runs.end && steps > 0; age++) {
        const struct run *run = source_entry_run(entry, age);
        unsigned packets = run->count - (age == runs.from ? runs.skip : 0);
        if (now - run->time > door->timeout)
            return false;
        if (packets == 0 || !match_index_sees(m->index, number, &run->key))
            continue;
        bool same = taken && run_continues(run, taken);
        bool wanted = is_step(door->sequence.steps[steps - 1], &run->key);
        /* To another destination it is no part of the run that the step before was taken from. */
        bool split =
            taken && !same && taken->key.dpt == run->key.dpt && taken->key.proto == run->key.proto;
        if (door->strict && (split || (!wanted && !same)) && !is_ignored(door, &run->key) &&
            !forgive_stray(door, &strays, &run->key))
            return false;
        if (wanted || same)
            strays.count = 0;
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
static bool goes_on(const struct matcher *m, unsigned number, const struct source_entry *entry)
{
    const struct match_door *door = &m->doors[number];
    struct run_range runs = runs_for_door(m, number, entry);
    struct stray_group strays = no_strays(m, number, entry);
    const struct run *newest = source_entry_run(entry, 0);
    if (newest->count > 1)
        return true;
    for (unsigned age = 1; age < runs.end; age++) {
        const struct run *run = source_entry_run(entry, age);
        if (!match_index_sees(m->index, number, &run->key) || is_ignored(door, &run->key))
            continue;
        if (run_continues(run, newest))
            return true;
        if (!forgive_stray(door, &strays, &run->key))
            return false;
    }
    return false;
}

/* Whether the newest packet, the last step of the door, completes its sequence. */
static bool completes(const struct matcher *m, unsigned number, const struct source_entry *entry,
                      int64_t now)
{
    const struct sequence *sequence = &m->doors[number].sequence;
    struct run_range runs = runs_for_door(m, number, entry);
    if (!hold_steps(m, number, entry, runs, sequence->count, now))
        return false;
    runs.skip = 1;
    return is_one_run(sequence) || !goes_on(m, number, entry) ||
           !hold_steps(m, number, entry, runs, sequence->count, now);
}

/* Of a tolerant door, what came before the newest packet that completed it is no attempt any more;
 * a strict one sees it as strays. */
static struct run_range runs_of_attempt(const struct matcher *m, unsigned number,
                                        const struct source_entry *entry, int64_t now)
{
    const struct match_door *door = &m->doors[number];
    struct run_range runs = runs_for_door(m, number, entry), tail = runs;
    struct port_proto last = door->sequence.steps[door->sequence.count - 1];
    for (; !door->strict && tail.from < runs.end; tail.from++) {
        const struct run *run = source_entry_run(entry, tail.from);
        if (is_step(last, &run->key) && match_index_sees(m->index, number, &run->key) &&
            hold_steps(m, number, entry, tail, door->sequence.count, now)) {
            runs.end = tail.from + 1;
            break;
        }
    }
    return runs;
}

/* The most steps that may be done: once they all are, those of the last run are no attempt's. */
static unsigned stage_at_most(const struct matcher *m, unsigned number,
                              const struct source_entry *entry, struct run_range runs, int64_t now)
{
    const struct sequence *sequence = &m->doors[number].sequence;
    unsigned steps = sequence->count - 1;
    struct port_proto last = sequence->steps[steps];
    if (hold_steps(m, number, entry, runs, sequence->count, now))
        while (steps > 0 && port_proto_equal(sequence->steps[steps - 1], last))
            steps--;
    return steps;
}

static unsigned stage_of(const struct matcher *m, unsigned number, const struct source_entry *entry,
                         unsigned skip, int64_t now)
{
    if (m->doors[number].sequence.count == 0)
        return 0;
    struct run_range runs = runs_of_attempt(m, number, entry, now);
    runs.skip = skip;
    unsigned steps = stage_at_most(m, number, entry, runs, now);
    while (steps > 0 && !hold_steps(m, number, entry, runs, steps, now))
        steps--;
    return steps;
}

/* Spares the address from eviction as long as its attempt deserves it. */
static void rank_for_eviction(struct matcher *m, struct source_entry *entry,
                              const struct run *newest)
{
    for (unsigned age = 1; newest->key.second && age < entry->count; age++) {
        const struct run *earlier = source_entry_run(entry, age);
        if (match_index_pair(m->index, &earlier->key, &newest->key)) {
            entry->in_progress_until = earlier->time + m->longest;
            source_table_touch(m->sources, entry, newest->time, true);
            return;
        }
    }
    bool in_progress = entry->in_progress && newest->time <= entry->in_progress_until;
    /* Junk doesn't make an address that did no more than begin look fresher. */
    if (in_progress || entry->in_progress || newest->key.first)
        source_table_touch(m->sources, entry, newest->time, in_progress);
}

/* --- scans --- */

/* Only what may be a knock of some door comes here. */
__attribute__((always_inline)) static inline void
note_port(struct matcher *m, unsigned source, const struct packet *packet, int64_t now)
{
    struct port_proto port = {.port = packet->dpt, .proto = (uint8_t)packet->proto};
    if (m->captured[source] && !match_index_knows(m->index, packet))
        port_scan_note(m->scan, source, &packet->src, port, now);
}

/* Whether the address that has completed the door's sequence sent to so many other ports in the
 * door's own time that it is scanning; then to how many, as far as they are remembered. 0: no. */
static unsigned scanned_ports(const struct matcher *m, const struct match_door *door,
                              const struct source_entry *entry, int64_t now)
{
    if (!door->strict || !m->captured[entry->source])
        return 0;
    unsigned ports = port_scan_count(m->scan, entry->source, &entry->address, now - door->timeout);
    return ports > other_ports(door) ? ports : 0;
}

static void open_doors(struct matcher *m, const struct source_entry *entry,
                       const struct run *newest, struct match_result *result)
{
    struct index_range range = match_index_ending(m->index, &newest->key);
    for (const struct index_entry *found = range.begin; found < range.end; found++) {
        const struct match_door *door = &m->doors[found->value];
        if (!hears(m, found->value, entry) ||
            !match_index_sees(m->index, found->value, &newest->key) ||
            !completes(m, found->value, entry, newest->time))
            continue;
        unsigned scanned = scanned_ports(m, door, entry, newest->time);
        if (scanned > 0 && result->scanned_count == 0)
            result->scanned_ports = scanned;
        if (scanned > 0)
            m->scanned[result->scanned_count++] = found->value;
        else
            m->opened[result->opened_count++] = found->value;
    }
    m->counters.opened += result->opened_count;
}

/* The stage of a door that the newest packet brought its address to; 0: it is no step of it, or
 * only doubles one. */
static unsigned reached_stage(const struct matcher *m, unsigned number,
                              const struct source_entry *entry, const struct run *newest)
{
    if (!hears(m, number, entry) || !match_index_sees(m->index, number, &newest->key))
        return 0;
    unsigned stage = stage_of(m, number, entry, 0, newest->time);
    bool step = stage > 0 && is_step(m->doors[number].sequence.steps[stage - 1],
                                     &source_entry_run(entry, 0)->key);
    bool doubled =
        step && goes_on(m, number, entry) && stage_of(m, number, entry, 1, newest->time) == stage;
    return step && !doubled ? stage : 0;
}

/* Of the doors that have the newest packet as a step, the first `stages` are looked at. */
static void find_reached(const struct matcher *m, const struct source_entry *entry,
                         const struct run *newest, unsigned stages, struct match_result *result)
{
    struct index_range range = match_index_steps(m->index, &newest->key);
    const struct index_entry *found = range.begin;
    result->reached = m->reached;
    for (; stages > 0 && found < range.end && !m->doors[found->value].one_time; found++, stages--) {
        unsigned stage = reached_stage(m, found->value, entry, newest);
        if (stage > 0)
            m->reached[result->reached_count++] = (struct match_stage){found->value, stage};
    }
    result->one_time_step = range.begin < range.end && m->doors[range.end[-1].value].one_time;
}

/* The entry of the address, without what is over; NULL if nothing is left. */
static struct source_entry *find_source(struct matcher *m, unsigned source,
                                        const struct addr *address, int64_t alive_since)
{
    struct source_entry *entry = source_table_find(m->sources, source, address);
    if (!entry)
        return NULL;
    source_entry_trim(entry, alive_since);
    if (entry->count > 0)
        return entry;
    source_table_remove(m->sources, entry);
    return NULL;
}

static struct source_entry *add_source(struct matcher *m, unsigned source,
                                       const struct addr *address, int64_t alive_since)
{
    bool evicted;
    struct source_entry *entry =
        source_table_add(m->sources, source, address, alive_since, &evicted);
    m->counters.evicted += evicted;
    return entry;
}

static void remember_packet(struct matcher *m, struct source_entry *entry, const struct run *packet)
{
    if (entry->epoch != m->epochs[entry->source]) {
        entry->epoch = m->epochs[entry->source];
        entry->since_gap = 0;
    }
    source_entry_push(entry, packet,
                      packet->key.first ? match_index_begun_with(m->index, &packet->key) : 1);
    rank_for_eviction(m, entry, packet);
}

/* A packet that may be a step, or a stray of an address that is known. */
static struct match_result match_packet(struct matcher *m, unsigned source,
                                        const struct packet *packet, int64_t now, unsigned stages)
{
    struct run run = {.time = now, .count = 1};
    match_index_digest(m->index, packet, &run.key);
    struct source_entry *entry = find_source(m, source, &packet->src, now - m->longest);
    if (!entry && !run.key.first)
        return (struct match_result){.verdict = MATCH_IDLE};
    run.dst = (uint32_t)crypto_keyed_hash(m->key, &packet->dst, sizeof(packet->dst));
    /* Of UDP every packet counts: two from one socket are meant as two. But a stream may bring a
     * line once more, and of that only what directly follows the first is no harm. */
    bool tcp = packet->proto == IPPROTO_TCP;
    if (tcp || m->remote[source])
        run.ports[run.port_count++] = packet->spt;
    if (!entry)
        entry = add_source(m, source, &packet->src, now - m->longest);
    else if (run.port_count > 0 && source_entry_has(entry, &run, tcp ? 0 : 1))
        return (struct match_result){.verdict = MATCH_REPEAT};
    remember_packet(m, entry, &run);
    struct match_result result = {
        .verdict = MATCH_SEEN, .opened = m->opened, .scanned = m->scanned};
    open_doors(m, entry, &run, &result);
    find_reached(m, entry, &run, stages, &result);
    return result;
}

/* Apart, so that the many packets that are of no interest don't pay for its variables. */
__attribute__((noinline)) static struct match_result match_and_count(struct matcher *m,
                                                                     unsigned source,
                                                                     const struct packet *packet,
                                                                     int64_t now, unsigned stages)
{
    struct match_result result = match_packet(m, source, packet, now, stages);
    m->counters.packets[result.verdict]++;
    return result;
}

static inline struct match_result take(struct matcher *m, enum match_verdict verdict,
                                       unsigned source, const struct packet *packet, int64_t now,
                                       unsigned stages)
{
    if (verdict == MATCH_SEEN || verdict == MATCH_IDLE)
        note_port(m, source, packet, now);
    if (verdict == MATCH_SEEN)
        return match_and_count(m, source, packet, now, stages);
    m->counters.packets[verdict]++;
    return (struct match_result){.verdict = verdict};
}

enum match_verdict matcher_classify(const struct matcher *m, unsigned source,
                                    const struct packet *packet)
{
    return classify_at_once(m, source, packet);
}

struct match_result matcher_take(struct matcher *m, enum match_verdict verdict, unsigned source,
                                 const struct packet *packet, int64_t now, unsigned stages)
{
    return take(m, verdict, source, packet, now, stages);
}

struct match_result matcher_feed(struct matcher *m, unsigned source, const struct packet *packet,
                                 int64_t now, unsigned stages)
{
    return take(m, classify_at_once(m, source, packet), source, packet, now, stages);
}

unsigned matcher_stage(const struct matcher *m, unsigned source, const struct addr *address,
                       int64_t now, unsigned door)
{
    assert(source < MATCH_SOURCES && door < m->door_count);
    const struct source_entry *entry = source_table_find(m->sources, source, address);
    return entry && hears(m, door, entry) ? stage_of(m, door, entry, 0, now) : 0;
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
