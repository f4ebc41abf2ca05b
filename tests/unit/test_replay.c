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

enum { STAMPS = 16 };

/* What a replay of a log with these heads, the steps of one knock after another's, tells of doors
 * on that day. */
static void replay_on(const char *const line_cache[STAMPS], int64_t today, char *out, size_t size)
{
    static const char *const steps[] = {"TCP SPT=4711 DPT=7000 WINDOW=64240 RES=0x00 SYN URGP=0 ",
                                        "UDP SPT=4712 DPT=8000 LEN=40 ",
                                        "TCP SPT=4713 DPT=9000 WINDOW=64240 RES=0x00 SYN URGP=0 "};
    char path[] = "/tmp/knockd-test.XXXXXX", line[256];
    size_t used = 0;
    FILE *log = fdopen(mkstemp(path), "w"), *shown = tmpfile();
    assert_true(log && shown);
    for (int i = 0, step = 0; i < STAMPS && line_cache[i]; i++)
        if (strstr(line_cache[i], "Linux version"))
            fprintf(log, "%s\n", line_cache[i]);
        else
            fprintf(log,
                    "%s [DENY] IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.2 LEN=60 "
                    "TOS=0x00 PREC=0x00 TTL=55 ID=1 PROTO=%s\n",
                    line_cache[i], steps[step++ % 3]);
    fclose(log);
    /* A copy: the tree may be another user's. */
    char copy[] = "/tmp/knockd-replay-XXXXXX";
    FILE *from = fopen(DATA "/replay.conf", "r"), *to = fdopen(mkstemp(copy), "w");
    assert_true(from && to);
    while (fgets(line, sizeof(line), from))
        fputs(line, to);
    fclose(from);
    fclose(to);
    struct options options = {.config = copy, .config_given = true, .log = path};
    struct replay_here here = {.today = today};
    assert_int_equal(replay_log(&options, &here, shown), 0);
    unlink(copy);
    unlink(path);
    rewind(shown);
    for (out[0] = '\0'; fgets(line, sizeof(line), shown);)
        if (strstr(line, " ssh "))
            used += (size_t)snprintf(out + used, size - used, "%s", line);
    fclose(shown);
}

#define AT(time)          time " gate kernel:"
#define KNOCK(day, clock) AT(day " " clock ":00"), AT(day " " clock ":01"), AT(day " " clock ":02")
#define NOON_2026_11_23   INT64_C(1795435200)
#define NOON_2026_02_10   INT64_C(1770724800)

static const struct {
    const char *why;
    int64_t today; /* seconds */
    const char *line_cache[STAMPS];
    const char *doors;
} logs[] = {
    {"today's",
     NOON_2026_11_23,
     {KNOCK("Nov 23", "11:00")},
     "2026-11-23T11:00:02 open ssh 203.0.113.9\n"},
    {"last year's",
     INT64_C(1764547200), /* 2025-12-01 */
     {KNOCK("Dec 31", "23:59")},
     "2024-12-31T23:59:02 open ssh 203.0.113.9\n"},
    {"of one night, not of two ends of a year",
     INT64_C(1767312000), /* 2026-01-02 */
     {AT("Dec 31 23:59:50"), AT("Dec 31 23:59:59"), AT("Jan  1 00:00:04")},
     "2026-01-01T00:00:04 open ssh 203.0.113.9\n"},
    {"from November to February",
     NOON_2026_02_10,
     {KNOCK("Nov 30", "10:00"), KNOCK("Feb  2", "10:00")},
     "2025-11-30T10:00:02 open ssh 203.0.113.9\n2026-02-02T10:00:02 open ssh 203.0.113.9\n"},
    {"over two New Years",
     NOON_2026_02_10,
     {KNOCK("Dec 30", "10:00"), KNOCK("Jan  2", "10:00"), KNOCK("Dec 30", "10:00"),
      KNOCK("Feb  2", "10:00")},
     "2024-12-30T10:00:02 open ssh 203.0.113.9\n2025-01-02T10:00:02 open ssh 203.0.113.9\n"
     "2025-12-30T10:00:02 open ssh 203.0.113.9\n2026-02-02T10:00:02 open ssh 203.0.113.9\n"},
    {"with a start of the machine: packets of hours apart are no knock",
     NOON_2026_02_10,
     {"[500000.100000]", "[500001.100000]", "[    5.000001]", "[ 9000.000001]", "[99000.000001]"},
     ""},
    {"with knocks on both sides of it, the door being closed by it",
     NOON_2026_02_10,
     {"[500000.1]", "[500001.1]", "[500002.1]", "[    5.0]", "[    6.0]", "[    7.0]"},
     "PT500002.1S open ssh 203.0.113.9\nPT7.0S open ssh 203.0.113.9\n"},
    {"with a knock broken by it", NOON_2026_02_10, {"[500000.1]", "[500001.1]", "[    5.0]"}, ""},
    {"with one that only another line tells of",
     NOON_2026_02_10,
     {"[  100.0]", "[  101.0]", "[    0.000000] Linux version 6.1", "[  102.0]"},
     ""},
    {"with a jump back by hours",
     NOON_2026_02_10,
     {AT("Feb  2 10:00:00"), AT("Feb  2 07:00:00"), AT("Feb  2 09:00:00")},
     ""},
    {"the same, with a knock behind it",
     NOON_2026_02_10,
     {KNOCK("Feb  2", "10:00"), KNOCK("Feb  2", "07:00"), KNOCK("Feb  2", "07:05")},
     "2026-02-02T10:00:02 open ssh 203.0.113.9\n2026-02-02T07:00:02 extend ssh 203.0.113.9\n"
     "2026-02-02T07:05:02 open ssh 203.0.113.9\n"},
    {"at the end of summer",
     NOON_2026_02_10,
     {AT("Oct 26 02:59:58"), AT("Oct 26 02:59:59"), AT("Oct 26 02:00:00"),
      KNOCK("Oct 26", "02:30")},
     "2025-10-26T02:30:02 open ssh 203.0.113.9\n"},
    {"with a line that is late by less than a minute",
     NOON_2026_02_10,
     {AT("Feb  2 10:00:59"), AT("Feb  2 10:00:00"), AT("Feb  2 10:01:05")},
     "2026-02-02T10:01:05 open ssh 203.0.113.9\n"},
    {"by the time since the line before",
     NOON_2026_02_10,
     {"[<    0.000000>]", "[<   10.000000>]", "[<    6.000000>]", "[<    1.000000>]",
      "[<    9.000000>]", "[<    4.000000>]"},
     "PT30.000000S open ssh 203.0.113.9\n"},
};

static void tells_its_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(logs) / sizeof(*logs); i++) {
        char doors[1024];
        replay_on(logs[i].line_cache, logs[i].today * INT64_C(1000000000), doors, sizeof(doors));
        if (strcmp(doors, logs[i].doors) != 0)
            fail_msg("a log %s: it tells of\n%sinstead of\n%s", logs[i].why, doors, logs[i].doors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doors_agree_with_a_model),
        cmocka_unit_test(closes_when_it_is_due),
        cmocka_unit_test(tells_its_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
