/* The order within a turn of the loop: timers, then descriptors, then those that can wait, and what
 * these set to be done at once. */
#include "keeper_help.h"

enum { TURNS = 50, LETTERS = 16 };

struct turn_world {
    struct bench bench;
    int pipes[2]; /* always readable */
    struct timer timer;
    unsigned turns;
    char order[LETTERS]; /* of one turn: 't', 'd', 'l' */
    size_t len;
};

static void note(struct turn_world *w, char letter)
{
    if (w->len < LETTERS - 1)
        w->order[w->len++] = letter;
    w->order[w->len] = '\0';
}

static void on_timer(void *arg)
{
    note(arg, 't');
}

static void on_descriptor(void *arg)
{
    note(arg, 'd');
}

/* The last of each turn. */
static void on_late(void *arg)
{
    struct turn_world *w = arg;
    note(w, 'l');
    /* In the first turn no timer was due. */
    if (w->turns > 0 && strcmp(w->order, "tddl") != 0)
        fail_msg("turn %u: %s", w->turns, w->order);
    w->len = 0;
    if (++w->turns == TURNS)
        loop_stop(w->bench.loop);
    loop_timer_set(w->bench.loop, &w->timer, clock_now());
}

/* However ready the late descriptor is, and though it was there first. */
static void late_descriptors_come_last(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    struct turn_world w = {0};
    bench_make(&w.bench);
    assert_int_equal(pipe2(w.pipes, O_CLOEXEC), 0);
    assert_int_equal(write(w.pipes[1], "x", 1), 1);
    int second = dup(w.pipes[0]), third = dup(w.pipes[0]);
    assert_int_equal(loop_timer_register(w.bench.loop, &w.timer, on_timer, &w), 0);
    struct watch *watches[] = {
        loop_watch(w.bench.loop, w.pipes[0], LOOP_READ | LOOP_LATE, on_late, &w),
        loop_watch(w.bench.loop, second, LOOP_READ, on_descriptor, &w),
        loop_watch(w.bench.loop, third, LOOP_READ, on_descriptor, &w),
    };
    loop_run(w.bench.loop);
    assert_int_equal(w.turns, TURNS);
    for (int i = 0; i < 3; i++)
        loop_unwatch(watches[i]);
    loop_timer_unregister(w.bench.loop, &w.timer);
    close(w.pipes[0]);
    close(w.pipes[1]);
    close(second);
    close(third);
    bench_end(&w.bench, none);
}

/* What a descriptor sets to be done at once, and what follows from that. */
struct chain_world {
    struct bench bench;
    struct timer timers[2];
    int fires, turns;
    char order[LETTERS];
};

static void chain_note(struct chain_world *w, char letter)
{
    size_t len = strlen(w->order);
    if (len < LETTERS - 1)
        w->order[len] = letter;
}

static void on_first_link(void *arg)
{
    struct chain_world *w = arg;
    chain_note(w, 'a');
    loop_timer_set(w->bench.loop, &w->timers[1], clock_now());
}

static void on_second_link(void *arg)
{
    chain_note(arg, 'b');
}

static void on_readable(void *arg)
{
    struct chain_world *w = arg;
    chain_note(w, 'd');
    if (++w->turns == 3)
        loop_stop(w->bench.loop);
    else
        loop_timer_set(w->bench.loop, &w->timers[0], clock_now());
}

static void on_selfish(void *arg)
{
    struct chain_world *w = arg;
    w->fires++;
    loop_timer_set(w->bench.loop, &w->timers[0], clock_now());
}

static void run_chain(struct chain_world *w, void (*first)(void *arg), void (*second)(void *arg))
{
    static const char *const none[] = {NULL};
    int pipes[2];
    bench_make(&w->bench);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    assert_int_equal(loop_timer_register(w->bench.loop, &w->timers[0], first, w), 0);
    assert_int_equal(loop_timer_register(w->bench.loop, &w->timers[1], second, w), 0);
    struct watch *watch = loop_watch(w->bench.loop, pipes[0], LOOP_READ, on_readable, w);
    loop_run(w->bench.loop);
    loop_unwatch(watch);
    loop_timer_unregister(w->bench.loop, &w->timers[0]);
    loop_timer_unregister(w->bench.loop, &w->timers[1]);
    close(pipes[0]);
    close(pipes[1]);
    bench_end(&w->bench, none);
}

static void what_is_due_at_once_waits_for_no_turn(void **state)
{
    (void)state;
    struct chain_world w = {0};
    run_chain(&w, on_first_link, on_second_link);
    assert_string_equal(w.order, "dabdabd");
}

static void a_timer_that_is_always_due_starves_no_descriptor(void **state)
{
    (void)state;
    struct chain_world w = {0};
    run_chain(&w, on_selfish, on_second_link);
    assert_int_equal(w.turns, 3);
    assert_true(w.fires >= 2 && w.fires < 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_descriptors_come_last),
        cmocka_unit_test(what_is_due_at_once_waits_for_no_turn),
        cmocka_unit_test(a_timer_that_is_always_due_starves_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
