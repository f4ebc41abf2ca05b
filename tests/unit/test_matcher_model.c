/*
 * The matcher against a slow model of the same rules: per (source, address) every packet is kept,
 * and the doors are searched by definition: strict ones by the list of runs as the door sees them,
 * without the strays that it forgives, tolerant ones forwards. Random packets over few ports, so
 * that knocks come about, and runs. The last source is captured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "listener/matcher.h"
#include "listener/source_table.h"
#include "random_help.h"

enum { ROUNDS = 100, PACKETS = 4000, DOORS = 6, ADDRESSES = 4, SOURCES = 2, RING = 32 };
enum { CAPTURED = SOURCES - 1, STEP_PORTS = 4 };

struct heard {
    struct packet packet;
    int64_t time;
    unsigned gaps; /* of its source before it */
};

/* All that one (source, address) sent that was recorded; the first `gone` are no more. */
struct history {
    struct heard heard[PACKETS];
    unsigned count, gone;
};

/* A packet to a port that no door knows, and all of an address that were captured. */
struct other {
    struct port_proto port;
    int64_t time;
};

struct others {
    struct other list[PACKETS];
    unsigned count;
};

struct model {
    struct match_door doors[DOORS];
    struct port_proto ignore[DOORS][2];
    int64_t longest;
    uint16_t base; /* the steps' ports are from here on */
    bool clean;    /* few packets are strays */
    unsigned gaps[SOURCES];
    struct history histories[SOURCES][ADDRESSES];
    struct others others[ADDRESSES];
    unsigned scanned; /* doors that stayed shut for a scan */
};

static struct port_proto random_step(uint16_t base)
{
    return (struct port_proto){(uint16_t)(base + draw(STEP_PORTS)),
                               draw(5) ? IPPROTO_TCP : IPPROTO_UDP};
}

/* A port that is, or may be, no step: near the steps, just near, just no more, or far. */
static uint16_t random_stray(uint16_t base)
{
    static const int distances[] = {STEP_PORTS,
                                    STEP_PORTS,
                                    SEQUENCE_DECOYS,
                                    SEQUENCE_DECOYS + STEP_PORTS - 1,
                                    SEQUENCE_DECOYS + STEP_PORTS,
                                    -SEQUENCE_DECOYS,
                                    -SEQUENCE_DECOYS - 1};
    unsigned kind = draw(20);
    return kind < 7 ? (uint16_t)(base + distances[kind]) : (uint16_t)(30000 + draw(4));
}

static void random_door(struct match_door *door, struct port_proto ignore[2], uint16_t base)
{
    static const struct flag_match flags[] = {
        {TCP_SYN, TCP_ACK}, {TCP_SYN, TCP_ACK}, {TCP_FIN, 0}, {0, 0}};
    memset(door, 0, sizeof(*door));
    door->sequence.count = 1 + draw(5);
    for (unsigned i = 0; i < door->sequence.count; i++)
        door->sequence.steps[i] = random_step(base);
    door->timeout = 20 + draw(40);
    door->flags = flags[draw(4)];
    door->strict = draw(3) > 0;
    door->strays[0] = (uint8_t)(draw(3) ? 0 : draw(STRAYS_MAX + 1));
    door->strays[1] = (uint8_t)draw(4);
    if (draw(4) == 0)
        door->target = (struct addr){4, {192, 0, 2, (uint8_t)draw(2)}};
    if (draw(4) == 0)
        snprintf(door->interface, sizeof(door->interface), "eth%u", draw(2));
    ignore[0] = random_step(base);
    ignore[1] = random_step(draw(2) ? base : 30000);
    door->ignore = ignore;
    door->ignore_count = draw(3);
}

