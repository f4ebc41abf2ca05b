/* Pauses that double up to a limit, and begin over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/backoff.h"

static void doubles_up_to_the_limit(void **state)
{
    (void)state;
    static const int64_t pauses[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct backoff backoff = {.first = 1, .longest = 60};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++)
            assert_int_equal(backoff_next(&backoff), pauses[i]);
        backoff_reset(&backoff);
    }
}

static void overflows_nothing(void **state)
{
    (void)state;
    struct backoff backoff = {.first = INT64_MAX / 2 + 1, .longest = INT64_MAX};
    assert_true(backoff_next(&backoff) == INT64_MAX / 2 + 1);
    assert_true(backoff_next(&backoff) == INT64_MAX);
    assert_true(backoff_next(&backoff) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_limit),
        cmocka_unit_test(overflows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
