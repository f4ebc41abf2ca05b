/* Deadlines: whatever is set, moved and cancelled, they come in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/timers.h"

enum { COUNT = 150, ROUNDS = 40000 };

/* The model: due[i] is the deadline of timer i, or one of these. */
static const int64_t unknown = -2, unset = -1;

struct model {
    struct timers timers;
    struct timer all[COUNT];
    int64_t due[COUNT];
    size_t registered, set;
};

static void never(void *arg)
{
    (void)arg;
    fail_msg("timers_pop doesn't fire");
}

static int64_t model_next(const struct model *m)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < COUNT; i++)
        if (m->due[i] >= 0 && m->due[i] < next)
            next = m->due[i];
    return next;
}

static void assert_alike(const struct model *m)
{
    assert_int_equal(m->timers.set, m->set);
    assert_int_equal(m->timers.registered, m->registered);
    assert_true(timers_next(&m->timers) == model_next(m));
    for (int i = 0; i < COUNT; i++)
        if (m->due[i] != unknown)
            assert_int_equal(timer_is_set(&m->all[i]), m->due[i] >= 0);
}

static void pop_all(struct model *m, int64_t now)
{
    int64_t last = 0;
    for (struct timer *t; (t = timers_pop(&m->timers, now)); m->set--) {
        size_t i = (size_t)(t - m->all);
        assert_true(t->due == model_next(m));
        assert_true(m->due[i] == t->due);
        assert_true(t->due >= last && t->due <= now);
        assert_ptr_equal(t->arg, &m->all[i]);
        assert_false(timer_is_set(t));
        last = t->due;
        m->due[i] = unset;
    }
    assert_true(model_next(m) > now);
}

static void change_one(struct model *m, int64_t now)
{
    int i = rand() % COUNT, what = rand() % 16;
    struct timer *t = &m->all[i];
    if (m->due[i] == unknown) {
        assert_int_equal(timers_register(&m->timers, t, never, t), 0);
        m->registered++;
        m->due[i] = unset;
    } else if (what == 0) {
        m->registered--;
        m->set -= m->due[i] >= 0;
        timers_unregister(&m->timers, t);
        m->due[i] = unknown;
    } else if (what < 5) {
        m->set -= m->due[i] >= 0;
        timers_cancel(&m->timers, t);
        m->due[i] = unset;
    } else {
        /* Few different deadlines, so that many are equal. */
        m->set += m->due[i] < 0;
        m->due[i] = now + rand() % 300;
        timers_set(&m->timers, t, m->due[i]);
    }
}

static void behaves_as_a_sorted_model(void **state)
{
    (void)state;
    static struct model m;
    unsigned seed = (unsigned)clock_now();
    const char *wanted = getenv("SEED");
    if (wanted)
        seed = (unsigned)strtoul(wanted, NULL, 10);
    printf("# SEED=%u\n", seed);
    srand(seed);
    for (int i = 0; i < COUNT; i++)
        m.due[i] = unknown;
    int64_t now = 0;
    for (int round = 0; round < ROUNDS; round++) {
        change_one(&m, now);
        if (rand() % 20 == 0)
            pop_all(&m, now += rand() % 60);
        assert_alike(&m);
    }
    pop_all(&m, INT64_MAX - 1);
    assert_int_equal(m.timers.set, 0);
    timers_free(&m.timers);
}

/* Whichever of ten is cancelled or moved first or last, the other nine keep their order. */
static void any_place_can_be_taken(void **state)
{
    (void)state;
    enum { TEN = 10 };
    static const int64_t moves[] = {-1, 0, 1000}; /* cancelled, first, last */
    for (int taken = 0; taken < TEN; taken++) {
        for (size_t move = 0; move < sizeof(moves) / sizeof(*moves); move++) {
            struct timers timers = {0};
            struct timer all[TEN];
            for (int i = 0; i < TEN; i++)
                assert_int_equal(timers_register(&timers, &all[i], never, NULL), 0);
            for (int i = 0; i < TEN; i++)
                timers_set(&timers, &all[i], 10 + 7 * i % TEN);
            if (moves[move] < 0)
                timers_cancel(&timers, &all[taken]);
            else
                timers_set(&timers, &all[taken], moves[move]);
            int64_t last = -1;
            int count = 0;
            for (struct timer *t; (t = timers_pop(&timers, 2000)); last = t->due, count++)
                assert_true(t->due >= last);
            assert_int_equal(count, moves[move] < 0 ? TEN - 1 : TEN);
            if (moves[move] == 1000)
                assert_int_equal(last, 1000);
            timers_free(&timers);
        }
    }
}

static void equal_deadlines_all_come(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct timers timers = {0};
    struct timer all[MANY];
    bool seen[MANY] = {false};
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(timers_register(&timers, &all[i], never, NULL), 0);
        timers_set(&timers, &all[i], 5);
    }
    assert_null(timers_pop(&timers, 4));
    for (int i = 0; i < MANY; i++) {
        struct timer *t = timers_pop(&timers, 5);
        assert_non_null(t);
        assert_false(seen[t - all]);
        seen[t - all] = true;
    }
    assert_null(timers_pop(&timers, INT64_MAX));
    assert_true(timers_next(&timers) == INT64_MAX);
    timers_free(&timers);
}

static void room_is_kept_for_what_is_registered(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer a, b;
    assert_int_equal(timers_register(&timers, &a, never, NULL), 0);
    assert_int_equal(timers_register(&timers, &b, never, NULL), 0);
    assert_int_equal(timers.registered, 2);
    assert_true(timers.room >= 2);
    timers_cancel(&timers, &a);
    timers_set(&timers, &a, INT64_MAX);
    timers_set(&timers, &b, INT64_MIN);
    assert_true(timers_next(&timers) == INT64_MIN);
    timers_unregister(&timers, &b);
    assert_int_equal(timers.registered, 1);
    assert_int_equal(timers.set, 1);
    timers_unregister(&timers, &a);
    assert_int_equal(timers.registered, 0);
    assert_int_equal(timers.set, 0);
    timers_free(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_as_a_sorted_model),
        cmocka_unit_test(any_place_can_be_taken),
        cmocka_unit_test(equal_deadlines_all_come),
        cmocka_unit_test(room_is_kept_for_what_is_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
