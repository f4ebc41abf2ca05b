/* Which lines are of now: each form of a time, zones and their changes, the turn of the year, and
 * lines of another zone.
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

#include "listener/freshness.h"

#define SECOND INT64_C(1000000000)
#define HOUR   (3600 * SECOND)

/* Of a source of this host, and of another's. */
static const struct freshness_bound local = {120 * SECOND, false}, remote = {10 * SECOND, true};

static const struct message_zone utc = {INT64_MIN, INT64_MAX, 0, 0, 0};

/* The moment that the text names, as "2026-11-23T14:28:52" in UTC, from 1970 on. The listener's
 * filter doesn't let timegm(3) look for the zone. */
static int64_t at(const char *text)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int year, month, day, hour, minute, second;
    int count = sscanf(text, "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute, &second);
    assert_int_equal(count, 6);
    /* 29 February of a leap year counts from March on. */
    int past = month > 2 ? year : year - 1;
    int leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    int days = (year - 1970) * 365 + leaps + before[month - 1] + day - 1;
    return (days * INT64_C(86400) + hour * 3600 + minute * 60 + second) * SECOND;
}

static enum stale_reason judge(struct freshness *freshness, const struct freshness_bound *bound,
                               const struct message_zone *zone, enum log_format format,
                               const char *stamp, int64_t wall, int64_t *age)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "%sIN=eth0 OUT= SRC=192.0.2.1", stamp);
    /* A copy of the exact length, so that a sanitizer sees every byte read behind the end. */
    char *copy = malloc((size_t)len);
    assert_non_null(copy);
    memcpy(copy, text, (size_t)len);
    struct freshness_line line = {.text = copy, .len = (size_t)len, .format = format, .wall = wall};
    enum stale_reason reason = freshness_judge(freshness, bound, zone, &line, age);
    free(copy);
    return reason;
}

/* The first line of a source, then the same again, by what was remembered of it: no other verdict.
 */
static void expect(const struct freshness_bound *bound, const struct message_zone *zone,
                   enum log_format format, const char *stamp, const char *wall,
                   enum stale_reason reason, int64_t age)
{
    struct freshness freshness = {.heard = true};
    for (int i = 0; i < 2; i++) {
        int64_t got_age;
        enum stale_reason got = judge(&freshness, bound, zone, format, stamp, at(wall), &got_age);
        if (got != reason || got_age != age)
            fail_msg("\"%s\" at %s: reason %d, age %lld ms; expected %d, %lld", stamp, wall, got,
                     (long long)got_age / 1000000, reason, (long long)age / 1000000);
    }
}

static const char now[] = "2026-11-23T14:28:52";

static void each_form_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *stamp;
        int64_t age; /* ms */
    } rows[] = {
        {"Nov 23 14:28:50 gate kernel: ", 2000},
        {"Nov 23 14:28:50.250 gate kernel: ", 1750},
        {"<4>Nov 23 14:28:50 gate kernel: [ 1.5] ", 2000},
        {"Nov 23 2026 14:28:50 gate kernel: ", 2000},
        {"Nov 23 14:28:50 2026 gate kernel: ", 2000},
        {"2026 Nov 23 14:28:50 gate kernel: ", 2000},
        {"Mon Nov 23 14:28:50 2026 gate kernel: ", 2000},
        {"2026-11-23T14:28:50Z gate kernel: ", 2000},
        {"2026-11-23T14:28:50.5+00:00 gate kernel: ", 1500},
        {"2026-11-23T16:28:50.5+02:00 gate kernel: ", 1500},
        {"2026-11-23T10:58:50-0330 gate kernel: ", 2000},
        {"2026-11-23T14:28:50 gate kernel: ", 2000},
        {"2026-11-23 14:28:50 gate kernel: ", 2000},
        {"Mon 2026-11-23 14:28:50 UTC gate kernel: ", 2000},
        {"Mon 2026-11-23 14:28:50 GMT gate kernel: ", 2000},
        {"1795444130.000000 gate kernel: ", 2000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        expect(&local, &utc, LOG_KERNEL, rows[i].stamp, now, STALE_NOT, rows[i].age * 1000000);
        expect(&remote, &utc, LOG_KERNEL, rows[i].stamp, now, STALE_NOT, rows[i].age * 1000000);
    }
    expect(&remote, &utc, LOG_ULOGD, "Nov 23 14:28:50 gate ", now, STALE_NOT, 2 * SECOND);
}

