/* Many addresses, whole scans, floods of spoofed packets, and what a packet costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/crypto.h"
#include "listener/matcher.h"
#include "random_help.h"

enum { SECOND = 1000000000, MANY = 4096 };

static const struct sequence knock = {
    3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_UDP}, {9000, IPPROTO_TCP}}};
static const struct sequence longer = {
    4, {{7000, IPPROTO_TCP}, {7500, IPPROTO_TCP}, {7200, IPPROTO_TCP}, {7300, IPPROTO_TCP}}};

static struct match_door door_of(const struct sequence *sequence)
{
    return (struct match_door){.sequence = *sequence,
                               .timeout = 15LL * SECOND,
                               .flags = {TCP_SYN, TCP_ACK},
                               .strict = true};
}

static struct matcher *matcher_of(unsigned max_sources, const struct sequence *sequence)
{
    uint8_t key[16];
    struct match_door door = door_of(sequence);
    crypto_random(key, sizeof(key));
    struct matcher *m = matcher_new(&door, 1, max_sources, key);
    assert_non_null(m);
    return m;
}

/* IPv4 and IPv6 in turn. */
static struct addr host(uint32_t n)
{
    uint8_t tail[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    struct addr a = {.family = n % 2 ? 6 : 4};
    memcpy(a.bytes + (n % 2 ? 12 : 0), tail, 4);
    return a;
}

static struct packet packet_to(struct port_proto step, uint32_t address, uint16_t spt)
{
    return (struct packet){.src = host(address),
                           .dst = {4, {192, 0, 2, 1}},
                           .proto = step.proto,
                           .spt = spt,
                           .dpt = step.port,
                           .flags = step.proto == IPPROTO_TCP ? TCP_SYN : 0,
                           .has_ports = true,
                           .in_len = 4,
                           .in = "eth0"};
}

static unsigned stream(struct matcher *m, struct port_proto step, uint32_t address, uint16_t spt,
                       int64_t now)
{
    struct packet packet = packet_to(step, address, spt);
    return matcher_feed(m, 0, &packet, now, 0).opened_count;
}

static void interleaved_knocks_all_open(void **state)
{
    (void)state;
    for (unsigned clients = 20; clients <= 1000; clients *= 50) {
        struct matcher *m = matcher_of(1000, &knock);
        unsigned opened = 0;
        for (unsigned i = 0; i < knock.count; i++)
            for (unsigned c = 0; c < clients; c++)
                opened += stream(m, knock.steps[i], c, (uint16_t)(40000 + i), 5LL * SECOND * i);
        assert_int_equal(opened, clients);
        assert_int_equal(matcher_counters(m)->opened, clients);
        assert_int_equal(matcher_counters(m)->evicted, 0);
        matcher_free(m);
    }
}

enum { PORTS = 65535 };

enum order { ASCENDING, DESCENDING, RANDOM, ORDERS };

/* Each port `times` times: in a row, or, at random, anywhere. */
static void fill_ports(uint16_t *ports, enum order order, unsigned times)
{
    for (unsigned i = 0; i < PORTS * times; i++) {
        unsigned port = i / times + 1;
        ports[i] = (uint16_t)(order == DESCENDING ? PORTS + 1 - port : port);
    }
    for (unsigned i = PORTS * times - 1; order == RANDOM && i > 0; i--) {
        unsigned other = draw(i + 1);
        uint16_t port = ports[i];
        ports[i] = ports[other];
        ports[other] = port;
    }
}

static unsigned scan(const struct sequence *sequence, const uint16_t *ports, unsigned count,
                     unsigned protocols, bool one_socket)
{
    struct matcher *m = matcher_of(16, sequence);
    unsigned opened = 0;
    for (unsigned i = 0; i < count; i++) {
        uint16_t spt = (uint16_t)(one_socket ? 40000 : i);
        if (protocols & 1)
            opened += stream(m, (struct port_proto){ports[i], IPPROTO_TCP}, 1, spt, i);
        if (protocols & 2)
            opened += stream(m, (struct port_proto){ports[i], IPPROTO_UDP}, 1, spt, i);
    }
    matcher_free(m);
    return opened;
}

/* Each port once, twice, three times, or all of them so often one after the other; by TCP, by UDP
 * or both; from one source port or many. Also for a door that wants a port twice. */
static void a_scan_opens_nothing(void **state)
{
    (void)state;
    static uint16_t ports[3 * PORTS];
    static const struct sequence twice = {
        3, {{7000, IPPROTO_TCP}, {7000, IPPROTO_TCP}, {9000, IPPROTO_TCP}}};
    static const struct sequence *const sequences[] = {&knock, &longer, &twice};
    draw_seed();
    for (unsigned times = 1; times <= 3; times++)
        for (int order = 0; order < 2 * ORDERS; order++) {
            bool rounds = order >= ORDERS;
            for (unsigned round = 0; rounds && round < times; round++)
                fill_ports(ports + (size_t)round * PORTS, order % ORDERS, 1);
            if (!rounds)
                fill_ports(ports, order, times);
            for (unsigned variant = 0; variant < 3 * 3 * 2; variant++)
                assert_int_equal(scan(sequences[variant / 6], ports, PORTS * times, variant % 3 + 1,
                                      variant / 3 % 2),
                                 0);
        }
}

/* Three to five steps, at least two ports apart, one after the other in any direction. */
static struct sequence random_sequence(void)
{
    struct sequence sequence = {.count = 3 + draw(3)};
    for (unsigned i = 0; i < sequence.count; i++) {
        bool apart;
        do {
            sequence.steps[i] = (struct port_proto){(uint16_t)(1 + draw(PORTS)),
                                                    draw(2) ? IPPROTO_TCP : IPPROTO_UDP};
            apart = true;
            for (unsigned j = 0; j < i; j++)
                apart &= abs(sequence.steps[i].port - sequence.steps[j].port) > 1;
        } while (!apart);
    }
    return sequence;
}

/* Whether a capture of this door takes the packet: of UDP only what is near a step. */
static bool is_captured(const struct sequence *sequence, struct port_proto packet)
{
    bool taken = packet.proto == IPPROTO_TCP;
    for (unsigned i = 0; i < sequence->count; i++)
        taken |= sequence->steps[i].proto == packet.proto &&
                 abs(sequence->steps[i].port - packet.port) <= SEQUENCE_DECOYS;
    return taken;
}

/* The same scan as captures see it, by a door that forgives strays. */
static unsigned scan_captured(const struct sequence *sequence, uint8_t strays,
                              const uint16_t *ports, unsigned count, unsigned protocols)
{
    static const uint8_t key[16] = "not random here";
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
    struct match_door door = door_of(sequence);
    door.strays[1] = strays;
    struct matcher *m = matcher_new(&door, 1, 16, key);
    assert_non_null(m);
    matcher_set_captured(m, 0);
    unsigned opened = 0;
    for (unsigned i = 0; i < 2 * count; i++) {
        struct port_proto packet = {ports[i / 2], protos[i % 2]};
        if (protocols & 1 << i % 2 && is_captured(sequence, packet))
            opened += stream(m, packet, 1, (uint16_t)i, i);
    }
    matcher_free(m);
    return opened;
}

/* In any order, each port once, twice in a row or anywhere, or all of them twice; of UDP what the
 * filter leaves of it: among many doors it opens none, however many strays they forgive. */
static void a_captured_scan_opens_nothing(void **state)
{
    (void)state;
    enum { CAPTURED_DOORS = 24 };
    static uint16_t ports[2 * PORTS];
    draw_seed();
    for (int order = 0; order < ORDERS; order++)
        for (unsigned times = 0; times <= 2; times++) {
            fill_ports(ports, order, times ? times : 1);
            if (times == 0)
                fill_ports(ports + PORTS, order, 1);
            for (unsigned d = 0; d < CAPTURED_DOORS; d++) {
                struct sequence sequence = random_sequence();
                uint8_t strays = d % 2 ? STRAYS_CAPTURED : STRAYS_MAX;
                /* Of three steps some order in some thousand does by chance. */
                for (unsigned i = 0; order == RANDOM && sequence.count < 5; i++)
                    sequence.steps[sequence.count++] =
                        (struct port_proto){(uint16_t)(1 + i), IPPROTO_TCP};
                unsigned count = times == 1 ? PORTS : 2 * PORTS;
                for (unsigned protocols = 1; protocols <= 3; protocols++)
                    assert_int_equal(scan_captured(&sequence, strays, ports, count, protocols), 0);
            }
        }
}

/* Each step once, twice or three times, with retransmissions of what came so far in between, and of
 * UDP, where each counts, of the newest step alone. */
static void doubled_knocks_open_once(void **state)
{
    (void)state;
    static const struct sequence sequences[] = {
        {3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_UDP}, {9000, IPPROTO_TCP}}},
        {3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_TCP}, {9000, IPPROTO_TCP}}},
        {5,
         {{7000, IPPROTO_TCP},
          {7100, IPPROTO_TCP},
          {7000, IPPROTO_TCP},
          {7200, IPPROTO_UDP},
          {7300, IPPROTO_TCP}}},
    };
    draw_seed();
    for (unsigned round = 0; round < 3000; round++) {
        const struct sequence *sequence = &sequences[round % 3];
        struct matcher *m = matcher_of(16, sequence);
        struct packet sent[64];
        unsigned count = 0, opened = 0, opened_early = 0;
        for (unsigned i = 0; i < sequence->count; i++) {
            for (unsigned times = 1 + draw(3); times > 0; times--) {
                sent[count] = packet_to(sequence->steps[i], 1, (uint16_t)(1000 + count));
                opened += matcher_feed(m, 0, &sent[count], count, 0).opened_count;
                count++;
                for (unsigned again = draw(4); again > 0; again--) {
                    const struct packet *packet = &sent[draw(count)];
                    if (packet->proto == IPPROTO_TCP)
                        assert_int_equal(matcher_feed(m, 0, packet, count, 0).verdict,
                                         MATCH_REPEAT);
                }
            }
            opened_early += i + 1 < sequence->count ? opened : 0;
        }
        assert_int_equal(opened_early, 0);
        assert_int_equal(opened, 1);
        matcher_free(m);
    }
}

