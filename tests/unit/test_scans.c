/*
 * Scans of all ports, by any stride and by workers in lockstep, through the filter of a capture to
 * the matcher: none opens a strict door, even one whose steps lie on its way. And who doesn't scan
 * isn't taken for it.
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

#include "lib/capture.h"
#include "lib/carrier.h"
#include "lib/crypto.h"
#include "listener/matcher.h"
#include "listener/port_scan.h"
#include "random_help.h"

#define SECOND INT64_C(1000000000)

enum { PORTS = 65536, DOORS = 64, STEPS = 3, SERVED = 4433 };

/* --- scans --- */

/* All ports in the order of a scan: by a stride, or `workers` side by side, each with its part. */
static void order_ports(unsigned stride, unsigned workers, bool down, uint16_t order[PORTS])
{
    unsigned count = 0;
    if (workers > 0) {
        for (unsigned i = 0; i < PORTS / workers; i++)
            for (unsigned w = 0; w < workers; w++)
                order[count++] = (uint16_t)(w * (PORTS / workers) + i);
    } else {
        for (unsigned first = 0; first < stride; first++)
            for (unsigned port = first; port < PORTS; port += stride)
                order[count++] = (uint16_t)port;
    }
    assert_int_equal(count, PORTS);
    for (unsigned i = 0; down && i < PORTS / 2; i++) {
        uint16_t swapped = order[i];
        order[i] = order[PORTS - 1 - i];
        order[PORTS - 1 - i] = swapped;
    }
}

/* A door whose steps the scan meets in order, with two other ports between them at most, from some
 * place on that isn't among the first. */
static void lay_on_the_way(struct config_door *door, const uint16_t order[PORTS], uint8_t proto,
                           unsigned earliest)
{
    unsigned at = earliest + draw(PORTS - earliest - 3 * STEPS);
    door->sequence.count = STEPS;
    for (unsigned i = 0; i < STEPS; i++) {
        door->sequence.steps[i] = (struct port_proto){.port = order[at] ? order[at] : 1,
                                                      .proto = proto ? proto : IPPROTO_TCP};
        at += 1 + draw(3);
    }
}

/* As knockctl draws them. */
static void draw_sequence(struct config_door *door)
{
    door->sequence.count = STEPS;
    for (unsigned i = 0; i < STEPS; i++)
        door->sequence.steps[i] = (struct port_proto){.port = (uint16_t)(1024 + draw(31000)),
                                                      .proto = draw(3) ? IPPROTO_TCP : IPPROTO_UDP};
}

/* --- one scan --- */

static struct port_proto served[] = {{SERVED, IPPROTO_UDP}, {SERVED, IPPROTO_TCP}};

static struct matcher *make_matcher(const struct config_door *doors, unsigned count)
{
    static const uint8_t key[16] = {1};
    struct match_door match[DOORS] = {{.timeout = 0}};
    for (unsigned i = 0; i < count; i++)
        match[i] = (struct match_door){.sequence = doors[i].sequence,
                                       .timeout = doors[i].seq_timeout ? doors[i].seq_timeout
                                                                       : 25 * SECOND,
                                       .flags = doors[i].flags,
                                       .strict = true,
                                       .strays = {0, STRAYS_CAPTURED},
                                       .ignore = served,
                                       .ignore_count = 2};
    struct matcher *m = matcher_new(match, count, 1024, key);
    assert_non_null(m);
    assert_true(matcher_set_captured(m, 0));
    return m;
}

static size_t build(struct port_proto port, uint8_t out[48])
{
    memset(out, 0, 48);
    out[0] = 0x45;
    out[9] = port.proto;
    out[22] = (uint8_t)(port.port >> 8);
    out[23] = (uint8_t)port.port;
    out[32] = 5 << 4;
    out[33] = TCP_SYN;
    return 40;
}

static unsigned send_port(struct matcher *m, const struct capture_filter *filter,
                          struct port_proto port, int64_t now)
{
    uint8_t bytes[48];
    struct packet packet = {.src = {4, {203, 0, 113, 9}},
                            .dst = {4, {192, 0, 2, 1}},
                            .proto = port.proto,
                            .spt = (uint16_t)draw(PORTS),
                            .dpt = port.port,
                            .flags = port.proto == IPPROTO_TCP ? TCP_SYN : 0,
                            .has_ports = true,
                            .in_len = 4,
                            .in = "eth0"};
    if (!capture_filter_takes(filter, bytes, build(port, bytes)))
        return 0;
    return matcher_feed(m, 0, &packet, now, 0).opened_count;
}

