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

#include "listener/timestamp.h"

#define SECOND INT64_C(1000000000)
#define DAY    (86400 * SECOND)

/* 2026-11-23T12:00:00, a Monday. */
static const int64_t today = INT64_C(1795435200) * SECOND;

static bool read_one(struct timestamps *timestamps, enum log_format format, const char *line,
                     struct timestamp *out)
{
    /* A copy of the exact length, so that a sanitizer sees every byte read behind the end. */
    size_t len = strlen(line);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, line, len);
    bool good = timestamp_read(timestamps, format, copy, len, out);
    free(copy);
    return good;
}

/* The text of a line's time; "-" when it has none. */
static const char *text_of(struct timestamps *timestamps, enum log_format format, const char *line,
                           char out[TIMESTAMP_TEXT_SIZE])
{
    struct timestamp timestamp = {0};
    read_one(timestamps, format, line, &timestamp);
    return timestamp_format(&timestamp, out);
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
    /* RFC 5424 */
    {LOG_KERNEL, "<4>1 2026-11-23T14:28:52.123456+00:00 gate kernel - - - IN=",
     "2026-11-23T14:28:52.123456+00:00", INT64_C(1795444132123456000)},
    {LOG_KERNEL, "<4>1 - gate kernel - - - [ 1238.672393] IN=", "PT1238.672393S",
     INT64_C(1238672393000)},
    /* no zone, a blank for the T, hours alone for the zone */
    {LOG_KERNEL, "2026-11-23T14:28:52 gate kernel: IN=", "2026-11-23T14:28:52",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "2026-11-23 14:28:52.25\tgate kernel: IN=", "2026-11-23T14:28:52.25",
     INT64_C(1795444132250000000)},
    {LOG_KERNEL, "2026-11-23T14:28:52+02 gate kernel: IN=", "2026-11-23T14:28:52+02:00",
     INT64_C(1795436932) * SECOND},
    {LOG_KERNEL, "2026-11-23T14:28:52,123456+00:00 IN=", "2026-11-23T14:28:52.123456+00:00",
     INT64_C(1795444132123456000)},
    {LOG_KERNEL,
     "\xef\xbb\xbf"
     "2026-11-23T14:28:52Z gate kernel: IN=",
     "2026-11-23T14:28:52Z", INT64_C(1795444132) * SECOND},
    /* a year with RFC 3164's */
    {LOG_KERNEL, "2020 Nov  2 14:28:52 gate kernel: IN=", "2020-11-02T14:28:52",
     INT64_C(1604327332) * SECOND},
    {LOG_KERNEL, "Nov  2 2020 14:28:52.5 gate kernel: IN=", "2020-11-02T14:28:52.5",
     INT64_C(1604327332500000000)},
    {LOG_KERNEL, "Nov 23 14:28:52 \t2020 gate kernel: IN=", "2020-11-23T14:28:52",
     INT64_C(1606141732) * SECOND},
    {LOG_KERNEL, "Mon 2026-11-23 14:28:52\tUTC gate kernel: IN=", "2026-11-23T14:28:52Z",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "Nov 2 14:28:52 2020 gate kernel: IN=", "2020-11-02T14:28:52",
     INT64_C(1604327332) * SECOND},
    /* journalctl */
    {LOG_KERNEL, "Mon 2026-11-23 14:28:52 UTC gate kernel: IN=", "2026-11-23T14:28:52Z",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "Mon 2026-11-23 14:28:52 CET gate kernel: IN=", "2026-11-23T14:28:52",
     INT64_C(1795444132) * SECOND},
    {LOG_KERNEL, "Mon 2026-11-23 14:28:52 -0330 gate kernel: IN=", "2026-11-23T14:28:52-03:30",
     INT64_C(1795456732) * SECOND},
    {LOG_KERNEL, "1795444132.123456 gate kernel: IN=", "2026-11-23T14:28:52.123456Z",
     INT64_C(1795444132123456000)},
    {LOG_KERNEL, "[ 1238.672393] gate kernel: IN=", "PT1238.672393S", INT64_C(1238672393000)},
    {LOG_KERNEL, "[ 1238.672393 <    0.010306 >] gate kernel: IN=", "PT1238.672393S",
     INT64_C(1238672393000)},
    {LOG_KERNEL, "[ 1238.672393                ] gate kernel: IN=", "PT1238.672393S",
     INT64_C(1238672393000)},
    /* no time, or none that there is */
    {LOG_KERNEL, "2026-02-29T14:28:52 gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "9999999999.5 gate kernel: IN=", "-", 0},
    {LOG_KERNEL, "kern  :warn  : IN=", "-", 0},
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
    {LOG_KERNEL, "[x unknown 8 14:28:52 2826] IN=", "-", 0},
    {LOG_KERNEL, "[99999999999999999999.5] IN=", "-", 0},
    {LOG_KERNEL, "[9300000000.5] IN=", "-", 0},
    {LOG_KMSG, "4,1,99999999999999999999,-;IN=", "-", 0},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

static void reads_every_envelope(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        struct timestamps timestamps;
        struct timestamp timestamp = {0};
        char text[TIMESTAMP_TEXT_SIZE];
        timestamps_init(&timestamps, today);
        bool good = read_one(&timestamps, rows[i].format, rows[i].line, &timestamp);
        assert_string_equal(timestamp_format(&timestamp, text), rows[i].text);
        assert_true(timestamp.time == rows[i].time);
        assert_true(good == (rows[i].text[0] != '-'));
    }
}

/* What is remembered of one line must not leak into another: every row after every other one, and
 * twice. The year of lines without one isn't compared: it depends on the line before. */
static void remembers_only_what_is_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS * ROWS; i++) {
        const int pair[] = {i / ROWS, i % ROWS, i % ROWS};
        struct timestamps timestamps;
        char text[TIMESTAMP_TEXT_SIZE];
        timestamps_init(&timestamps, today);
        for (int j = 0; j < 3; j++) {
            const char *line = rows[pair[j]].line;
            bool yearless = strstr(line, "Jan  1") || strncmp(line, "Apr", 3) == 0 ||
                            (strncmp(line, "Nov", 3) == 0 && !strstr(line, "2020"));
            text_of(&timestamps, rows[pair[j]].format, line, text);
            if (!yearless)
                assert_string_equal(text, rows[pair[j]].text);
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
    struct timestamps timestamps;
    timestamps_init(&timestamps, today);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char text[TIMESTAMP_TEXT_SIZE];
        assert_string_equal(text_of(&timestamps, LOG_KERNEL, lines[i][0], text), lines[i][1]);
    }
}