static struct packet random_packet(const struct model *model, unsigned address)
{
    static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_SYN, TCP_FIN, TCP_SYN | TCP_ACK};
    struct port_proto step = random_step(model->base);
    if (draw(model->clean ? 50 : 3) == 0)
        step.port = random_stray(model->base);
    struct packet p = {.src = {4, {198, 51, 100, (uint8_t)address}}, .proto = step.proto};
    p.dst = (struct addr){4, {192, 0, 2, (uint8_t)(draw(4) == 0)}};
    p.spt = (uint16_t)draw(draw(2) ? 40 : 1000);
    p.dpt = step.port;
    p.flags = step.proto == IPPROTO_TCP ? flags[draw(5)] : 0;
    p.has_ports = draw(50) > 0;
    p.in = draw(4) ? "eth0" : "eth1";
    p.in_len = draw(50) ? 4 : 0;
    p.link_group = draw(50) == 0;
    return p;
}

static bool is_step(struct port_proto step, const struct packet *p)
{
    return p->proto == step.proto && p->dpt == step.port;
}

static bool sees(const struct match_door *door, const struct packet *p)
{
    if (p->proto == IPPROTO_TCP && !flags_match(door->flags, p->flags))
        return false;
    if (door->target.family && !addr_equal(&door->target, &p->dst))
        return false;
    return !door->interface[0] ||
           (strlen(door->interface) == p->in_len && !memcmp(door->interface, p->in, p->in_len));
}

static bool may_be_stray(const struct match_door *door, const struct packet *p)
{
    for (unsigned i = 0; i < door->sequence.count; i++)
        if (is_step(door->sequence.steps[i], p))
            return sees(door, p);
    for (unsigned i = 0; i < door->ignore_count; i++)
        if (is_step(door->ignore[i], p))
            return false;
    return sees(door, p);
}

static bool same_port(const struct packet *a, const struct packet *b)
{
    return a->proto == b->proto && a->dpt == b->dpt && addr_equal(&a->dst, &b->dst);
}

static bool is_far(const struct match_door *door, const struct packet *p)
{
    for (unsigned i = 0; i < door->sequence.count; i++) {
        struct port_proto step = door->sequence.steps[i];
        for (int port = step.port - SEQUENCE_DECOYS; port <= step.port + SEQUENCE_DECOYS; port++)
            if (p->proto == step.proto && p->dpt == port)
                return false;
    }
    return true;
}

/* Whether packet `at`, of [from, count), is one of a group of strays that the door forgives: all
 * between two packets, of those that it sees, that are near its steps. */
static bool is_forgiven(const struct match_door *door, const struct history *h, unsigned from,
                        unsigned count, unsigned at, unsigned most)
{
    uint8_t different[2][65536 / 8] = {0};
    unsigned ports = 0;
    const struct packet *p = &h->heard[at].packet;
    if (!is_far(door, p))
        return false;
    while (at > from && (!sees(door, &h->heard[at - 1].packet) ||
                         !may_be_stray(door, &h->heard[at - 1].packet) ||
                         is_far(door, &h->heard[at - 1].packet)))
        at--;
    for (; at < count; at++) {
        p = &h->heard[at].packet;
        if (!sees(door, p) || !may_be_stray(door, p))
            continue;
        if (!is_far(door, p))
            break;
        uint8_t *bits = &different[p->proto == IPPROTO_UDP][p->dpt / 8];
        ports += !(*bits & 1 << p->dpt % 8);
        *bits |= (uint8_t)(1 << p->dpt % 8);
    }
    return ports <= most;
}

/* A run as a door sees it. */
struct visible {
    struct port_proto step;
    struct addr dst;
    unsigned count;
    const struct heard *packets[RING * 40];
};

/* The runs of a strict door, the newest first, of packets [gone, count): at most STEPS_MAX + 1 are
 * asked for. Lost lines end the list. */
static unsigned list_runs(const struct match_door *door, const struct history *h, unsigned count,
                          unsigned gaps, unsigned most, struct visible runs[STEPS_MAX + 1])
{
    unsigned n = 0, from = count;
    while (from > h->gone && h->heard[from - 1].gaps == gaps)
        from--;
    for (unsigned i = count; i > from; i--) {
        const struct heard *heard = &h->heard[i - 1];
        const struct packet *p = &heard->packet;
        if (!sees(door, p) || !may_be_stray(door, p) ||
            is_forgiven(door, h, from, count, i - 1, most))
            continue;
        struct port_proto step = {p->dpt, (uint8_t)p->proto};
        if (n == 0 || !port_proto_equal(runs[n - 1].step, step) ||
            !addr_equal(&runs[n - 1].dst, &p->dst)) {
            if (n > STEPS_MAX)
                break;
            runs[n].step = step;
            runs[n].dst = p->dst;
            runs[n++].count = 0;
        }
        if (runs[n - 1].count < RING * 40)
            runs[n - 1].packets[runs[n - 1].count++] = heard;
    }
    return n;
}

