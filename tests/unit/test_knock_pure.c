/* What the client works out: translators between addresses, times, which packets go in a round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "knock/last_time.h"
#include "knock/nat.h"
#include "knock/packets.h"
#include "lib/crypto.h"
#include "lib/sealed.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void judges_translators(void **state)
{
    (void)state;
    static const struct {
        const char *own, *target;
        bool between;
    } rows[] = {
        {"198.51.100.7", "203.0.113.1", false},
        {"192.168.1.5", "203.0.113.1", true},
        {"10.1.2.3", "203.0.113.1", true},
        {"172.16.0.1", "203.0.113.1", true},
        {"172.31.255.255", "203.0.113.1", true},
        {"172.32.0.1", "203.0.113.1", false},
        {"169.254.7.7", "203.0.113.1", true},
        {"100.64.0.9", "203.0.113.1", true},
        {"100.128.0.9", "203.0.113.1", false},
        {"192.0.0.1", "203.0.113.1", true},
        {"127.0.0.1", "203.0.113.1", true},
        {"192.168.1.5", "192.168.7.1", false},
        {"192.168.1.5", "10.0.0.1", false},
        {"192.168.1.5", "100.64.0.1", true},
        {"100.64.0.9", "100.64.0.1", false},
        {"198.51.100.7", "192.168.1.1", false},
        {"127.0.0.1", "127.0.0.1", false},
        {"2001:db8::2", "2001:db8:1::1", false},
        {"fd00::2", "2001:db8::1", true},
        {"fd00::2", "fd00:1::1", false},
        {"fe80::2", "2001:db8::1", true},
        {"fe80::2", "fe80::1", false},
        {"::1", "::1", false},
        {"2001:db8::2", "64:ff9b::cb00:7101", true},
        {"2001:db8::2", "64:ff9b:1::cb00:7101", true},
        {"2001:db8::2", "64:ff9c::cb00:7101", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr own, target;
        assert_true(addr_parse(rows[i].own, strlen(rows[i].own), &own));
        assert_true(addr_parse(rows[i].target, strlen(rows[i].target), &target));
        if (nat_between(&own, &target) != rows[i].between)
            fail_msg("%s to %s", rows[i].own, rows[i].target);
    }
}

static void takes_the_next_time(void **state)
{
    (void)state;
    const uint64_t clock = UINT64_C(1800000000) << 16 | 77, minute = UINT64_C(60) << 16;
    static const uint64_t none = 12345;
    const struct {
        uint64_t last, time; /* none: refused */
    } rows[] = {
        {0, clock},
        {clock - 1, clock},
        {clock, clock + 1},
        {clock + 1000, clock + 1001},
        {clock + minute - 1, clock + minute},
        {clock + minute, none},
        {clock + 100 * minute, none},
        {SEALED_TIME_MAX, none},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t time = none;
        assert_int_equal(last_time_next(clock, rows[i].last, &time), rows[i].time != none);
        assert_int_equal(time, rows[i].time);
    }
    uint64_t time = none; /* the end of all times */
    assert_false(last_time_next(SEALED_TIME_MAX, SEALED_TIME_MAX, &time));
}

/* Kinds of carriers, and how many packets of each kind they have. */
static const struct {
    struct packets_options options;
    size_t len;
    unsigned message, parity;
    uint8_t proto;
} kinds[] = {
    {{PACKETS_TCP, 20000, 0}, SEALED_SHORT, 32, 16, IPPROTO_TCP},
    {{PACKETS_UDP, 20000, 0}, SEALED_SHORT, 16, 8, IPPROTO_UDP},
    {{PACKETS_UDP, 15000, 0}, SEALED_LONG, 24, 12, IPPROTO_UDP},
    {{PACKETS_ONE, 20000, 443}, SEALED_SHORT, 1, 0, IPPROTO_UDP},
    {{PACKETS_ONE, 20000, 32287}, SEALED_LONG, 1, 0, IPPROTO_UDP},
};

static void draw(uint32_t random[CARRIER_SLOTS_MAX])
{
    for (unsigned i = 0; i < CARRIER_SLOTS_MAX; i++)
        random[i] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
}

/* A first round is the message's packets, a whole one all of them, each once. */
static void sends_each_packet_once_a_round(void **state)
{
    (void)state;
    srand(7);
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        uint8_t message[SEALED_LONG];
        uint32_t random[CARRIER_SLOTS_MAX];
        struct packets packets, before;
        crypto_random(message, sizeof(message));
        packets_make(kinds[kind].options, message, kinds[kind].len, &packets);
        before = packets;
        for (unsigned round = 0; round < 6; round++) {
            const struct carrier_packet *got = packets.all;
            draw(random);
            unsigned count = packets_round(&packets, round > 0, random);
            assert_int_equal(count, kinds[kind].message + (round > 0 ? kinds[kind].parity : 0));
            for (unsigned i = 0; i < count; i++) {
                unsigned found = 0;
                assert_int_equal(got[i].proto, kinds[kind].proto);
                for (unsigned j = 0; j < count; j++)
                    found += memcmp(&before.all[i], &got[j], sizeof(*got)) == 0;
                assert_int_equal(found, 1);
            }
        }
    }
}

/* Each packet comes first about as often as any other; the bounds are six standard deviations. */
static void orders_are_even(void **state)
{
    (void)state;
    enum { ROUNDS = 16000, SLOTS = 16, EACH = ROUNDS / SLOTS, BOUND = 6 * 31 };
    const uint8_t message[SEALED_SHORT] = {0};
    unsigned first[SLOTS] = {0};
    struct packets packets;
    packets_make(kinds[1].options, message, sizeof(message), &packets);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t random[CARRIER_SLOTS_MAX];
        crypto_random(random, sizeof(random));
        packets_round(&packets, false, random);
        first[(packets.all[0].port - 20000) / 64]++;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        assert_in_range(first[i], EACH - BOUND, EACH + BOUND);
}

static void one_packet_is_the_message(void **state)
{
    (void)state;
    uint8_t message[SEALED_LONG] = {1, 2, 3};
    for (size_t kind = 3; kind < COUNT(kinds); kind++) {
        struct packets packets;
        packets_make(kinds[kind].options, message, kinds[kind].len, &packets);
        assert_ptr_equal(packets.payload, message);
        assert_int_equal(packets.all[0].length, kinds[kind].len);
        assert_int_equal(packets.all[0].port, kinds[kind].options.packet_port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_translators),
        cmocka_unit_test(takes_the_next_time),
        cmocka_unit_test(sends_each_packet_once_a_round),
        cmocka_unit_test(orders_are_even),
        cmocka_unit_test(one_packet_is_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