static struct capture_filter *make_filter(const struct config_door *doors, unsigned count)
{
    const struct config config = {.doors = (struct config_door *)(uintptr_t)doors,
                                  .door_count = count};
    struct capture_ports *ports = malloc(sizeof(*ports));
    char why[256];
    assert_non_null(ports);
    capture_ports_init(ports, &config, CAPTURE_ANY);
    struct capture_filter *filter = capture_filter_new(ports, 4, why, sizeof(why));
    if (!filter)
        fail_msg("%s", why);
    free(ports);
    return filter;
}

/* Returns how many doors the scan opened; `proto` 0: each port by TCP and UDP. */
static unsigned scan(const struct config_door *doors, unsigned count, const uint16_t order[PORTS],
                     uint8_t proto, unsigned rate)
{
    struct capture_filter *filter = make_filter(doors, count);
    struct matcher *m = make_matcher(doors, count);
    unsigned opened = 0;
    int64_t now = 1;
    for (unsigned i = 0; i < PORTS; i++, now += SECOND / rate) {
        if (proto != IPPROTO_UDP)
            opened += send_port(m, filter, (struct port_proto){order[i], IPPROTO_TCP}, now);
        if (proto != IPPROTO_TCP)
            opened += send_port(m, filter, (struct port_proto){order[i], IPPROTO_UDP}, now);
    }
    matcher_free(m);
    capture_filter_free(filter);
    return opened;
}

static void make_doors(struct config_door doors[DOORS], const uint16_t order[PORTS], uint8_t proto,
                       unsigned earliest)
{
    memset(doors, 0, DOORS * sizeof(*doors));
    for (unsigned i = 0; i < DOORS; i++) {
        doors[i].flags = (struct flag_match){TCP_SYN, TCP_ACK};
        doors[i].port = served[0];
        if (i % 8 == 0)
            draw_sequence(&doors[i]);
        else
            lay_on_the_way(&doors[i], order, proto, earliest);
    }
}

/* --- tests --- */

/* But for the first ports that it sends to: by UDP, of which one in 64 is heard, some more. */
static void no_scan_opens_a_door(void **state)
{
    static const struct {
        unsigned stride, workers;
    } scans[] = {{129, 0},  {130, 0},  {200, 0},  {256, 0},  {257, 0},  {500, 0}, {512, 0},
                 {1000, 0}, {1009, 0}, {1024, 0}, {1111, 0}, {2000, 0}, {0, 8},   {0, 64}};
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, 0};
    uint16_t *order = calloc(PORTS, sizeof(*order));
    struct config_door *doors = calloc(DOORS, sizeof(*doors));
    (void)state;
    if (!capture_is_built())
        skip();
    draw_seed();
    for (size_t i = 0; i < sizeof(scans) / sizeof(*scans); i++) {
        for (unsigned j = 0; j < 6; j++) {
            uint8_t proto = protos[j % 3];
            order_ports(scans[i].stride, scans[i].workers, j >= 3, order);
            make_doors(doors, order, proto, proto == IPPROTO_UDP ? 2560 : 32);
            unsigned opened = scan(doors, DOORS, order, proto, 10000);
            if (opened > 0)
                fail_msg("stride %u, %u workers, protocol %u, %s: opened %u doors", scans[i].stride,
                         scans[i].workers, proto, j >= 3 ? "down" : "up", opened);
        }
    }
    free(doors);
    free(order);
}

/* One port a second is 18 hours for all of them; by TCP it is seen. */
static void nor_does_a_slow_one(void **state)
{
    uint16_t *order = calloc(PORTS, sizeof(*order));
    struct config_door *doors = calloc(DOORS, sizeof(*doors));
    (void)state;
    if (!capture_is_built())
        skip();
    draw_seed();
    order_ports(1000, 0, false, order);
    make_doors(doors, order, IPPROTO_TCP, 32);
    assert_int_equal(scan(doors, DOORS, order, IPPROTO_TCP, 1), 0);
    free(doors);
    free(order);
}

/* What the manual page says can't be known: a scan that begins with the steps. */
static void one_that_begins_with_the_steps_does(void **state)
{
    struct config_door door = {
        .flags = {TCP_SYN, TCP_ACK},
        .sequence = {3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_TCP}, {9000, IPPROTO_TCP}}}};
    uint16_t *order = calloc(PORTS, sizeof(*order));
    (void)state;
    if (!capture_is_built())
        skip();
    order_ports(1000, 0, false, order);
    assert_int_equal(scan(&door, 1, order, IPPROTO_TCP, 1000), 1);
    order_ports(500, 0, false, order);
    door.sequence.steps[0].port = 7001;
    door.sequence.steps[1].port = 8001;
    door.sequence.steps[2].port = 9001;
    assert_int_equal(scan(&door, 1, order, IPPROTO_TCP, 1000), 0);
    free(order);
}

