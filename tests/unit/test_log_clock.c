/* The log's clock shows the latest time of its lines, however they are mixed, and follows steps
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockd/log_clock.h"

static const int64_t today = INT64_C(1795435200) * 1000000000; /* 2026-11-23T12:00:00 */

#define MINUTE (INT64_C(60) * 1000000000)

static uint32_t state = 20261123;

static int any(int below)
{
    state = state * 1664525 + 1013904223;
    return (int)((state >> 8) % (uint32_t)below);
}

/* A line's beginning, of one of several kinds, at a clock that mostly goes forward. */
static size_t make_line(char *out, size_t size, int kind, int *second)
{
    static const char *const zones[] = {"Z", "+00:00", "+02:00", "-0330"};
    *second += any(8) == 0 ? -any(400) : any(3);
    *second = *second < 0 ? 0 : *second;
    int day = 22 + *second / 600 % 3, hours = *second / 60 % 10, minutes = *second % 60;
    char clock[64];
    int digits = kind % 4 == 0 ? 0 : kind % 4 == 1 ? 3 : 6;
    int used = snprintf(clock, sizeof(clock), "%02d:%02d:%02d", hours, minutes, any(60));
    if (digits > 0)
        snprintf(clock + used, sizeof(clock) - (size_t)used, ".%0*d", digits, any(1000));
    if (kind < 16)
        return (size_t)snprintf(
            out, size, "2026-11-%02dT%s%s gate kernel: IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.1 ",
            day, clock, zones[kind / 4]);
    if (kind < 20)
        return (size_t)snprintf(
            out, size, "Nov %d %s gate kernel: IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.1 ", day,
            clock);
    return (size_t)snprintf(out, size, "[%5d.%06d] IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.1 ",
                            *second, any(1000000));
}

/* The same, said once more: the latest time, or that of a step back by more than a minute. */
static void pass(struct timestamps *timestamps, struct timestamp *now, unsigned *steps,
                 const char *line, size_t len)
{
    struct timestamp timestamp;
    if (!timestamp_read(timestamps, LOG_KERNEL, line, len, &timestamp))
        return;
    bool first = now->zone == TIMESTAMP_NONE;
    bool other = !first && (timestamp.zone == TIMESTAMP_BOOT) != (now->zone == TIMESTAMP_BOOT);
    bool back = other || (!first && timestamp.time < now->time - MINUTE);
    *steps += back;
    if (first || back || timestamp.time >= now->time)
        *now = timestamp;
}

static void shows_the_latest_time(void **unused)
{
    (void)unused;
    for (int log = 0; log < 300; log++) {
        struct log_clock clock = {0};
        struct timestamps timestamps;
        struct timestamp now = {0};
        unsigned steps = 0;
        int64_t elapsed = INT64_MIN;
        int second = any(900), kind = any(21), patience = 1 + any(200);
        timestamps_init(&timestamps, today);
        timestamps_init(&clock.timestamps, today);
        for (int i = 0; i < 400; i++) {
            char line[128], got[TIMESTAMP_TEXT_SIZE], expected[TIMESTAMP_TEXT_SIZE];
            kind = any(patience) == 0 ? any(21) : kind;
            size_t len = make_line(line, sizeof(line), kind, &second);
            pass(&timestamps, &now, &steps, line, len);
            log_clock_pass(&clock, LOG_KERNEL, line, len);
            assert_string_equal(timestamp_format(&clock.now, got),
                                timestamp_format(&now, expected));
            assert_int_equal(clock.now.time, now.time);
            assert_int_equal(clock.steps, steps);
            assert_true(clock.elapsed >= elapsed);
            elapsed = clock.elapsed;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_latest_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