/* 32 steps, all alike, in pairs, or all different, each packet sent so often. */
static void the_longest_sequences_open(void **state)
{
    (void)state;
    for (unsigned alike = 1; alike <= STEPS_MAX; alike *= 2) {
        struct sequence sequence = {.count = STEPS_MAX};
        for (unsigned i = 0; i < STEPS_MAX; i++)
            sequence.steps[i] =
                (struct port_proto){(uint16_t)(7000 + 10 * (i / alike)), IPPROTO_TCP};
        for (unsigned times = 1; times <= 3; times++) {
            struct matcher *m = matcher_of(16, &sequence);
            unsigned opened = 0;
            uint16_t spt = 1000;
            for (unsigned i = 0; i < STEPS_MAX; i++)
                for (unsigned n = 0; n < times; n++) {
                    opened += stream(m, sequence.steps[i], 1, spt, spt);
                    spt++;
                }
            /* A sequence that is one run is completed by each packet from the 32nd on. */
            assert_int_equal(opened, alike == STEPS_MAX ? STEPS_MAX * (times - 1) + 1 : 1);
            matcher_free(m);
        }
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Spoofed first steps, 25,000 a second, with a knock among them whose steps are 0.8 s apart. */
static void a_flood_stops_no_knock(void **state)
{
    (void)state;
    enum { FLOOD = 1000000, APART = 20000 };
    struct matcher *m = matcher_of(65536, &knock);
    unsigned sent = 0, opened = 0;
    double start = seconds();
    for (unsigned i = 0; i < FLOOD; i++) {
        int64_t now = i * 40000LL;
        assert_int_equal(stream(m, knock.steps[0], 1000 + i, 1, now), 0);
        if (i % APART == 0) {
            opened += stream(m, knock.steps[sent % 3], sent / 3, (uint16_t)sent, now);
            sent++;
        }
    }
    print_message("# %.0f ns a spoofed packet\n", (seconds() - start) * 1e9 / FLOOD);
    assert_int_equal(sent, FLOOD / APART);
    assert_int_equal(opened, sent / 3);
    assert_true(matcher_counters(m)->evicted > 0);
    matcher_free(m);
}

/* Who has two steps stays, whatever number of others only begin; among these the oldest goes. */
static void the_middle_of_a_knock_survives(void **state)
{
    (void)state;
    struct matcher *m = matcher_of(64, &knock);
    for (unsigned c = 0; c < 63; c++)
        for (unsigned i = 0; i < 2; i++)
            stream(m, knock.steps[i], c, (uint16_t)i, 0);
    stream(m, knock.steps[0], 500, 0, 0);
    assert_int_equal(matcher_counters(m)->evicted, 0);
    for (unsigned c = 1000; c < 101000; c++)
        stream(m, knock.steps[0], c, 0, 1);
    assert_int_equal(matcher_counters(m)->evicted, 100000);
    for (unsigned i = 1; i < 3; i++)
        assert_int_equal(stream(m, knock.steps[i], 500, (uint16_t)i, 2), 0);
    for (unsigned c = 0; c < 63; c++)
        assert_int_equal(stream(m, knock.steps[2], c, 2, 15LL * SECOND), 1);
    matcher_free(m);
}

/* Two steps spare an address only while they can still become a knock. */
static void old_attempts_make_room(void **state)
{
    (void)state;
    struct matcher *m = matcher_of(64, &knock);
    int64_t later = 15LL * SECOND + 1;
    for (unsigned c = 0; c < 64; c++)
        for (unsigned i = 0; i < 2; i++)
            stream(m, knock.steps[i], c, (uint16_t)i, 0);
    for (unsigned c = 100; c < 164; c++)
        stream(m, knock.steps[0], c, 0, later);
    assert_int_equal(matcher_counters(m)->evicted, 0);
    unsigned opened = 0;
    for (unsigned i = 1; i < 3; i++)
        for (unsigned c = 100; c < 164; c++)
            opened += stream(m, knock.steps[i], c, (uint16_t)i, later);
    assert_int_equal(opened, 64);
    matcher_free(m);
}

/* Who went on once and now only begins again and again is one of those who only began. */
static void a_former_attempt_spares_nobody(void **state)
{
    (void)state;
    struct matcher *m = matcher_of(2, &knock);
    stream(m, knock.steps[0], 1, 0, 0);
    stream(m, knock.steps[1], 1, 1, 0);
    stream(m, knock.steps[0], 1, 2, 10LL * SECOND);
    stream(m, knock.steps[0], 1, 3, 16LL * SECOND);
    stream(m, knock.steps[0], 2, 0, 17LL * SECOND);
    stream(m, knock.steps[0], 3, 0, 18LL * SECOND);
    assert_int_equal(matcher_counters(m)->evicted, 1);
    stream(m, knock.steps[1], 2, 1, 19LL * SECOND);
    assert_int_equal(stream(m, knock.steps[2], 2, 2, 20LL * SECOND), 1);
    matcher_free(m);
}

/* Junk takes no place and doesn't keep the place of an address that only began. */
static void junk_takes_no_room(void **state)
{
    (void)state;
    struct matcher *m = matcher_of(2, &knock);
    stream(m, knock.steps[0], 1, 0, 0);
    for (unsigned c = 10; c < 10010; c++)
        stream(m, (struct port_proto){(uint16_t)c, IPPROTO_UDP}, c, 0, 1);
    assert_int_equal(matcher_counters(m)->packets[MATCH_IDLE], 10000);
    stream(m, knock.steps[0], 2, 0, 2);
    stream(m, (struct port_proto){1, IPPROTO_TCP}, 1, 0, 3);
    stream(m, knock.steps[0], 3, 0, 4);
    assert_int_equal(matcher_counters(m)->evicted, 1);
    assert_int_equal(stream(m, knock.steps[1], 2, 1, 5) + stream(m, knock.steps[2], 2, 2, 6), 1);
    matcher_free(m);
}

/* Feeds `count` packets over `addresses` addresses; returns ns a packet. */
static double cost(struct matcher *m, struct port_proto step, unsigned addresses, unsigned count)
{
    double start = seconds();
    for (unsigned i = 0; i < count; i++) {
        struct packet packet = packet_to(step, i % addresses, (uint16_t)i);
        matcher_feed(m, 0, &packet, i, 0);
    }
    return (seconds() - start) * 1e9 / count;
}

/* Prints ns a packet of each kind with so many doors; returns what one that opens costs. */
static double cost_of_opening(const struct match_door *doors, unsigned count)
{
    static const uint8_t key[16];
    struct matcher *m = matcher_new(doors, count, 65536, key);
    assert_non_null(m);
    double miss = cost(m, (struct port_proto){22, IPPROTO_TCP}, 60000, 300000);
    double first = cost(m, knock.steps[0], 60000, 60000);
    double second = cost(m, knock.steps[1], 60000, 60000);
    double hit = cost(m, knock.steps[2], 60000, 60000);
    double full = cost(m, knock.steps[0], 100, 300000);
    assert_int_equal(matcher_counters(m)->opened, 60000);
    print_message("# %u doors, ns a packet: no first step %.0f, first %.0f, second %.0f, opening "
                  "%.0f, to a full record %.0f\n",
                  count, miss, first, second, hit, full);
    matcher_free(m);
    return hit;
}

/* 4,095 more doors that end elsewhere must cost a knock nothing: the bound is generous, so that
 * only a loop over all doors, thousands of ns, breaks it. On a busy machine one measurement may
 * meet another program's turn: one of five is good where the cost is. */
static void cost_grows_with_no_number(void **state)
{
    (void)state;
    static struct match_door doors[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        doors[i] = door_of(&knock);
        if (i > 0)
            doors[i].sequence.steps[2].port = (uint16_t)(10000 + i);
    }
    bool good = false;
    for (int look = 0; look < 5 && !good; look++) {
        double one = cost_of_opening(doors, 1);
        good = cost_of_opening(doors, MANY) < 3 * one + 2000;
    }
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interleaved_knocks_all_open),
        cmocka_unit_test(a_scan_opens_nothing),
        cmocka_unit_test(a_captured_scan_opens_nothing),
        cmocka_unit_test(doubled_knocks_open_once),
        cmocka_unit_test(the_longest_sequences_open),
        cmocka_unit_test(a_flood_stops_no_knock),
        cmocka_unit_test(the_middle_of_a_knock_survives),
        cmocka_unit_test(old_attempts_make_room),
        cmocka_unit_test(a_former_attempt_spares_nobody),
        cmocka_unit_test(junk_takes_no_room),
        cmocka_unit_test(cost_grows_with_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