/* What another machine's uptime is nobody knows, nor when the line before was. */
static void lines_without_a_date(void **state)
{
    (void)state;
    static const char *const stamps[] = {
        "kernel: ",       "gate kernel: ",  "[ 1238.672393] ",   "<4>[12.000001] ",
        "[  +0.010620] ", "[Nov23 14:28] ", "[<    0.010620>] ", "[Mon Nov 23 09:28:50 2026] "};
    for (size_t i = 0; i < sizeof(stamps) / sizeof(*stamps); i++) {
        expect(&local, &utc, LOG_KERNEL, stamps[i], now, STALE_NOT, 0);
        expect(&remote, &utc, LOG_KERNEL, stamps[i], now, STALE_UNDATED, 0);
    }
    expect(&local, &utc, LOG_KMSG, "4,1,1238672393,-;", now, STALE_NOT, 0);
}

/* A date that stands there, but that no clock can show, is no missing one. */
static void impossible_dates(void **state)
{
    (void)state;
    static const char *const stamps[] = {
        "Feb 30 14:28:50 gate kernel: ",
        "Nov 31 14:28:50 gate kernel: ",
        "Nov 00 14:28:50 gate kernel: ",
        "<4>Feb 30 14:28:50 gate kernel: ",
        "Feb 29 14:28:50 2025 gate kernel: ",
        "2025 Feb 29 14:28:50 gate kernel: ",
        "Mon Feb 30 14:28:50 2026 gate kernel: ",
        "2025-02-29T14:28:50Z gate kernel: ",
        "2026-02-30T00:00:05+00:00 gate kernel: ",
        "2026-00-10T00:00:05+00:00 gate kernel: ",
        "Mon 2026-02-30 14:28:50 UTC gate kernel: ",
        "1969-12-31T19:00:05-05:00 gate kernel: ",
        "1969-12-31T19:00:05 gate kernel: ",
        "2262-01-01T00:00:00Z gate kernel: ",
        "2300-01-01T00:00:05+00:00 gate kernel: ",
        "9999999999.999999 gate kernel: ",
        "9214646401.000000 gate kernel: ",
        "<4>1 2300-01-01T00:00:05Z gate kernel - - - ",
        /* These could pass for a host's name. */
        "9999-12-31T00:00:05Z kernel: ",
        "2026-13-01T00:00:05Z kernel: ",
        "<4>2026-11-32T00:00:05 kernel: ",
        "2026-11-23T24:28:50 kernel: ",
    };
    for (size_t i = 0; i < sizeof(stamps) / sizeof(*stamps); i++) {
        expect(&local, &utc, LOG_KERNEL, stamps[i], now, STALE_UNDATED, 0);
        expect(&remote, &utc, LOG_KERNEL, stamps[i], now, STALE_UNDATED, 0);
    }
    expect(&local, &utc, LOG_ULOGD, "Feb 30 14:28:50 gate ", now, STALE_UNDATED, 0);
}

/* A stamp in whole seconds may be from the end of that second. */
static void bounds_are_exact(void **state)
{
    (void)state;
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:42Z gate kernel: ", now, STALE_NOT,
           10 * SECOND);
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:41Z gate kernel: ", now, STALE_NOT,
           11 * SECOND);
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:40Z gate kernel: ", now, STALE_OLD,
           12 * SECOND);
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:42.000Z gate kernel: ", now, STALE_NOT,
           10 * SECOND);
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:41.998Z gate kernel: ", now, STALE_OLD,
           10002 * INT64_C(1000000));
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:57Z gate kernel: ", now, STALE_NOT,
           -5 * SECOND);
    expect(&remote, &utc, LOG_KERNEL, "2026-11-23T14:28:58Z gate kernel: ", now, STALE_FUTURE,
           -6 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Nov 23 14:26:51 gate kernel: ", now, STALE_NOT, 121 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Nov 23 14:26:50 gate kernel: ", now, STALE_OLD, 122 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Nov 23 14:30:52 gate kernel: ", now, STALE_NOT,
           -120 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Nov 23 14:30:53 gate kernel: ", now, STALE_FUTURE,
           -121 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "1999-12-31T23:59:59Z gate kernel: ", now, STALE_OLD,
           at(now) - at("1999-12-31T23:59:59"));
    expect(&local, &utc, LOG_KERNEL, "2261-12-31T23:59:59Z gate kernel: ", now, STALE_FUTURE,
           at(now) - at("2261-12-31T23:59:59"));
}

