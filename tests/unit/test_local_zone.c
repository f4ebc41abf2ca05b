/* The time zone of this host: its offset, and when that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "knockd/local_zone.h"

#define SECOND INT64_C(1000000000)

/* Spring in Berlin, 2026-03-29T01:00:00Z, and autumn, 2026-10-25T01:00:00Z. */
static const time_t spring = 1774746000, autumn = 1792890000;

static struct message_zone zone_at(const char *zone, time_t now)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    return local_zone(now);
}

static void expect(struct message_zone zone, struct message_zone wanted)
{
    assert_int_equal(zone.from, wanted.from);
    assert_int_equal(zone.until, wanted.until);
    assert_int_equal(zone.before, wanted.before);
    assert_int_equal(zone.offset, wanted.offset);
    assert_int_equal(zone.after, wanted.after);
}

static void zones_without_a_change(void **state)
{
    (void)state;
    expect(zone_at("UTC0", spring), (struct message_zone){INT64_MIN, INT64_MAX, 0, 0, 0});
    expect(zone_at("<+0545>-5:45", spring),
           (struct message_zone){INT64_MIN, INT64_MAX, 20700, 20700, 20700});
    expect(zone_at("<-0330>3:30", autumn),
           (struct message_zone){INT64_MIN, INT64_MAX, -12600, -12600, -12600});
}

static void changes_are_found_to_the_second(void **state)
{
    (void)state;
    static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
    const struct message_zone before = {INT64_MIN, spring * SECOND, 3600, 3600, 7200},
                              behind = {spring * SECOND, INT64_MAX, 3600, 7200, 7200},
                              winter = {autumn * SECOND, INT64_MAX, 7200, 3600, 3600};
    expect(zone_at(berlin, spring - 1), before);
    expect(zone_at(berlin, spring - 86400), before);
    expect(zone_at(berlin, spring), behind);
    expect(zone_at(berlin, spring + 3600), behind);
    expect(zone_at(berlin, autumn), winter);
    expect(zone_at(berlin, autumn + 2 * 86400),
           (struct message_zone){INT64_MIN, INT64_MAX, 3600, 3600, 3600});
    expect(zone_at(berlin, autumn - 3 * 86400),
           (struct message_zone){INT64_MIN, INT64_MAX, 7200, 7200, 7200});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_without_a_change),
        cmocka_unit_test(changes_are_found_to_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