/* Each log: its stamps in order, and what they come out as when it has been read. */
static const struct {
    const char *why;
    const char *timestamps[8][2];
} logs[] = {
    {"this year", {{"Mar  1 10:00:00", "2026-03-01"}, {"Nov 23 11:00:00", "2026-11-23"}}},
    {"tomorrow is still now: clocks differ", {{"Nov 24 11:59:59", "2026-11-24"}}},
    {"the day after isn't", {{"Nov 24 12:00:01", "2025-11-24"}}},
    {"last year's", {{"Feb  1 10:00:00", "2025-02-01"}, {"Dec 30 10:00:00", "2025-12-30"}}},
    {"over New Year", {{"Dec 31 23:59:59", "2025-12-31"}, {"Jan  1 00:00:00", "2026-01-01"}}},
    {"a late line at New Year",
     {{"Dec 31 23:59:58", "2025-12-31"},
      {"Jan  1 00:00:00", "2026-01-01"},
      {"Dec 31 23:59:59", "2025-12-31"},
      {"Jan  1 00:00:01", "2026-01-01"}}},
    {"from November to February",
     {{"Nov 30 10:00:00", "2025-11-30"}, {"Feb  2 10:00:00", "2026-02-02"}}},
    {"from April to March", {{"Apr  2 10:00:00", "2025-04-02"}, {"Mar 31 10:00:00", "2026-03-31"}}},
    {"a little more than a day back",
     {{"Nov 12 10:00:00", "2025-11-12"}, {"Nov 11 09:59:59", "2026-11-11"}}},
    {"a day back is a late line",
     {{"Nov 12 10:00:00", "2026-11-12"}, {"Nov 11 10:00:00", "2026-11-11"}}},
    {"nearly a year",
     {{"Nov 25 00:00:00", "2025-11-25"},
      {"Dec  1 00:00:00", "2025-12-01"},
      {"Jan 31 00:00:00", "2026-01-31"},
      {"Nov 23 11:00:00", "2026-11-23"}}},
    {"two New Years end now",
     {{"Dec 30 10:00:00", "2024-12-30"},
      {"Jan  2 10:00:00", "2025-01-02"},
      {"Dec 30 10:00:00", "2025-12-30"},
      {"Jan  2 10:00:00", "2026-01-02"}}},
    {"or last year",
     {{"Dec 30 10:00:00", "2023-12-30"},
      {"Jan  2 10:00:00", "2024-01-02"},
      {"Jan  1 08:00:00", "2025-01-01"},
      {"Dec 30 10:00:00", "2025-12-30"}}},
    {"two lines in the wrong order",
     {{"Nov 23 11:00:02", "2026-11-23"}, {"Nov 23 11:00:01", "2026-11-23"}}},
    {"the clock went back at the end of summer",
     {{"Oct 25 02:59:59", "2026-10-25"}, {"Oct 25 02:00:00", "2026-10-25"}}},
    {"only a leap year has it", {{"Feb 29 12:00:00", "2024-02-29"}}},
    {"that of its first line, too",
     {{"Jan  3 12:00:00", "2024-01-03"},
      {"Feb 28 12:00:00", "2024-02-28"},
      {"Feb 29 12:00:00", "2024-02-29"},
      {"Mar  1 12:00:00", "2024-03-01"}}},
    {"and of a log that goes on",
     {{"Dec 28 12:00:00", "2023-12-28"},
      {"Feb 29 12:00:00", "2024-02-29"},
      {"Dec 31 12:00:00", "2024-12-31"},
      {"Jan  5 12:00:00", "2025-01-05"}}},
    {"a date that isn't is none",
     {{"Nov 22 12:00:00", "2026-11-22"},
      {"Apr 31 10:00:00", "-"},
      {"Nov 23 11:00:00", "2026-11-23"}}},
};