static void without_a_bound_all_is_taken(void **state)
{
    (void)state;
    static const struct freshness_bound open = {0, true};
    expect(&open, &utc, LOG_KERNEL, "1999-12-31T23:59:59Z gate kernel: ", now, STALE_NOT, 0);
    expect(&open, &utc, LOG_KERNEL, "kernel: ", now, STALE_NOT, 0);
}

/* A time without a year is of the year that is nearest behind. */
static void years_turn(void **state)
{
    (void)state;
    expect(&local, &utc, LOG_KERNEL, "Dec 31 23:59:58 gate kernel: ", "2027-01-01T00:00:03",
           STALE_NOT, 5 * SECOND);
    expect(&remote, &utc, LOG_KERNEL, "Jan  1 00:00:01 gate kernel: ", "2026-12-31T23:59:58",
           STALE_NOT, -3 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Dec 31 12:00:00 gate kernel: ", "2027-01-01T00:00:03",
           STALE_OLD, 12 * HOUR + 3 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Feb 29 10:00:00 gate kernel: ", "2028-02-29T10:00:05",
           STALE_NOT, 5 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Feb 29 23:59:58 gate kernel: ", "2028-03-01T00:00:02",
           STALE_NOT, 4 * SECOND);
    expect(&local, &utc, LOG_KERNEL, "Feb 28 23:59:58 gate kernel: ", "2027-03-01T00:00:02",
           STALE_NOT, 4 * SECOND);
    /* There is none this year. */
    expect(&local, &utc, LOG_KERNEL, "Feb 29 23:59:58 gate kernel: ", "2027-03-01T00:00:02",
           STALE_OLD, at("2027-03-01T00:00:02") - at("2024-02-29T23:59:58"));
}

/* A source that is silent for a year but for one day. */
static void the_same_day_of_another_year(void **state)
{
    (void)state;
    struct freshness freshness = {0};
    int64_t age;
    for (int year = 2026; year < 2030; year++) {
        char wall[32];
        snprintf(wall, sizeof(wall), "%d-11-23T14:28:52", year);
        assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                               "Nov 23 14:28:50 gate kernel: ", at(wall), &age),
                         STALE_NOT);
        assert_int_equal(age, 2 * SECOND);
    }
}

/* The verdict on each line is the same whatever line came before it. */
static void the_line_before_has_no_say(void **state)
{
    (void)state;
    static const char *const stamps[] = {
        "Nov 23 14:28:50 gate kernel: ",
        "Nov 23 14:28:50 2024 gate kernel: ",
        "Nov 23 14:28:50  2024 gate kernel: ",
        "Nov 23 14:28:50\t \t2024 gate kernel: ",
        "Nov 23 14:28:50 2026 gate kernel: ",
        "Nov 23 14:28:50Z gate kernel: ",
        "Nov 23 14:28:50+05:00 gate kernel: ",
        "Nov 23 2026 14:28:50 gate kernel: ",
        "Nov 23 2024 14:28:50 gate kernel: ",
        "2026-11-23T14:28:50 gate kernel: ",
        "2026-11-23T14:28:50Z gate kernel: ",
        "2026-11-23T14:28:50+05:00 gate kernel: ",
        "2026-11-23 14:28:50  2024 gate kernel: ",
        "Mon 2026-11-23 14:28:50\tUTC gate kernel: ",
        "Mon 2026-11-23 14:28:50 CET gate kernel: ",
        "Feb 29 14:28:50 gate kernel: ",
        "Dec 31 14:28:50 gate kernel: ",
        "[Mon Nov 23 14:28:50 2026] ",
        "[Nov23 14:28] ",
        "[  +0.010620] ",
        "1795444130.000000 gate kernel: ",
        "kernel: ",
    };
    const struct message_zone east = {INT64_MIN, INT64_MAX, 18000, 18000, 18000};
    const struct message_zone *const zones[] = {&utc, &east};
    size_t count = sizeof(stamps) / sizeof(*stamps);
    for (size_t i = 0; i < 2 * count * count; i++) {
        const struct message_zone *zone = zones[i % 2];
        const char *before = stamps[i / 2 % count], *stamp = stamps[i / 2 / count];
        struct freshness first = {.heard = true}, second = {.heard = true};
        int64_t age, first_age;
        enum stale_reason reason =
            judge(&first, &remote, zone, LOG_KERNEL, stamp, at(now), &first_age);
        judge(&second, &remote, zone, LOG_KERNEL, before, at(now), &age);
        if (judge(&second, &remote, zone, LOG_KERNEL, stamp, at(now), &age) != reason ||
            age != first_age)
            fail_msg("\"%s\" after \"%s\": age %lld ms; expected %d, %lld", stamp, before,
                     (long long)age / 1000000, reason, (long long)first_age / 1000000);
    }
    struct freshness freshness = {.heard = true};
    int64_t age;
    judge(&freshness, &remote, &utc, LOG_KERNEL, stamps[0], at(now), &age);
    assert_int_equal(judge(&freshness, &remote, &utc, LOG_KERNEL, stamps[2], at(now), &age),
                     STALE_OLD);
    assert_int_equal(age, at(now) - at("2024-11-23T14:28:50"));
}

