/* Guessing in numbers: of all ports, at many doors, and by many addresses. */
#include "guesses_help.h"

enum { TOO_MANY = 65 };

/* Of all ports, in order: one failure for each first step at least, and deaf after two. */
static void a_scan_is_guessing(void **state)
{
    (void)state;
    struct setup setup;
    char last = '.';
    begin(&setup, (const char *const[]){SSH, "5000,6000,4000"}, 2);
    for (unsigned port = 1; port <= 65535; port++) {
        struct packet packet =
            packet_to((struct step){(uint16_t)port, IPPROTO_TCP}, host(1), (uint16_t)port);
        last = feed(&setup, 0, &packet, port);
    }
    assert_int_equal(last, 'd');
    assert_int_equal(penalties_counters(setup.penalties)->penalised, 1);
    assert_int_equal(penalties_counters(setup.penalties)->ignored, 65535 - 7001);
    assert_int_equal(matcher_counters(setup.matcher)->opened, 0);
    setup_free(&setup);
}

/* Where too many doors have one first step, nobody is blamed for what breaks there. */
static void too_many_doors_to_look_at(void **state)
{
    (void)state;
    const char *doors[TOO_MANY];
    for (unsigned i = 0; i < TOO_MANY; i++)
        doors[i] = SSH;
    for (unsigned most = TOO_MANY - 1; most <= TOO_MANY; most++) {
        struct setup setup;
        char last = '.';
        begin(&setup, doors, most);
        for (unsigned i = 0; i < 8; i++) {
            struct packet packet =
                packet_to((struct step){i % 2 ? 1 : 7000, IPPROTO_TCP}, host(1), (uint16_t)i);
            last = feed(&setup, 0, &packet, 0);
        }
        assert_int_equal(last, most == TOO_MANY ? '.' : 'd');
        setup_free(&setup);
    }
}

/* First steps from a hundred times as many addresses as there is room for. */
static void flood(struct setup *setup, unsigned from, int64_t now)
{
    static const struct step first = {7000, IPPROTO_TCP};
    for (unsigned i = 0; i < 100 * MAX_SOURCES; i++) {
        struct packet packet = packet_to(first, host(from + i), 1024);
        assert_int_equal(feed(setup, 0, &packet, now), '.');
    }
}

/* They take the knock's place in the matcher's table; that makes nobody deaf, not even who has
 * broken one before, and frees nobody who is. */
static void a_flood_makes_nobody_deaf(void **state)
{
    (void)state;
    static const struct {
        struct step step;
        int64_t time;
        bool flood; /* after it */
        char expected;
    } packets[] = {
        {{7000, IPPROTO_TCP}, 1, false, '.'}, {{1, IPPROTO_TCP}, 1, false, '.'},
        {{7000, IPPROTO_TCP}, 1, true, '.'},  {{8000, IPPROTO_UDP}, 2, false, 'i'},
        {{7000, IPPROTO_TCP}, 20, true, '.'}, {{8000, IPPROTO_UDP}, 21, false, 'i'},
        {{7000, IPPROTO_TCP}, 40, true, '.'}, {{7000, IPPROTO_TCP}, 41, false, '.'},
        {{2, IPPROTO_TCP}, 41, true, '!'},    {{7000, IPPROTO_TCP}, 42, false, 'd'},
    };
    struct setup setup;
    begin(&setup, (const char *const[]){SSH}, 1);
    for (unsigned i = 0; i < sizeof(packets) / sizeof(*packets); i++) {
        struct packet packet = packet_to(packets[i].step, host(1), (uint16_t)i);
        int64_t now = packets[i].time * SECOND;
        assert_int_equal(feed(&setup, 0, &packet, now), packets[i].expected);
        if (packets[i].flood)
            flood(&setup, 1000 + 100 * MAX_SOURCES * i, now);
    }
    assert_int_equal(penalties_counters(setup.penalties)->penalised, 1);
    assert_int_equal(penalties_counters(setup.penalties)->evicted, 0);
    assert_true(penalties_counters(setup.penalties)->overlooked > 0);
    setup_free(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_is_guessing),
        cmocka_unit_test(too_many_doors_to_look_at),
        cmocka_unit_test(a_flood_makes_nobody_deaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
