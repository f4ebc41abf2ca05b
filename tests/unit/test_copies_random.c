/*
 * A thousand knocks through three gateways, as one of them hears them: its own log, which lacks
 * what the others' packets were, and two streams that bring all of it, each in its own time, one of
 * them parts of it twice. Each knock counts exactly once, whichever source brings it first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "keeper/copies.h"
#include "listener/matcher.h"
#include "random_help.h"

enum {
    KNOCKS = 1000,
    CLIENTS = 40,
    STEPS = 3,
    SOURCES = 3,
    LAG_MS = 3000,
    LOST = 30,
    STREAM = 2,
    AGAIN = 4
};

#define MS INT64_C(1000000)

/* A packet as a source brings it. */
struct delivery {
    int64_t time;
    unsigned source, knock, step;
    unsigned order; /* of equal times */
};

static struct delivery deliveries[2 * KNOCKS * STEPS * SOURCES];
static unsigned delivery_count;

static int by_time(const void *a, const void *b)
{
    const struct delivery *one = a, *other = b;
    if (one->time != other->time)
        return one->time < other->time ? -1 : 1;
    return one->order < other->order ? -1 : 1;
}

static void add_delivery(unsigned source, unsigned packet, int64_t time)
{
    assert_true(delivery_count < sizeof(deliveries) / sizeof(*deliveries));
    deliveries[delivery_count] =
        (struct delivery){time, source, packet / STEPS, packet % STEPS, delivery_count};
    delivery_count++;
}

/* Each source brings packets in their order, late by up to LAG_MS; the own log has some of them,
 * and STREAM brings some of its last ones once more now and then. */
static void make_deliveries(void)
{
    delivery_count = 0;
    for (unsigned source = 0; source < SOURCES; source++) {
        int64_t last = 0;
        for (unsigned i = 0; i < KNOCKS * STEPS; i++) {
            int64_t sent = (i / STEPS * 200 + i % STEPS * 20) * MS;
            int64_t comes = sent + draw(LAG_MS) * MS;
            if (source == 0 && draw(100) < LOST)
                continue;
            last = comes > last ? comes : last;
            add_delivery(source, i, last);
            unsigned again = source == STREAM && draw(100) < AGAIN ? draw(10) : 0;
            for (unsigned k = i + 1 > again ? i + 1 - again : 0; k <= i && again > 0; k++)
                add_delivery(source, k, last);
        }
    }
    qsort(deliveries, delivery_count, sizeof(*deliveries), by_time);
}

/* Each packet comes from a port of its own. */
static struct packet packet_of(const struct delivery *delivery, const struct match_door *door)
{
    struct port_proto step = door->sequence.steps[delivery->step];
    return (struct packet){
        .src = {4, {192, 0, 2, (uint8_t)(delivery->knock % CLIENTS)}},
        .dst = {4, {198, 51, 100, (uint8_t)(delivery->knock % 3)}},
        .proto = step.proto,
        .flags = step.proto == IPPROTO_UDP ? 0 : TCP_SYN,
        .has_ports = true,
        .spt = (uint16_t)(32768 + delivery->knock * STEPS + delivery->step),
        .dpt = step.port,
        .in = "eth0",
        .in_len = 4,
    };
}

static void count_knocks(uint8_t first, uint8_t second, uint8_t third)
{
    static const char *const names[SOURCES] = {"local", "hub", "mesh"};
    const struct match_door door = {.sequence = {STEPS,
                                                 {{7412, first}, {8733, second}, {51990, third}}},
                                    .timeout = 7 * CLIENTS * 20 * MS,
                                    .flags = {TCP_SYN, TCP_ACK},
                                    .strict = true};
    const uint8_t key[16] = {3};
    unsigned counted[KNOCKS] = {0}, copied = 0;
    struct matcher *matcher = matcher_new(&door, 1, 1024, key);
    struct copies *copies = copies_new(key);
    assert_non_null(matcher);
    assert_non_null(copies);
    matcher_set_remote(matcher, STREAM);
    make_deliveries();
    for (unsigned i = 0; i < delivery_count; i++) {
        const struct delivery *delivery = &deliveries[i];
        struct packet packet = packet_of(delivery, &door);
        struct match_result result =
            matcher_feed(matcher, delivery->source, &packet, delivery->time, 0);
        struct copies_knock knock = {.port = packet.spt, .address = packet.src, .what = "sdoor"};
        if (result.opened_count == 0)
            continue;
        const struct copies_source source = {.name = names[delivery->source],
                                             .again = delivery->source == STREAM ? 10000 * MS : 0};
        bool copy =
            copies_note(copies, &knock, &source, delivery->time, delivery->time + 20000 * MS);
        copied += copy;
        counted[delivery->knock] += !copy;
    }
    for (unsigned i = 0; i < KNOCKS; i++)
        if (counted[i] != 1)
            fail_msg("knock %u counts %u times", i, counted[i]);
    /* Both streams, and the own log where it has enough. */
    assert_in_range(copied, KNOCKS + 1, 2 * KNOCKS);
    assert_int_equal(copies_of(copies, NULL), copied);
    copies_free(copies);
    matcher_free(matcher);
}

static void each_knock_counts_once(void **state)
{
    (void)state;
    count_knocks(IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP);
    count_knocks(IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP);
    count_knocks(IPPROTO_UDP, IPPROTO_UDP, IPPROTO_UDP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_knock_counts_once),
    };
    draw_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