/* Berlin: +1 h, from 2026-03-29T01:00:00Z to 2026-10-25T01:00:00Z +2 h. */
static void zones_change(void **state)
{
    (void)state;
    const struct message_zone winter = {INT64_MIN, INT64_MAX, 3600, 3600, 3600};
    const struct message_zone spring = {INT64_MIN, at("2026-03-29T01:00:00"), 3600, 3600, 7200};
    const struct message_zone sprung = {at("2026-03-29T01:00:00"), INT64_MAX, 3600, 7200, 7200};
    const struct message_zone autumn = {INT64_MIN, at("2026-10-25T01:00:00"), 7200, 7200, 3600};
    static const struct {
        const char *stamp, *wall;
        enum stale_reason reason;
        int64_t age; /* s */
    } springs[] = {
        {"Mar 29 01:59:58 gate kernel: ", "2026-03-29T00:59:59", STALE_NOT, 1},
        {"Mar 29 01:59:58 gate kernel: ", "2026-03-29T01:00:03", STALE_NOT, 5},
        {"Mar 29 03:00:01 gate kernel: ", "2026-03-29T01:00:03", STALE_NOT, 2},
        {"Mar 29 03:00:01 gate kernel: ", "2026-03-29T00:59:59", STALE_NOT, -2},
        {"Mar 29 01:30:00 gate kernel: ", "2026-03-29T01:00:03", STALE_OLD, 1803},
        {"Mar 29 03:30:00 gate kernel: ", "2026-03-29T01:30:03", STALE_NOT, 3},
        {"Mar 29 02:30:00 gate kernel: ", "2026-03-29T01:30:03", STALE_OLD, 3603},
        /* No clock shows the hour that is skipped. */
        {"Mar 29 02:00:01 gate kernel: ", "2026-03-29T01:00:03", STALE_OLD, 3602},
        {"Mar 29 02:59:59 gate kernel: ", "2026-03-29T00:59:59", STALE_FUTURE, -3600},
        {"Mar 29 03:00:00 gate kernel: ", "2026-03-29T02:00:00", STALE_OLD, 3600},
        {"Mar 29 01:00:30 gate kernel: ", "2026-03-29T01:00:30", STALE_OLD, 3600},
    };
    expect(&remote, &winter, LOG_KERNEL, "Nov 23 15:28:50 gate kernel: ", now, STALE_NOT,
           2 * SECOND);
    for (size_t i = 0; i < sizeof(springs) / sizeof(*springs); i++) {
        expect(&local, &spring, LOG_KERNEL, springs[i].stamp, springs[i].wall, springs[i].reason,
               springs[i].age * SECOND);
        expect(&local, &sprung, LOG_KERNEL, springs[i].stamp, springs[i].wall, springs[i].reason,
               springs[i].age * SECOND);
    }
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 02:59:58 gate kernel: ", "2026-10-25T00:59:59",
           STALE_NOT, SECOND);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 02:59:58 gate kernel: ", "2026-10-25T01:00:03",
           STALE_NOT, 5 * SECOND);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 02:00:01 gate kernel: ", "2026-10-25T01:00:03",
           STALE_NOT, 2 * SECOND);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 02:30:00 gate kernel: ", "2026-10-25T01:10:00",
           STALE_FUTURE, -1200 * SECOND);
    /* Of an hour ago: only what stands in the hour that comes twice can be of both. */
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 01:59:00 gate kernel: ", "2026-10-25T00:59:00",
           STALE_OLD, 3600 * SECOND);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 01:59:59 gate kernel: ", "2026-10-25T00:59:59",
           STALE_OLD, 3600 * SECOND);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 02:00:00 gate kernel: ", "2026-10-25T01:00:00",
           STALE_NOT, 0);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 02:59:59 gate kernel: ", "2026-10-25T01:59:59",
           STALE_NOT, 0);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 03:00:01 gate kernel: ", "2026-10-25T02:00:01",
           STALE_NOT, 0);
    expect(&local, &autumn, LOG_KERNEL, "Oct 25 03:00:01 gate kernel: ", "2026-10-25T01:00:01",
           STALE_FUTURE, -3600 * SECOND);
    /* A line that names its zone doesn't care. */
    expect(&local, &autumn, LOG_KERNEL,
           "2026-10-25T02:59:58+02:00 gate kernel: ", "2026-10-25T01:30:00", STALE_OLD,
           1802 * SECOND);
}