/* Whether the newest runs hold the first `steps` steps. *exact: the newest one has no packet more
 * than its steps want. */
static bool strict_holds(const struct match_door *door, const struct visible *runs, unsigned n,
                         unsigned steps, int64_t now, bool *exact)
{
    for (unsigned r = 0; steps > 0; r++) {
        struct port_proto step = door->sequence.steps[steps - 1];
        unsigned wanted = 0;
        while (steps > 0 && port_proto_equal(door->sequence.steps[steps - 1], step)) {
            steps--;
            wanted++;
        }
        if (r >= n || !port_proto_equal(runs[r].step, step) || runs[r].count < wanted)
            return false;
        if (r == 0)
            *exact = runs[r].count == wanted;
        if (steps == 0)
            return now - runs[r].packets[wanted - 1]->time <= door->timeout;
    }
    return true;
}

/* Whether packets [from, count) hold the first `steps` steps in order. */
static bool tolerant_holds(const struct match_door *door, const struct history *h, unsigned from,
                           unsigned count, unsigned steps, int64_t now)
{
    for (unsigned at = from; at < count; at++) {
        unsigned done = 0;
        if (now - h->heard[at].time > door->timeout)
            continue;
        for (unsigned i = at; i < count && done < steps; i++)
            done += sees(door, &h->heard[i].packet) &&
                    is_step(door->sequence.steps[done], &h->heard[i].packet);
        /* To begin later leaves fewer packets. */
        return done == steps;
    }
    return steps == 0;
}

static bool one_run(const struct match_door *door)
{
    bool one = true;
    for (unsigned i = 1; i < door->sequence.count; i++)
        one &= port_proto_equal(door->sequence.steps[i], door->sequence.steps[0]);
    return one;
}

/* Whether packet `at` goes on with the run before it, as the door sees it. */
static bool doubles(const struct match_door *door, const struct history *h, unsigned at)
{
    for (unsigned i = at; i > h->gone; i--) {
        const struct heard *before = &h->heard[i - 1];
        if (door->strict && before->gaps != h->heard[at].gaps)
            return false;
        if (sees(door, &before->packet) && may_be_stray(door, &before->packet))
            return same_port(&before->packet, &h->heard[at].packet);
    }
    return false;
}

static bool opens(const struct match_door *door, const struct history *h, unsigned most)
{
    static struct visible runs[STEPS_MAX + 1];
    const struct heard *newest = &h->heard[h->count - 1];
    unsigned steps = door->sequence.count;
    bool exact = false;
    if (!sees(door, &newest->packet) || !is_step(door->sequence.steps[steps - 1], &newest->packet))
        return false;
    if (door->strict) {
        unsigned n = list_runs(door, h, h->count, newest->gaps, most, runs);
        return strict_holds(door, runs, n, steps, newest->time, &exact) && (exact || one_run(door));
    }
    if (!tolerant_holds(door, h, h->gone, h->count, steps, newest->time))
        return false;
    return one_run(door) || !doubles(door, h, h->count - 1) ||
           !tolerant_holds(door, h, h->gone, h->count - 1, steps, newest->time);
}

static uint32_t doors_opened(const struct model *model, const struct history *h, bool captured)
{
    uint32_t opened = 0;
    for (unsigned d = 0; d < DOORS; d++)
        if (opens(&model->doors[d], h, model->doors[d].strays[captured]))
            opened |= 1u << d;
    return opened;
}