static void finds_the_year(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(logs) / sizeof(*logs); i++) {
        struct timestamps timestamps;
        struct timestamp read[8] = {0};
        timestamps_init(&timestamps, today);
        for (int j = 0; logs[i].timestamps[j][0]; j++) {
            char line[64];
            snprintf(line, sizeof(line), "%s gate kernel: IN=", logs[i].timestamps[j][0]);
            read_one(&timestamps, LOG_KERNEL, line, &read[j]);
        }
        timestamps_settle(&timestamps);
        for (int j = 0; logs[i].timestamps[j][0]; j++) {
            char text[TIMESTAMP_TEXT_SIZE];
            timestamps_redate(&timestamps, &read[j]);
            timestamp_format(&read[j], text);
            if (strncmp(text, logs[i].timestamps[j][1], strlen(logs[i].timestamps[j][1])) != 0)
                fail_msg("%s: %s is %s, not %s", logs[i].why, logs[i].timestamps[j][0], text,
                         logs[i].timestamps[j][1]);
        }
    }
}

/* What is still being written goes on from where it was settled. */
static void goes_on_when_it_is_settled(void **state)
{
    (void)state;
    struct timestamps timestamps;
    char text[TIMESTAMP_TEXT_SIZE];
    timestamps_init(&timestamps, today);
    text_of(&timestamps, LOG_KERNEL, "Nov 20 10:00:00 gate kernel: IN=", text);
    text_of(&timestamps, LOG_KERNEL, "Nov 18 10:00:00 gate kernel: IN=", text);
    assert_string_equal(text, "2027-11-18T10:00:00");
    timestamps_settle(&timestamps);
    text_of(&timestamps, LOG_KERNEL, "Nov 18 10:00:01 gate kernel: IN=", text);
    assert_string_equal(text, "2026-11-18T10:00:01");
    text_of(&timestamps, LOG_KERNEL, "Jan  1 00:00:01 gate kernel: IN=", text);
    assert_string_equal(text, "2027-01-01T00:00:01");
    timestamps_settle(&timestamps);
    text_of(&timestamps, LOG_KERNEL, "Jan  1 00:00:02 gate kernel: IN=", text);
    assert_string_equal(text, "2027-01-01T00:00:02");
}