/* A container in UTC reads what a host elsewhere writes. */
static void another_zone_is_recognised(void **state)
{
    (void)state;
    static const int minutes[] = {60, 120, -60, -300, 330, 345, 765, -570, 840, -720};
    for (size_t i = 0; i < sizeof(minutes) / sizeof(*minutes); i++) {
        struct freshness freshness = {0};
        struct timestamp there = {.time = at(now) + minutes[i] * 60 * SECOND - SECOND,
                                  .zone = TIMESTAMP_LOCAL};
        char stamp[96], text[TIMESTAMP_TEXT_SIZE];
        int64_t age;
        snprintf(stamp, sizeof(stamp), "%s gate kernel: ", timestamp_format(&there, text));
        assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL, stamp, at(now), &age),
                         STALE_ZONE);
        assert_int_equal(age, SECOND - minutes[i] * 60 * SECOND);
        /* One that says which zone, is no such line. */
        snprintf(stamp, sizeof(stamp), "%sZ gate kernel: ", text);
        freshness = (struct freshness){0};
        assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL, stamp, at(now), &age),
                         minutes[i] < 0 ? STALE_OLD : STALE_FUTURE);
    }
}

/* Old lines of any time, of a source that was heard, are no sign of a zone until they last. */
static void old_lines_are_no_zone(void **state)
{
    (void)state;
    struct freshness freshness = {0};
    int64_t age, wall = at(now);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 13:20:00 gate kernel: ", wall, &age),
                     STALE_OLD);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 14:28:50 gate kernel: ", wall, &age),
                     STALE_NOT);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 13:28:51 gate kernel: ", wall, &age),
                     STALE_OLD);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 13:29:21 gate kernel: ", wall + 30 * SECOND, &age),
                     STALE_OLD);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 13:29:52 gate kernel: ", wall + 61 * SECOND, &age),
                     STALE_ZONE);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 14:29:53 gate kernel: ", wall + 62 * SECOND, &age),
                     STALE_NOT);
    assert_int_equal(judge(&freshness, &local, &utc, LOG_KERNEL,
                           "Nov 23 13:29:54 gate kernel: ", wall + 63 * SECOND, &age),
                     STALE_OLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(lines_without_a_date),
        cmocka_unit_test(impossible_dates),
        cmocka_unit_test(the_line_before_has_no_say),
        cmocka_unit_test(bounds_are_exact),
        cmocka_unit_test(without_a_bound_all_is_taken),
        cmocka_unit_test(years_turn),
        cmocka_unit_test(the_same_day_of_another_year),
        cmocka_unit_test(zones_change),
        cmocka_unit_test(another_zone_is_recognised),
        cmocka_unit_test(old_lines_are_no_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