/* The most first steps that are done, without those of a sequence that is complete. */
static unsigned model_stage(const struct match_door *door, const struct history *h, unsigned gaps,
                            unsigned strays, int64_t now)
{
    static struct visible runs[STEPS_MAX + 1];
    unsigned most = door->sequence.count - 1, n = 0, from = h->gone;
    struct port_proto last = door->sequence.steps[most];
    bool exact, complete;
    if (door->strict) {
        n = list_runs(door, h, h->count, gaps, strays, runs);
        complete = strict_holds(door, runs, n, most + 1, now, &exact);
    } else {
        unsigned end = h->count;
        while (end > h->gone && !(is_step(last, &h->heard[end - 1].packet) &&
                                  sees(door, &h->heard[end - 1].packet) &&
                                  tolerant_holds(door, h, h->gone, end, most + 1, now)))
            end--;
        if (end > h->gone)
            from = end - 1;
        complete = tolerant_holds(door, h, from, h->count, most + 1, now);
    }
    while (complete && most > 0 && port_proto_equal(door->sequence.steps[most - 1], last))
        most--;
    while (most > 0 && !(door->strict ? strict_holds(door, runs, n, most, now, &exact)
                                      : tolerant_holds(door, h, from, h->count, most, now)))
        most--;
    return most;
}

static bool begins_any(const struct model *model, const struct packet *p)
{
    for (unsigned d = 0; d < DOORS; d++)
        if (sees(&model->doors[d], p) && is_step(model->doors[d].sequence.steps[0], p))
            return true;
    return false;
}

/* How many packets of a run are remembered each with its time: as many as a door begins with. */
static unsigned kept_apart(const struct model *model, const struct packet *p)
{
    unsigned most = 1;
    for (unsigned d = 0; begins_any(model, p) && d < DOORS; d++) {
        const struct sequence *s = &model->doors[d].sequence;
        unsigned run = 0;
        while (run < s->count && is_step(s->steps[run], p) &&
               port_proto_equal(s->steps[run], s->steps[0]))
            run++;
        if (run > most)
            most = run;
    }
    return most;
}

/* Whether a door asks for the interface of the packet. */
static bool is_asked(const struct model *model, const struct packet *p)
{
    bool asked = false;
    for (unsigned d = 0; d < DOORS; d++)
        asked |= strlen(model->doors[d].interface) == p->in_len &&
                 memcmp(model->doors[d].interface, p->in, p->in_len) == 0;
    return asked;
}

/* Whether two packets that follow each other are in one run of the record: no door can tell them
 * apart. */
static bool joined(const struct model *model, const struct heard *a, const struct heard *b)
{
    const struct packet *p = &a->packet, *q = &b->packet;
    bool same_interface = p->in_len == q->in_len && memcmp(p->in, q->in, p->in_len) == 0;
    return a->gaps == b->gaps && same_port(p, q) && p->flags == q->flags &&
           (same_interface || (!is_asked(model, p) && !is_asked(model, q)));
}

/* The end of the run of packet `at`. */
static unsigned run_end(const struct model *model, const struct history *h, unsigned at)
{
    while (at + 1 < h->count && joined(model, &h->heard[at], &h->heard[at + 1]))
        at++;
    return at + 1;
}

/* How many packets the oldest place of the record holds, if `at` is its first one. */
static unsigned place_size(const struct model *model, const struct history *h, unsigned at)
{
    unsigned len = run_end(model, h, at) - at, apart = kept_apart(model, &h->heard[at].packet);
    return len > apart ? len - apart + 1 : 1;
}

static unsigned count_places(const struct model *model, const struct history *h)
{
    unsigned places = 0;
    for (unsigned at = h->gone; at < h->count; places++)
        at += place_size(model, h, at);
    return places;
}

static void forget_old(const struct model *model, struct history *h, int64_t now)
{
    while (h->gone < h->count) {
        unsigned size = place_size(model, h, h->gone);
        if (now - h->heard[h->gone + size - 1].time <= model->longest &&
            begins_any(model, &h->heard[h->gone].packet))
            break;
        h->gone += size;
    }
}

static void forget_most(const struct model *model, struct history *h)
{
    while (count_places(model, h) > RING)
        h->gone += place_size(model, h, h->gone);
}