/* --- who doesn't scan --- */

struct knocker {
    struct matcher *m;
    int64_t now;
};

static unsigned feed(struct knocker *k, uint8_t address, uint16_t port, uint8_t proto)
{
    struct packet packet = {.src = {4, {203, 0, 113, address}},
                            .dst = {4, {192, 0, 2, 1}},
                            .proto = proto,
                            .spt = (uint16_t)draw(PORTS),
                            .dpt = port,
                            .flags = proto == IPPROTO_TCP ? TCP_SYN : 0,
                            .has_ports = true,
                            .in_len = 4,
                            .in = "eth0"};
    struct match_result result = matcher_feed(k->m, 0, &packet, k->now++, 0);
    assert_false(result.opened_count && result.scanned_count);
    return result.opened_count;
}

static const struct config_door plain_door = {
    .flags = {TCP_SYN, TCP_ACK},
    .sequence = {3, {{7000, IPPROTO_TCP}, {18000, IPPROTO_TCP}, {33000, IPPROTO_TCP}}}};

static unsigned knock(struct knocker *k, uint8_t address)
{
    unsigned opened = feed(k, address, 7000, IPPROTO_TCP);
    opened += feed(k, address, 18000, IPPROTO_TCP);
    return opened + feed(k, address, 33000, IPPROTO_TCP);
}

static void who_sends_to_few_ports_opens(void **state)
{
    struct knocker k = {make_matcher(&plain_door, 1), 1};
    (void)state;
    draw_seed();
    /* Many packets to what is served, and to some others; many knocks. */
    for (unsigned i = 0; i < 1000; i++) {
        feed(&k, 1, SERVED, i % 2 ? IPPROTO_TCP : IPPROTO_UDP);
        feed(&k, 1, (uint16_t)(8080 + i % SCAN_PORTS), IPPROTO_TCP);
        assert_int_equal(i % 50 ? 1 : knock(&k, 1), 1);
    }
    /* As many strays as are forgiven, all different. */
    assert_int_equal(feed(&k, 2, 7000, IPPROTO_TCP), 0);
    assert_int_equal(feed(&k, 2, 80, IPPROTO_TCP) + feed(&k, 2, 81, IPPROTO_TCP), 0);
    assert_int_equal(feed(&k, 2, 18000, IPPROTO_TCP), 0);
    assert_int_equal(feed(&k, 2, 82, IPPROTO_TCP) + feed(&k, 2, 83, IPPROTO_TCP), 0);
    assert_int_equal(feed(&k, 2, 33000, IPPROTO_TCP), 1);
    matcher_free(k.m);
}

/* As many ports as make a scan: one more than are let go. */
static void send_to_many(struct knocker *k, uint8_t address)
{
    for (unsigned i = 0; i <= SCAN_PORTS; i++)
        feed(k, address, (uint16_t)(1000 + 7 * i), IPPROTO_TCP);
}

/* As soon as the time of an attempt has gone by, and no sooner. */
static void who_scanned_opens_later(void **state)
{
    struct knocker k = {make_matcher(&plain_door, 1), 1};
    (void)state;
    for (unsigned i = 0; i < 3 * SCAN_PORTS; i++)
        feed(&k, 1, (uint16_t)(1000 + 7 * i), IPPROTO_TCP);
    int64_t last = k.now - 1;
    assert_int_equal(knock(&k, 1), 0);
    assert_int_equal(knock(&k, 2), 1);
    k.now = last + 24 * SECOND;
    assert_int_equal(knock(&k, 1), 0);
    k.now = last + 25 * SECOND + 1;
    assert_int_equal(knock(&k, 1), 1);
    /* Not by being watched all the time either: one port less, again and again. */
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned j = 0; j < SCAN_PORTS; j++)
            feed(&k, 3, (uint16_t)(1000 + 100 * i + j), IPPROTO_TCP);
        assert_int_equal(knock(&k, 3), 1);
        k.now += 25 * SECOND;
    }
    matcher_free(k.m);
}

