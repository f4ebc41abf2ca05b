/* The time of a log line: what is read, how it is written, and which year a log without years has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "listener/stamp.h"

#define SECOND INT64_C(1000000000)
#define DAY    (86400 * SECOND)

/* 2026-11-23T12:00:00, a Monday. */
static const int64_t today = INT64_C(1795435200) * SECOND;

static bool read_one(struct stamps *stamps, enum log_format format, const char *line,
                     struct stamp *out)
{
    /* A copy of the exact length, so that a sanitizer sees every byte read behind the end. */
    size_t len = strlen(line);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, line, len);
    bool good = stamp_read(stamps, format, copy, len, out);
    free(copy);
    return good;
}

/* The text of a line's time; "-" when it has none. */
static const char *text_of(struct stamps *stamps, enum log_format format, const char *line,
                           char out[STAMP_TEXT_SIZE])
{
    struct stamp stamp = {0};
    read_one(stamps, format, line, &stamp);
    return stamp_format(&stamp, out);
}

static const struct {
    enum log_format format;
    const char *line, *text;
    int64_t time;
} rows[] = {
    {LOG_KERNEL, "2026-11-23T14:28:52.123456+00:00 gate kernel: IN=",
     "2026-11-23T14:28:52.123456+00:00", INT64_C(1795444132123456000)},
    {LOG_KERNEL, "2026-11-23T14:28:52+0000 gate kernel: IN=", "2026-11-23T14:28:52+00:00",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "2026-11-23T14:28:52.123456-0330 gate kernel: IN=",
     "2026-11-23T14:28:52.123456-03:30", INT64_C(1795456732123456000)},
    {LOG_KERNEL, "<4>2026-11-23T14:28:52.5+02:00 gate kernel: IN=", "2026-11-23T14:28:52.5+02:00",
     INT64_C(1795436932500000000)},
    {LOG_KERNEL, "2026-11-23T14:28:52Z gate kernel: [ 1238.672393] IN=", "2026-11-23T14:28:52Z",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "2026-11-23T14:28:52.123456789012Z gate kernel: IN=",
     "2026-11-23T14:28:52.123456789Z", INT64_C(1795444132123456789)},
    {LOG_KERNEL, "2024-02-29T23:59:59+14:00 gate kernel: IN=", "2024-02-29T23:59:59+14:00",
     INT64_C(1709200799) * SECOND},
    {LOG_KERNEL, "1970-01-01T00:00:00+01:00 gate kernel: IN=", "1970-01-01T00:00:00+01:00",
     -3600 * SECOND},
    {LOG_KERNEL, "2000-03-01T00:00:00Z gate kernel: IN=", "2000-03-01T00:00:00Z",
     INT64_C(951868800) * SECOND},
    {LOG_KERNEL, "2261-12-31T23:59:60Z gate kernel: IN=", "2262-01-01T00:00:00Z",
     INT64_C(9214646400) * SECOND},
    {LOG_KERNEL, "Nov 23 14:28:52 gate kernel: IN=", "2026-11-23T14:28:52",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "Nov  3 04:08:02.250 gate kernel: IN=", "2026-11-03T04:08:02.250",
     INT64_C(1793678882250000000)},
    {LOG_KERNEL, "<4>Jan  1 00:00:00 gate kernel: IN=", "2026-01-01T00:00:00",
     INT64_C(1767225600) * SECOND},
    {LOG_KERNEL, "Mon Nov 23 14:28:52 2026 kern.warn kernel: IN=", "2026-11-23T14:28:52",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "[Mon Nov  2 14:28:52 2020] IN=", "2020-11-02T14:28:52",
     INT64_C(1604327332) * SECOND},
    {LOG_ULOGD, "Nov  3 04:08:02 gate DENY  IN=", "2026-11-03T04:08:02",
     INT64_C(1793678882) * SECOND},
    {LOG_KERNEL, "[ 1238.672393] IN=", "PT1238.672393S", INT64_C(1238672393000)},
    {LOG_KERNEL, "<4>[    0.5][  T123] IN=", "PT0.5S", 500000000},
    {LOG_KERNEL, "kernel: [   12.000001] IN=", "PT12.000001S", INT64_C(12000001000)},
    {LOG_KMSG, "4,1234,1238672393,-;IN=", "PT1238.672393S", INT64_C(1238672393000)},
    {LOG_KMSG, "4,1234,7,-,caller=T1;IN=", "PT0.000007S", 7000},
    /* no time, or none that there is */
    {LOG_KERNEL, "", "-", 0},
    {LOG_KERNEL, "kernel: IN=", "-", 0},
    {LOG_KERNEL, "gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "2026-02-29T14:28:52Z gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "2026-00-10T14:28:52Z gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "2026-04-31T14:28:52Z gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "1969-12-31T23:59:59Z gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "2262-01-01T00:00:00Z gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "Apr 31 14:28:52 gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "Apr  0 14:28:52 gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "Mon Nov 23 14:28:52 9999 kernel: IN=", "-", 0},
    {LOG_KERNEL, "[99999999999999999999.5] IN=", "-", 0},
    {LOG_KERNEL, "[9300000000.5] IN=", "-", 0},
    {LOG_KMSG, "4,1,99999999999999999999,-;IN=", "-", 0},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

static void reads_every_envelope(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        struct stamps stamps;
        struct stamp stamp = {0};
        char text[STAMP_TEXT_SIZE];
        stamps_init(&stamps, today);
        bool good = read_one(&stamps, rows[i].format, rows[i].line, &stamp);
        assert_string_equal(stamp_format(&stamp, text), rows[i].text);
        assert_true(stamp.time == rows[i].time);
        assert_true(good == (rows[i].text[0] != '-'));
    }
}