/* A TCP packet whose ports are in the record: each run has those of its newest packets. */
static bool is_repeat(const struct model *model, const struct history *h, const struct packet *p)
{
    for (unsigned i = h->gone; p->proto == IPPROTO_TCP && i < h->count; i++) {
        const struct packet *old = &h->heard[i].packet;
        if (same_port(old, p) && old->spt == p->spt &&
            run_end(model, h, i) - i <= kept_apart(model, old) - 1 + RUN_PORTS)
            return true;
    }
    return false;
}

static enum match_verdict judge(const struct model *model, const struct history *h,
                                const struct packet *p)
{
    bool seen = p->proto == IPPROTO_UDP;
    for (unsigned d = 0; d < DOORS; d++)
        seen |= flags_match(model->doors[d].flags, p->flags);
    if (p->in_len == 0)
        return MATCH_OUTGOING;
    if (p->link_group)
        return MATCH_GROUP;
    if (!p->has_ports)
        return MATCH_PROTOCOL;
    if (!seen)
        return MATCH_FLAGS;
    if (is_repeat(model, h, p))
        return MATCH_REPEAT;
    return h->gone == h->count && !begins_any(model, p) ? MATCH_IDLE : MATCH_SEEN;
}

static enum match_verdict model_feed(struct model *model, unsigned source, unsigned address,
                                     const struct packet *p, int64_t now, uint32_t *opened)
{
    struct history *h = &model->histories[source][address];
    forget_old(model, h, now);
    enum match_verdict verdict = judge(model, h, p);
    *opened = 0;
    if (verdict != MATCH_SEEN)
        return verdict;
    h->heard[h->count++] = (struct heard){*p, now, model->gaps[source]};
    forget_most(model, h);
    *opened = doors_opened(model, h, source == CAPTURED);
    return verdict;
}

static void random_model(struct model *model)
{
    static const uint16_t bases[] = {7000, 7000, 20, UINT16_MAX - STEP_PORTS + 1};
    memset(model, 0, sizeof(*model));
    model->base = bases[draw(4)];
    model->clean = draw(2);
    for (unsigned d = 0; d < DOORS; d++) {
        random_door(&model->doors[d], model->ignore[d], model->base);
        if (model->doors[d].timeout > model->longest)
            model->longest = model->doors[d].timeout;
    }
}

/* --- scans --- */

static bool is_known(const struct model *model, const struct packet *p)
{
    for (unsigned d = 0; d < DOORS; d++) {
        const struct match_door *door = &model->doors[d];
        for (unsigned i = 0; i < door->sequence.count; i++)
            if (is_step(door->sequence.steps[i], p))
                return true;
        for (unsigned i = 0; i < door->ignore_count; i++)
            if (is_step(door->ignore[i], p))
                return true;
    }
    return false;
}

static void note_other(struct model *model, unsigned address, const struct packet *p, int64_t now)
{
    struct others *others = &model->others[address];
    if (!is_known(model, p))
        others->list[others->count++] = (struct other){{p->dpt, (uint8_t)p->proto}, now};
}

/* The different ports that it sent to besides, since then. */
static unsigned count_others(const struct model *model, unsigned address, int64_t since)
{
    const struct others *others = &model->others[address];
    unsigned count = 0;
    for (unsigned i = others->count; i > 0; i--) {
        const struct other *other = &others->list[i - 1];
        if (other->time < since)
            break;
        bool again = false;
        for (unsigned j = i; j < others->count && !again; j++)
            again = port_proto_equal(others->list[j].port, other->port);
        count += !again;
    }
    return count;
}

/* Doors that stay shut since the address scans: only strict ones, when it sent to many ports. */
static uint32_t doors_scanned(const struct model *model, const struct match_result *result,
                              unsigned source, unsigned address, int64_t now)
{
    uint32_t doors = 0;
    for (unsigned i = 0; i < result->scanned_count; i++) {
        const struct match_door *door = &model->doors[result->scanned[i]];
        assert_int_equal(source, CAPTURED);
        assert_true(door->strict);
        unsigned strays = door->strays[1] * (door->sequence.count - 1);
        unsigned others = count_others(model, address, now - door->timeout);
        assert_true(others > SCAN_PORTS);
        assert_true(others > strays || others > SCAN_PORTS_MOST);
        assert_true(i > 0 ||
                    (result->scanned_ports > SCAN_PORTS && result->scanned_ports <= others));
        doors |= 1u << result->scanned[i];
    }
    return doors;
}