/* `dmesg -T` and -e, in other languages. */
static void knows_months_of_any_language(void **state)
{
    (void)state;
    static const char *const czech[TIMESTAMP_MONTHS] = {"led", "úno", "bře", "dub", "kvě", "čen",
                                                        "čec", "srp", "zář", "říj", "lis", "pro"};
    static const char *const japanese[TIMESTAMP_MONTHS] = {" 1月", " 2月", " 3月", " 4月",
                                                           " 5月", " 6月", " 7月", " 8月",
                                                           " 9月", "10月", "11月", "12月"};
    static const char *const levant[TIMESTAMP_MONTHS] = {
        "كانون الثاني", "شباط", "آذار",  "نيسان",       "نوار",         "حزيران",
        "تموز",         "آب",   "أيلول", "تشرين الأول", "تشرين الثاني", "كانون الأول"};
    static const struct {
        const char *const *months;
        const char *line, *text;
    } dates[] = {
        {czech, "[Po lis  2 14:28:52 2026] IN=", "2026-11-02T14:28:52"},
        {czech, "[lis 2 14:28] IN=", "2026-11-02T14:28:00"},
        {czech, "[Mon Nov  2 14:28:52 2026] IN=", "2026-11-02T14:28:52"},
        {czech, "Nov  2 14:28:52 gate kernel: IN=", "2026-11-02T14:28:52"},
        {japanese, "[月 11月 23 14:28:52 2026] IN=", "2026-11-23T14:28:52"},
        {japanese, "[木  1月  8 14:28:52 2026] IN=", "2026-01-08T14:28:52"},
        {japanese, "[ 1月 8 14:28] IN=", "2026-01-08T14:28:00"},
        {levant,
         "[الاثنين تشرين الثاني 23 14:28:52 2026 <    0.010306>] IN=", "2026-11-23T14:28:52"},
        {levant, "[الاثنين كانون الثاني  5 14:28:52 2026] IN=", "2026-01-05T14:28:52"},
        /* names that nobody told us: numbers, else the latest that isn't in the future */
        {NULL, "[月 11月 23 14:28:52 2026] IN=", "2026-11-23T14:28:52"},
        {NULL, "[03 23 14:28:52 2026] IN=", "2026-03-23T14:28:52"},
        {NULL, "[Po lis 23 14:28:52 2026] IN=", "2026-11-23T14:28:52"},
        {NULL, "[Út pro 29 14:28:52 2026] IN=", "2026-10-29T14:28:52"},
    };
    for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        struct timestamps timestamps;
        char text[TIMESTAMP_TEXT_SIZE];
        timestamps_init(&timestamps, today);
        timestamps.months = dates[i].months;
        assert_string_equal(text_of(&timestamps, LOG_KERNEL, dates[i].line, text), dates[i].text);
    }
    struct timestamps timestamps;
    char text[TIMESTAMP_TEXT_SIZE];
    timestamps_init(&timestamps, today);
    text_of(&timestamps, LOG_KERNEL, "[So. Okt. 31 23:59:59 2026] IN=", text);
    assert_string_equal(text, "2026-10-31T23:59:59");
    text_of(&timestamps, LOG_KERNEL, "[So. Nvb.  1 00:00:00 2026] IN=", text);
    assert_string_equal(text, "2026-11-01T00:00:00");
    text_of(&timestamps, LOG_KERNEL, "[Mo. Nvb.  2 00:00:00 2026] IN=", text);
    assert_string_equal(text, "2026-11-02T00:00:00");
}

/* Times that count from the line before. */
static void adds_up_deltas(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"[<    0.000000>] IN=", "PT0.000000S"},
        {"[<    1.500000>] IN=", "PT1.500000S"},
        {"kern  :warn  : [<   12,000001>] IN=", "PT13.500001S"},
        {"[Nov23 14:28] IN=", "2026-11-23T14:28:00"},
        {"[  +0.010306] IN=", "2026-11-23T14:28:00.010306"},
        {"[ +12.000000] IN=", "2026-11-23T14:28:12.010306"},
        {"[  -0.010306] IN=", "2026-11-23T14:28:12.000000"},
        {"[Nov23 14:29] IN=", "2026-11-23T14:29:00"},
        {"[  +1,250000] IN=", "2026-11-23T14:29:01.250000"},
        {"[  +9999999999999999999.250000] IN=", "-"},
        {"[  +0.750000] IN=", "2026-11-23T14:29:02.000000"},
    };
    struct timestamps timestamps;
    timestamps_init(&timestamps, today);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char text[TIMESTAMP_TEXT_SIZE];
        assert_string_equal(text_of(&timestamps, LOG_KERNEL, lines[i][0], text), lines[i][1]);
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
        struct timestamp timestamp = {.time = day * DAY, .zone = TIMESTAMP_UTC};
        char expected[TIMESTAMP_TEXT_SIZE], text[TIMESTAMP_TEXT_SIZE], line[80];
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT00:00:00Z", date.year, date.month,
                 date.day);
        assert_string_equal(timestamp_format(&timestamp, text), expected);
        if (date.day > 1 && date.day < 28)
            continue;
        struct timestamps timestamps;
        timestamps_init(&timestamps, today);
        snprintf(line, sizeof(line), "%s gate kernel: IN=", expected);
        assert_true(read_one(&timestamps, LOG_KERNEL, line, &timestamp));
        assert_true(timestamp.time == day * DAY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_envelope),
        cmocka_unit_test(remembers_only_what_is_the_same),
        cmocka_unit_test(follows_the_clock_of_a_day),
        cmocka_unit_test(finds_the_year),
        cmocka_unit_test(goes_on_when_it_is_settled),
        cmocka_unit_test(knows_months_of_any_language),
        cmocka_unit_test(adds_up_deltas),
        cmocka_unit_test(agrees_with_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