/* What is remembered of one line must not leak into another: every row after every other one, and
 * twice. Lines without a year aren't here: theirs depends on the line before. */
static void remembers_only_what_is_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS * ROWS; i++) {
        const int pair[] = {i / ROWS, i % ROWS, i % ROWS};
        struct stamps stamps;
        char text[STAMP_TEXT_SIZE];
        stamps_init(&stamps, today);
        for (int j = 0; j < 3; j++) {
            const char *line = rows[pair[j]].line;
            bool yearless = strstr(line, "Jan  1") || strncmp(line, "Nov", 3) == 0 ||
                            strncmp(line, "Apr", 3) == 0;
            if (!yearless)
                assert_string_equal(text_of(&stamps, rows[pair[j]].format, line, text),
                                    rows[pair[j]].text);
        }
    }
}

/* Lines of one day differ in their clock only, and a broken one isn't taken for the one before. */
static void follows_the_clock_of_a_day(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"2026-11-23T00:00:00.000001+01:00 gate kernel: IN=", "2026-11-23T00:00:00.000001+01:00"},
        {"2026-11-23T09:10:11+01:00 gate kernel: IN=", "2026-11-23T09:10:11+01:00"},
        {"2026-11-23T19:59:58.7Z gate kernel: IN=", "2026-11-23T19:59:58.7Z"},
        {"2026-11-23T23:59:59.999999-11:30 gate kernel: IN=", "2026-11-23T23:59:59.999999-11:30"},
        {"2026-11-23T1:59:59Z gate kernel: IN=", "-"},
        {"2026-11-23T10:5/:59Z gate kernel: IN=", "-"},
        {"2026-11-23T10:58", "-"},
        {"2026-11-23T10:58:59", "-"},
        {"2026-11-23T10:58:59+", "-"},
        {"2026-11-23T10:58:59+01:", "-"},
        {"2026-11-23T", "-"},
        {"2026-11-24T00:00:00Z gate kernel: IN=", "2026-11-24T00:00:00Z"},
    };
    struct stamps stamps;
    stamps_init(&stamps, today);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char text[STAMP_TEXT_SIZE];
        assert_string_equal(text_of(&stamps, LOG_KERNEL, lines[i][0], text), lines[i][1]);
    }
}

