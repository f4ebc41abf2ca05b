/* A replay from within: the day that settles its years, and the doors that it believes open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "knockd/log_doors.h"
#include "knockd/replay.h"

#define DATA TEST_DATA "/replay"

/* xorshift64*: the same numbers everywhere for one seed. */
static uint64_t random_number(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Random knocks against a plain array of until when each door is open. */
static void doors_agree_with_a_model(void **state)
{
    (void)state;
    enum { DOORS = 5, ADDRESSES = 4000, KNOCKS = 200000 };
    uint64_t seed = (uint64_t)time(NULL), random = seed | 1;
    print_message("# seed %llu\n", (unsigned long long)seed);
    int64_t *until = calloc((size_t)DOORS * ADDRESSES, sizeof(*until)), now = 0;
    struct log_doors *doors = log_doors_new();
    assert_true(until && doors);
    unsigned extended = 0;
    for (int i = 0; i < KNOCKS; i++) {
        uint64_t number = random_number(&random);
        unsigned door = number >> 8 & 3, place = number >> 16 & 0xff;
        /* Now and then many at once, so that the table has to grow, then few, so that it needn't.
         */
        if (i / 20000 % 2 == 0)
            place = (unsigned)(number >> 16) % ADDRESSES;
        now += (int64_t)(number >> 40) % 20;
        struct addr address = {.family = place & 1 ? 6 : 4,
                               .bytes = {10, 0, place >> 8, place & 255}};
        int64_t *open = &until[door * ADDRESSES + place];
        enum log_knock expected = now < *open ? LOG_KNOCK_EXTEND : LOG_KNOCK_OPEN;
        *open = now + 1000 * (door + 1);
        assert_int_equal(log_doors_knock(doors, door, &address, now, *open), expected);
        extended += expected == LOG_KNOCK_EXTEND;
    }
    assert_in_range(extended, KNOCKS / 100, KNOCKS * 99 / 100);
    log_doors_free(doors);
    free(until);
}

static void closes_when_it_is_due(void **state)
{
    (void)state;
    struct log_doors *doors = log_doors_new();
    struct addr address = {.family = 4, .bytes = {192, 0, 2, 1}};
    assert_non_null(doors);
    assert_int_equal(log_doors_knock(doors, 0, &address, 100, 110), LOG_KNOCK_OPEN);
    assert_int_equal(log_doors_knock(doors, 1, &address, 100, 110), LOG_KNOCK_OPEN);
    assert_int_equal(log_doors_knock(doors, 0, &address, 109, 119), LOG_KNOCK_EXTEND);
    assert_int_equal(log_doors_knock(doors, 1, &address, 110, 120), LOG_KNOCK_OPEN);
    assert_int_equal(log_doors_knock(doors, 0, &address, 118, 128), LOG_KNOCK_EXTEND);
    log_doors_free(doors);
}

/* The first line of what a replay of a log with these stamps prints on that day. */
static void replay_on(const char *const stamps[3], int64_t today, char *out, size_t size)
{
    static const char *const steps[] = {"TCP SPT=4711 DPT=7000 WINDOW=64240 RES=0x00 SYN URGP=0 ",
                                        "UDP SPT=4712 DPT=8000 LEN=40 ",
                                        "TCP SPT=4713 DPT=9000 WINDOW=64240 RES=0x00 SYN URGP=0 "};
    char path[] = "/tmp/knockd-test.XXXXXX";
    FILE *log = fdopen(mkstemp(path), "w"), *shown = tmpfile();
    assert_true(log && shown);
    for (int i = 0; i < 3; i++)
        fprintf(log,
                "%s gate kernel: [DENY] IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.2 LEN=60 "
                "TOS=0x00 PREC=0x00 TTL=55 ID=1 PROTO=%s\n",
                stamps[i], steps[i]);
    fclose(log);
    struct options options = {.config = DATA "/replay.conf", .config_given = true, .log = path};
    assert_int_equal(replay_log(&options, today, shown), 0);
    unlink(path);
    rewind(shown);
    assert_non_null(fgets(out, (int)size, shown));
    fclose(shown);
}

static void has_the_year_of_its_day(void **state)
{
    (void)state;
    static const struct {
        int64_t today; /* seconds */
        const char *stamps[3];
        const char *line;
    } rows[] = {
        {1795435200, /* 2026-11-23 12:00 */
         {"Nov 23 11:00:00", "Nov 23 11:00:01", "Nov 23 11:00:02"},
         "2026-11-23T11:00:02 open ssh 203.0.113.9\n"},
        {1764547200, /* 2025-12-01 */
         {"Dec 31 23:59:58", "Dec 31 23:59:59", "Dec 31 23:59:59"},
         "2024-12-31T23:59:59 open ssh 203.0.113.9\n"},
        {1767312000, /* 2026-01-02: the knock is of one night, not of two ends of a year */
         {"Dec 31 23:59:50", "Dec 31 23:59:59", "Jan  1 00:00:04"},
         "2026-01-01T00:00:04 open ssh 203.0.113.9\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char line[128];
        replay_on(rows[i].stamps, rows[i].today * INT64_C(1000000000), line, sizeof(line));
        assert_string_equal(line, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doors_agree_with_a_model),
        cmocka_unit_test(closes_when_it_is_due),
        cmocka_unit_test(has_the_year_of_its_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
