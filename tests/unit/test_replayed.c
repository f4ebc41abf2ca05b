/* What a rewritten log holds is measured by what was read before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "listener/replayed.h"

#define PACKET                                                                                     \
    " gw kernel: [D] IN=eth0 OUT= MAC= SRC=192.0.2.2 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 "     \
    "TTL=64 ID=1 PROTO=TCP SPT=1 DPT=2 WINDOW=1 RES=0x00 SYN URGP=0 "

/* 2026-11-23 12:00:00 UTC */
static const int64_t today = INT64_C(1795435200) * 1000000000;

static bool is_old(const char *noted, const char *line)
{
    struct replayed stale = {.measuring = false};
    replayed_note(&stale, noted, strlen(noted));
    replayed_begin(&stale, LOG_KERNEL, today);
    return replayed_is_old(&stale, LOG_KERNEL, line, strlen(line));
}

static void measures_by_the_newest_line(void **state)
{
    (void)state;
    static const struct {
        const char *noted, *line;
        bool old;
    } rows[] = {
        {"Nov 23 11:00:00" PACKET, "Nov 23 10:59:00" PACKET, true},
        {"Nov 23 11:00:00" PACKET, "Nov 22 11:30:00" PACKET, true},
        {"Nov 23 11:00:00" PACKET, "Nov 23 11:00:00" PACKET, false},
        {"Nov 23 11:00:00" PACKET, "Nov 23 10:59:59" PACKET, false}, /* threads */
        {"Nov 23 11:00:00" PACKET, "Nov 23 11:00:05" PACKET, false},
        {"2026-11-23T11:00:00.5+00:00" PACKET, "2026-11-23T10:00:00.5+00:00" PACKET, true},
        {"2026-11-23T11:00:00.5+00:00" PACKET, "2026-11-23T12:30:00.5+02:00" PACKET, true},
        {"2026-11-23T11:00:00.5+00:00" PACKET, "2026-11-23T13:30:00.5+02:00" PACKET, false},
        {"2026-11-23T11:00:00.5+00:00" PACKET, "kernel: no time at all", false},
        {"Nov 23 11:00:00 gw sshd[1]: no kernel's line", "Nov 22 11:00:00" PACKET, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (is_old(rows[i].noted, rows[i].line) != rows[i].old)
            fail_msg("after '%s': '%s'", rows[i].noted, rows[i].line);
}

static void measures_only_what_was_there(void **state)
{
    (void)state;
    static const char newest[] = "Nov 23 11:00:00" PACKET, old[] = "Nov 22 11:00:00" PACKET;
    struct replayed stale = {.measuring = false};
    replayed_note(&stale, newest, strlen(newest));
    assert_false(replayed_is_old(&stale, LOG_KERNEL, old, strlen(old)));
    replayed_begin(&stale, LOG_KERNEL, today);
    assert_true(replayed_is_old(&stale, LOG_KERNEL, old, strlen(old)));
    replayed_end(&stale);
    assert_false(replayed_is_old(&stale, LOG_KERNEL, old, strlen(old)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_by_the_newest_line),
        cmocka_unit_test(measures_only_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