/* Each log: its stamps in order; `first` and `last` are what the first and the last come out as. */
static void finds_the_year(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        bool knows_last;
        const char *stamps[5];
        const char *first, *last;
    } logs[] = {
        {"this year", true, {"Mar  1 10:00:00", "Nov 23 11:00:00"}, "2026-03-01", "2026-11-23"},
        {"tomorrow is still now: clocks differ", false, {"Nov 24 11:59:59"}, "2026-11-24", NULL},
        {"the day after isn't", false, {"Nov 24 12:00:01"}, "2025-11-24", NULL},
        {"last year's", true, {"Feb  1 10:00:00", "Dec 30 10:00:00"}, "2025-02-01", "2025-12-30"},
        {"that from a pipe: only the first is known",
         false,
         {"Feb  1 10:00:00", "Dec 30 10:00:00"},
         "2026-02-01",
         "2026-12-30"},
        {"over New Year", true, {"Dec 31 23:59:59", "Jan  1 00:00:00"}, "2025-12-31", "2026-01-01"},
        {"over New Year from a pipe",
         false,
         {"Dec 31 23:59:59", "Jan  1 00:00:00"},
         "2025-12-31",
         "2026-01-01"},
        {"a late line at New Year",
         true,
         {"Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01"},
         "2025-12-31",
         "2026-01-01"},
        {"nearly a year",
         true,
         {"Nov 25 00:00:00", "Dec  1 00:00:00", "Jan 31 00:00:00", "Nov 23 11:00:00"},
         "2025-11-25",
         "2026-11-23"},
        {"two lines in the wrong order",
         true,
         {"Nov 23 11:00:02", "Nov 23 11:00:01"},
         "2026-11-23",
         "2026-11-23"},
        {"only a leap year has it", false, {"Feb 29 12:00:00"}, "2024-02-29", NULL},
    };
    for (size_t i = 0; i < sizeof(logs) / sizeof(*logs); i++) {
        struct stamps stamps;
        char line[64], text[STAMP_TEXT_SIZE] = "";
        stamps_init(&stamps, today);
        for (int j = 0; logs[i].knows_last && logs[i].stamps[j]; j++) {
            snprintf(line, sizeof(line), "%s gate kernel: IN=", logs[i].stamps[j]);
            stamps_end(&stamps, LOG_KERNEL, line, strlen(line));
        }
        for (int j = 0; logs[i].stamps[j]; j++) {
            snprintf(line, sizeof(line), "%s gate kernel: IN=", logs[i].stamps[j]);
            text_of(&stamps, LOG_KERNEL, line, text);
            if (j == 0 && strncmp(text, logs[i].first, 10) != 0)
                fail_msg("%s: first is %s, not %s", logs[i].why, text, logs[i].first);
        }
        if (logs[i].last && strncmp(text, logs[i].last, 10) != 0)
            fail_msg("%s: last is %s, not %s", logs[i].why, text, logs[i].last);
    }
}

/* Days, counted one by one; the C library's gmtime would look for a file of time zones. */
struct date {
    int year, month, day;
};

static int days_of(const struct date *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (date->year % 4 == 0 && date->year % 100 != 0) || date->year % 400 == 0;
    return days[date->month - 1] + (date->month == 2 && leap);
}

static void date_step(struct date *date)
{
    if (++date->day <= days_of(date))
        return;
    date->day = 1;
    if (++date->month <= 12)
        return;
    date->month = 1;
    date->year++;
}

/* The calendar, at both ends of each month. */
static void agrees_with_the_calendar(void **state)
{
    (void)state;
    struct date date = {1970, 1, 1};
    for (int64_t day = 0; day < 106650; day++, date_step(&date)) {
        struct stamp stamp = {.time = day * DAY, .zone = STAMP_UTC};
        char expected[STAMP_TEXT_SIZE], text[STAMP_TEXT_SIZE], line[80];
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT00:00:00Z", date.year, date.month,
                 date.day);
        assert_string_equal(stamp_format(&stamp, text), expected);
        if (date.day > 1 && date.day < 28)
            continue;
        struct stamps stamps;
        stamps_init(&stamps, today);
        snprintf(line, sizeof(line), "%s gate kernel: IN=", expected);
        assert_true(read_one(&stamps, LOG_KERNEL, line, &stamp));
        assert_true(stamp.time == day * DAY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_envelope),
        cmocka_unit_test(remembers_only_what_is_the_same),
        cmocka_unit_test(follows_the_clock_of_a_day),
        cmocka_unit_test(finds_the_year),
        cmocka_unit_test(agrees_with_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
