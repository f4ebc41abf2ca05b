/*
 * The matcher against a slow model of the same rules: per (source, address) every packet is kept,
 * and the doors are searched forwards, by definition. Random packets over few ports, so that knocks
 * come about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyed.h"
#include "listener/matcher.h"

enum { ROUNDS = 100, PACKETS = 4000, DOORS = 6, ADDRESSES = 4, SOURCES = 2, RING = 32 };

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

struct model {
    struct match_door doors[DOORS];
    struct step ignore[DOORS][2];
    int64_t longest;
    unsigned gaps[SOURCES];
    struct history histories[SOURCES][ADDRESSES];
};

static uint64_t random_state;

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint32_t draw(uint32_t below)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % below);
}

static struct step random_step(void)
{
    return (struct step){(uint16_t)(7000 + draw(4)), draw(5) ? IPPROTO_TCP : IPPROTO_UDP};
}

static void random_door(struct match_door *door, struct step ignore[2])
{
    static const struct flag_match flags[] = {
        {TCP_SYN, TCP_ACK}, {TCP_SYN, TCP_ACK}, {TCP_FIN, 0}, {0, 0}};
    memset(door, 0, sizeof(*door));
    door->sequence.count = 1 + draw(5);
    for (unsigned i = 0; i < door->sequence.count; i++)
        door->sequence.steps[i] = random_step();
    door->timeout = 20 + draw(40);
    door->flags = flags[draw(4)];
    door->strict = draw(2);
    if (draw(4) == 0)
        door->target = (struct addr){4, {192, 0, 2, (uint8_t)draw(2)}};
    if (draw(4) == 0)
        snprintf(door->interface, sizeof(door->interface), "eth%u", draw(2));
    ignore[0] = random_step();
    ignore[1] = random_step();
    door->ignore = ignore;
    door->ignore_count = draw(3);
}

static struct packet random_packet(unsigned address)
{
    static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_SYN, TCP_FIN, TCP_SYN | TCP_ACK};
    struct step step = random_step();
    struct packet p = {.src = {4, {198, 51, 100, (uint8_t)address}}, .proto = step.proto};
    p.dst = (struct addr){4, {192, 0, 2, (uint8_t)(draw(4) == 0)}};
    p.spt = (uint16_t)draw(40);
    p.dpt = step.port;
    p.flags = step.proto == IPPROTO_TCP ? flags[draw(5)] : 0;
    p.has_ports = draw(50) > 0;
    p.in = draw(4) ? "eth0" : "eth1";
    p.in_len = draw(50) ? 4 : 0;
    p.link_group = draw(50) == 0;
    return p;
}

static bool is_step(struct step step, const struct packet *p)
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

/* Whether an attempt that begins with packet `at` for its step `step` can end with the newest. */
static bool attempt(const struct match_door *door, const struct history *h, unsigned at,
                    unsigned step)
{
    const struct heard *now = &h->heard[h->count - 1];
    const struct heard *here = &h->heard[at];
    if (!sees(door, &here->packet) || !is_step(door->sequence.steps[step], &here->packet))
        return false;
    if (now->time - here->time > door->timeout || (door->strict && here->gaps != now->gaps))
        return false;
    if (step + 1 == door->sequence.count)
        return at + 1 == h->count;
    for (unsigned next = at + 1; next < h->count; next++) {
        if (attempt(door, h, next, step + 1))
            return true;
        if (door->strict && may_be_stray(door, &h->heard[next].packet))
            return false;
    }
    return false;
}

static uint32_t doors_opened(const struct model *model, const struct history *h)
{
    uint32_t opened = 0;
    for (unsigned d = 0; d < DOORS; d++)
        for (unsigned at = h->gone; at < h->count; at++)
            if (attempt(&model->doors[d], h, at, 0))
                opened |= 1u << d;
    return opened;
}

static bool begins_any(const struct model *model, const struct packet *p)
{
    for (unsigned d = 0; d < DOORS; d++)
        if (sees(&model->doors[d], p) && is_step(model->doors[d].sequence.steps[0], p))
            return true;
    return false;
}