/* A door that takes its time keeps no other shut: each counts in its own. */
static void each_door_counts_in_its_own_time(void **state)
{
    struct config_door doors[2] = {plain_door, plain_door};
    doors[0].seq_timeout = 10 * SECOND;
    doors[1].seq_timeout = 3600 * SECOND;
    for (unsigned i = 0; i < STEPS; i++)
        doors[1].sequence.steps[i].port++;
    struct knocker k = {make_matcher(doors, 2), 1};
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        feed(&k, 1, (uint16_t)(40000 + 211 * i), IPPROTO_TCP);
    int64_t last = k.now - 1;
    k.now = last + 9 * SECOND;
    assert_int_equal(knock(&k, 1), 0);
    k.now = last + 30 * SECOND;
    assert_int_equal(knock(&k, 1), 1);
    for (int late = 0; late < 2; late++) {
        k.now = last + (late ? 3601 : 3500) * SECOND;
        feed(&k, 1, 7001, IPPROTO_TCP);
        feed(&k, 1, 18001, IPPROTO_TCP);
        assert_int_equal(feed(&k, 1, 33001, IPPROTO_TCP), late);
    }
    matcher_free(k.m);
}

/* One packet more doesn't prolong what many did: only ports that are different count, each by its
 * newest packet. */
static void a_port_counts_once(void **state)
{
    struct knocker k = {make_matcher(&plain_door, 1), 1};
    (void)state;
    send_to_many(&k, 1);
    for (unsigned i = 0; i < 30; i++) {
        k.now += SECOND;
        for (unsigned j = 0; j < SCAN_PORTS; j++)
            feed(&k, 1, (uint16_t)(1000 + 7 * j), IPPROTO_TCP);
        assert_int_equal(knock(&k, 1), i >= 24);
    }
    matcher_free(k.m);
}

/* Who is scanning, or whose name is forged: the matcher leaves all of a sealed knock to others; and
 * it brings no plain knock of the same address to ruin. */
static void sealed_knocks_are_no_part_of_it(void **state)
{
    enum { SPAN = 20000, PACKET_PORT = 40000 };
    struct knocker k = {make_matcher(&plain_door, 1), 1};
    unsigned pieces = 0;
    (void)state;
    matcher_set_span(k.m, SPAN, PACKET_PORT);
    for (unsigned i = 0; i < 2 * (CARRIER_SPAN_SIZE + 1); i++) {
        struct packet packet = {.src = {4, {203, 0, 113, 1}},
                                .dst = {4, {192, 0, 2, 1}},
                                .proto = i % 2 ? IPPROTO_TCP : IPPROTO_UDP,
                                .spt = 4000,
                                .dpt = (uint16_t)(SPAN + i / 2),
                                .flags = i % 2 ? TCP_SYN : 0,
                                .has_ports = true,
                                .in_len = 4,
                                .in = "eth0"};
        if (i / 2 == CARRIER_SPAN_SIZE)
            packet.dpt = PACKET_PORT;
        if (packet.dpt != PACKET_PORT ? !carrier_has(SPAN, (uint8_t)packet.proto, packet.dpt)
                                      : packet.proto == IPPROTO_TCP)
            continue;
        assert_int_equal(matcher_feed(k.m, 0, &packet, k.now, 0).verdict, MATCH_SEALED);
        packet.src.bytes[3] = 2;
        send_to_many(&k, 2);
        assert_int_equal(matcher_feed(k.m, 0, &packet, k.now, 0).verdict, MATCH_SEALED);
        pieces++;
    }
    assert_true(pieces > 2 * SCAN_PORTS);
    assert_int_equal(knock(&k, 1), 1);
    assert_int_equal(knock(&k, 2), 0);
    matcher_free(k.m);
}

/* Forged packets from everywhere, to any port, keep nobody out; and no door's memory grows. */
static void a_flood_keeps_nobody_out(void **state)
{
    struct knocker k = {make_matcher(&plain_door, 1), 1};
    unsigned opened = 0;
    (void)state;
    draw_seed();
    for (unsigned i = 0; i < 500000; i++) {
        struct packet packet = {
            .src = {4, {10, (uint8_t)draw(256), (uint8_t)draw(256), (uint8_t)draw(256)}},
            .dst = {4, {192, 0, 2, 1}},
            .proto = IPPROTO_TCP,
            .dpt = (uint16_t)draw(PORTS),
            .flags = TCP_SYN,
            .has_ports = true,
            .in_len = 4,
            .in = "eth0"};
        matcher_feed(k.m, 0, &packet, k.now, 0);
        k.now += SECOND / 20000;
        if (i % 5000 == 4999)
            opened += knock(&k, (uint8_t)(i / 5000));
    }
    assert_int_equal(opened, 100);
    matcher_free(k.m);
}

