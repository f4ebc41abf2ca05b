/* Token buckets: never more than the burst, never faster than the rate, for however long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/limit.h"

static unsigned take_all(struct limit *limit, int64_t now)
{
    unsigned taken = 0;
    while (limit_take(limit, now))
        taken++;
    return taken;
}

static void a_burst_and_no_more(void **state)
{
    (void)state;
    static const unsigned bursts[] = {1, 2, 10, 5000};
    for (size_t i = 0; i < sizeof(bursts) / sizeof(*bursts); i++) {
        struct limit limit = limit_make(3, bursts[i], 77);
        assert_int_equal(take_all(&limit, 77), bursts[i]);
        assert_int_equal(limit.dropped, 1);
        for (int more = 0; more < 4; more++)
            assert_false(limit_take(&limit, 77));
        assert_int_equal(limit.dropped, 5);
    }
}

static void refills_at_its_rate(void **state)
{
    (void)state;
    static const struct {
        unsigned per_second, burst;
        int64_t rest;
        unsigned tokens;
    } rows[] = {
        {1, 5, CLOCK_SECOND, 1},         {1, 5, CLOCK_SECOND - 1, 0},
        {10, 5, CLOCK_SECOND / 10, 1},   {10, 5, CLOCK_SECOND / 10 - 1, 0},
        {10, 5, CLOCK_SECOND / 2, 5},    {10, 5, CLOCK_SECOND, 5},
        {3, 100, 10 * CLOCK_SECOND, 30}, {1000, 100, 1, 0},
        {1000, 100, 1000000, 1},         {4000000000U, 4000000000U, 1, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct limit limit = limit_make(rows[i].per_second, rows[i].burst, 0);
        limit.tokens = 0;
        assert_int_equal(take_all(&limit, rows[i].rest), rows[i].tokens);
    }
}

/* Looked at often or seldom, it grants the same: nothing is lost to rounding. */
static void loses_nothing_to_rounding(void **state)
{
    (void)state;
    struct limit limit = limit_make(7, 3, 0);
    uint64_t taken = 0;
    limit.tokens = 0;
    for (int64_t now = 0; now <= 10 * CLOCK_SECOND; now += 333333)
        taken += limit_take(&limit, now);
    taken += limit_take(&limit, 10 * CLOCK_SECOND);
    assert_int_equal(taken, 70);
}

static void survives_years_and_standstill(void **state)
{
    (void)state;
    static const int64_t rests[] = {CLOCK_SECOND * 86400 * 365 * 10, INT64_MAX / 2, INT64_MAX - 9};
    for (size_t i = 0; i < sizeof(rests) / sizeof(*rests); i++) {
        struct limit limit = limit_make(1000000, 20, 9);
        assert_int_equal(take_all(&limit, 9), 20);
        assert_int_equal(take_all(&limit, rests[i]), 20);
        for (int again = 0; again < 1000; again++)
            assert_false(limit_take(&limit, rests[i]));
    }
}

/* Time that goes back, which it never should, grants nothing and takes nothing away. */
static void time_that_goes_back_grants_nothing(void **state)
{
    (void)state;
    struct limit limit = limit_make(1, 2, 100 * CLOCK_SECOND);
    assert_true(limit_take(&limit, 100 * CLOCK_SECOND));
    assert_true(limit_take(&limit, 50 * CLOCK_SECOND));
    assert_false(limit_take(&limit, 50 * CLOCK_SECOND));
    assert_true(limit_take(&limit, 51 * CLOCK_SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_no_more),
        cmocka_unit_test(refills_at_its_rate),
        cmocka_unit_test(loses_nothing_to_rounding),
        cmocka_unit_test(survives_years_and_standstill),
        cmocka_unit_test(time_that_goes_back_grants_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