static void forget(const struct model *model, struct history *h, int64_t now)
{
    if (h->count - h->gone > RING)
        h->gone = h->count - RING;
    while (h->gone < h->count && (now - h->heard[h->gone].time > model->longest ||
                                  !begins_any(model, &h->heard[h->gone].packet)))
        h->gone++;
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
    for (unsigned i = h->gone; i < h->count; i++) {
        const struct packet *old = &h->heard[i].packet;
        if (old->proto == p->proto && old->spt == p->spt && old->dpt == p->dpt &&
            addr_equal(&old->dst, &p->dst))
            return MATCH_REPEAT;
    }
    return h->gone == h->count && !begins_any(model, p) ? MATCH_IDLE : MATCH_SEEN;
}

static enum match_verdict model_feed(struct model *model, unsigned source, unsigned address,
                                     const struct packet *p, int64_t now, uint32_t *opened)
{
    struct history *h = &model->histories[source][address];
    forget(model, h, now);
    enum match_verdict verdict = judge(model, h, p);
    *opened = 0;
    if (verdict != MATCH_SEEN)
        return verdict;
    h->heard[h->count++] = (struct heard){*p, now, model->gaps[source]};
    if (h->count - h->gone > RING)
        h->gone = h->count - RING;
    *opened = doors_opened(model, h);
    return verdict;
}

static void note_opening(void *arg, unsigned door)
{
    uint32_t *opened = arg;
    assert_false(*opened & 1u << door);
    *opened |= 1u << door;
}

static void random_model(struct model *model)
{
    memset(model, 0, sizeof(*model));
    for (unsigned d = 0; d < DOORS; d++) {
        random_door(&model->doors[d], model->ignore[d]);
        if (model->doors[d].timeout > model->longest)
            model->longest = model->doors[d].timeout;
    }
}

/* One round: its own doors, PACKETS packets. Returns how many doors opened. */
static unsigned compare_round(struct model *model, unsigned round)
{
    uint8_t key[16];
    unsigned openings = 0;
    int64_t now = draw(1000);
    random_model(model);
    keyed_random(key, sizeof(key));
    struct matcher *m = matcher_new(model->doors, DOORS, SOURCES * ADDRESSES, key);
    assert_non_null(m);
    for (unsigned i = 0; i < PACKETS; i++) {
        unsigned source = draw(SOURCES), address = draw(ADDRESSES);
        struct packet p = random_packet(address);
        uint32_t got = 0, want = 0;
        now += draw(100) ? draw(round % 4 + 1) : draw(80);
        if (draw(60) == 0) {
            matcher_gap(m, source);
            model->gaps[source]++;
        }
        enum match_verdict verdict = matcher_feed(m, source, &p, now, note_opening, &got);
        enum match_verdict expected = model_feed(model, source, address, &p, now, &want);
        if (verdict != expected || got != want)
            fail_msg("round %u, packet %u: verdict %d, doors %x; the model says %d, %x", round, i,
                     (int)verdict, got, (int)expected, want);
        for (unsigned d = 0; d < DOORS; d++) {
            if (!(got & 1u << d))
                continue;
            openings++;
            assert_int_equal(matcher_stage(m, source, &p.src, now, d),
                             model->doors[d].sequence.count);
        }
    }
    assert_int_equal(matcher_counters(m)->opened, openings);
    assert_int_equal(matcher_counters(m)->evicted, 0);
    matcher_free(m);
    return openings;
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    const char *given = getenv("SEED"); /* to repeat a failure */
    struct model *model = malloc(sizeof(*model));
    unsigned openings = 0;
    assert_non_null(model);
    keyed_random(&random_state, sizeof(random_state));
    if (given)
        random_state = strtoull(given, NULL, 10);
    print_message("# SEED=%llu\n", (unsigned long long)random_state);
    for (unsigned round = 0; round < ROUNDS; round++)
        openings += compare_round(model, round);
    print_message("# %u packets, %u doors opened\n", ROUNDS * PACKETS, openings);
    assert_true(openings > ROUNDS * 100); /* else the test compares little */
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