/* --- the table --- */

static void counts_different_ports(void **state)
{
    static const uint8_t key[16] = {7};
    struct port_scan *scan = port_scan_new(64, 4, 10 * SECOND, key);
    const struct addr a = {4, {1, 2, 3, 4}}, b = {4, {1, 2, 3, 5}};
    (void)state;
    assert_non_null(scan);
    assert_int_equal(port_scan_count(scan, 0, &a, 0), 0);
    for (unsigned i = 0; i < 100; i++)
        port_scan_note(scan, 0, &a, (struct port_proto){80, IPPROTO_TCP}, 1);
    assert_int_equal(port_scan_count(scan, 0, &a, 0), 1);
    port_scan_note(scan, 0, &a, (struct port_proto){80, IPPROTO_UDP}, 2);
    port_scan_note(scan, 0, &a, (struct port_proto){443, IPPROTO_TCP}, 3);
    static const unsigned since[] = {3, 3, 2, 1, 0};
    for (int64_t t = 0; t < 5; t++)
        assert_int_equal(port_scan_count(scan, 0, &a, t), since[t]);
    assert_int_equal(port_scan_count(scan, 1, &a, 0), 0);
    assert_int_equal(port_scan_count(scan, 0, &b, 0), 0);
    /* A port counts by its newest packet. */
    port_scan_note(scan, 0, &a, (struct port_proto){80, IPPROTO_TCP}, 7);
    assert_int_equal(port_scan_count(scan, 0, &a, 7), 1);
    assert_int_equal(port_scan_count(scan, 0, &a, 0), 3);
    /* Of more than there is room for the newest are kept. */
    for (uint16_t i = 0; i < 10; i++)
        port_scan_note(scan, 0, &a, (struct port_proto){i, IPPROTO_TCP}, 10 + i);
    assert_int_equal(port_scan_count(scan, 0, &a, 0), 4);
    assert_int_equal(port_scan_count(scan, 0, &a, 16), 4);
    assert_int_equal(port_scan_count(scan, 0, &a, 17), 3);
    port_scan_free(scan);
    port_scan_free(NULL);
}

/* An address that has sent to several ports keeps its cell, one that sent to one doesn't, nor one
 * whose time is over. */
static void forged_addresses_push_no_scan_out(void **state)
{
    static const uint8_t key[16] = {7};
    struct port_scan *scan = port_scan_new(1, SCAN_PORTS + 1, SECOND, key);
    const struct addr a = {4, {1, 2, 3, 4}}, b = {4, {1, 2, 3, 5}};
    (void)state;
    port_scan_note(scan, 0, &b, (struct port_proto){80, IPPROTO_TCP}, 1);
    for (uint16_t i = 0; i < 12; i++) {
        port_scan_note(scan, 0, &a, (struct port_proto){(uint16_t)(100 + i), IPPROTO_TCP}, 2);
        if (i > 0)
            port_scan_note(scan, 0, &b, (struct port_proto){80, IPPROTO_TCP}, 2);
    }
    assert_true(port_scan_count(scan, 0, &a, 0) > SCAN_PORTS);
    assert_int_equal(port_scan_count(scan, 0, &b, 0), 0);
    port_scan_note(scan, 0, &b, (struct port_proto){80, IPPROTO_TCP}, 2 + SECOND);
    assert_int_equal(port_scan_count(scan, 0, &b, 0), 0);
    port_scan_note(scan, 0, &b, (struct port_proto){80, IPPROTO_TCP}, 3 + SECOND);
    assert_int_equal(port_scan_count(scan, 0, &b, 0), 1);
    assert_int_equal(port_scan_count(scan, 0, &a, 0), 0);
    port_scan_free(scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_scan_opens_a_door),
        cmocka_unit_test(nor_does_a_slow_one),
        cmocka_unit_test(one_that_begins_with_the_steps_does),
        cmocka_unit_test(who_sends_to_few_ports_opens),
        cmocka_unit_test(who_scanned_opens_later),
        cmocka_unit_test(each_door_counts_in_its_own_time),
        cmocka_unit_test(a_port_counts_once),
        cmocka_unit_test(sealed_knocks_are_no_part_of_it),
        cmocka_unit_test(a_flood_keeps_nobody_out),
        cmocka_unit_test(counts_different_ports),
        cmocka_unit_test(forged_addresses_push_no_scan_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