/* One packet to both. Returns how many doors opened. */
static unsigned compare_packet(struct model *model, struct matcher *m, unsigned source,
                               unsigned address, const struct packet *p, int64_t now)
{
    uint32_t got = 0, want;
    enum match_verdict expected = model_feed(model, source, address, p, now, &want);
    struct match_result result = matcher_feed(m, source, p, now, UINT_MAX);
    for (unsigned i = 0; i < result.opened_count; i++)
        got |= 1u << result.opened[i];
    if (source == CAPTURED && expected != MATCH_OUTGOING && expected != MATCH_GROUP &&
        expected != MATCH_PROTOCOL && expected != MATCH_FLAGS)
        note_other(model, address, p, now);
    model->scanned += result.scanned_count;
    got |= doors_scanned(model, &result, source, address, now);
    if (result.verdict != expected || got != want)
        fail_msg("%u:%u: verdict %d, doors %x; the model says %d, %x", p->dpt, p->spt,
                 (int)result.verdict, got, (int)expected, want);
    const struct history *h = &model->histories[source][address];
    unsigned reached[DOORS] = {0};
    for (unsigned i = 0; i < result.reached_count; i++)
        reached[result.reached[i].door] = result.reached[i].stage;
    for (unsigned d = 0; d < DOORS; d++) {
        unsigned right = 0;
        if (h->gone < h->count) {
            unsigned stage = matcher_stage(m, source, &p->src, now, d);
            right = model_stage(&model->doors[d], h, model->gaps[source],
                                model->doors[d].strays[source == CAPTURED], now);
            if (stage != right)
                fail_msg("%u:%u, door %u: stage %u; the model says %u", p->dpt, p->spt, d, stage,
                         right);
        }
        if (reached[d] > 0 && reached[d] != right)
            fail_msg("%u:%u, door %u: reached %u; the model says %u", p->dpt, p->spt, d, reached[d],
                     right);
    }
    return result.opened_count;
}

/* One round: its own doors, PACKETS packets. Returns how many doors opened. */
static unsigned compare_round(struct model *model, unsigned round)
{
    uint8_t key[16];
    unsigned openings = 0;
    int64_t now = draw(1000);
    struct packet last = {0};
    random_model(model);
    crypto_random(key, sizeof(key));
    struct matcher *m = matcher_new(model->doors, DOORS, SOURCES * ADDRESSES, key);
    assert_non_null(m);
    matcher_set_captured(m, CAPTURED);
    for (unsigned i = 0; i < PACKETS; i++) {
        unsigned source = draw(SOURCES), address = draw(ADDRESSES);
        struct packet p = random_packet(model, address);
        if (i > 0 && draw(3) == 0) {
            /* The same once more, perhaps from another port: else there would be few runs. */
            p = last;
            p.src.bytes[3] = (uint8_t)address;
            p.spt = (uint16_t)(draw(3) ? draw(1000) : last.spt);
        }
        last = p;
        now += draw(100) ? draw(round % 4 + 1) : draw(80);
        if (draw(60) == 0) {
            matcher_gap(m, source);
            model->gaps[source]++;
        }
        openings += compare_packet(model, m, source, address, &p, now);
    }
    assert_int_equal(matcher_counters(m)->opened, openings);
    assert_int_equal(matcher_counters(m)->evicted, 0);
    matcher_free(m);
    return openings;
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof(*model));
    unsigned openings = 0, scanned = 0;
    assert_non_null(model);
    draw_seed();
    for (unsigned round = 0; round < ROUNDS; round++)
        openings += compare_round(model, round), scanned += model->scanned;
    print_message("# %u packets, %u doors opened, %u not for a scan\n", ROUNDS * PACKETS, openings,
                  scanned);
    assert_true(scanned > 0);
    assert_true(openings > ROUNDS * 100); /* else the test compares little */
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
