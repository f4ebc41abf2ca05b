/* Check commands and start_delay: what a check decides, and what may come while one runs. */
#include "doors_help.h"

#define LONG (10 * PATIENCE)

/* A door that is there as long as the file "ok" is. */
#define MAKE_OK   "touch ok"
#define REMOVE_OK "rm ok"

#define HANGS "sleep 1000"

/* In time to look what one check has done, and to knock, before the next. */
#define SELDOM (3000 * MS)

/* Hangs from its second run on. */
#define HANGS_LATER "echo >>again; [ $(wc -l <again) -lt 2 ] || " TILL_GO

static void make_checked(struct doors_world *w, int64_t length, const char *start, const char *stop,
                         const char *check)
{
    make_world(w, length, start, stop, NULL);
    add(w, &w->plan.check, 'c', check);
    w->door.check_interval = LONG;
}

static void end_checked(struct doors_world *w)
{
    list_free(&w->plan.check);
    bench_remove(&w->bench, "again");
    end_world(w);
}

/* After a stop that failed, only checks that all exit with 1 mean closed. */
static void a_check_judges_a_failed_stop(void **state)
{
    (void)state;
    static const struct {
        const char *stop, *first, *second, *trace;
        bool closed;
    } cases[] = {
        {FAILS, FAILS, NULL, "(s)(t)(c)", true},
        {FAILS, FAILS, FAILS, "(s)(t)(c)(d)", true},
        {FAILS, AT_ONCE, NULL, "(s)(t)(c)", false},
        {FAILS, FAILS, AT_ONCE, "(s)(t)(c)(d)", false},
        {FAILS, AT_ONCE, FAILS, "(s)(t)(c)(d)", false},
        /* iptables has 4 for a lock that is held: that says nothing. */
        {FAILS, "(exit 4)", NULL, "(s)(t)(c)", false},
        {FAILS, FAILS, "(exit 4)", "(s)(t)(c)(d)", false},
        {FAILS, "(exit 127)", NULL, "(s)(t)(c)", false},
        {FAILS, "kill -9 $$", NULL, "(s)(t)(c", false},
        {FAILS, HANGS, NULL, "(s)(t)(c", false},
        /* stop_ok has 7, but there is a check. */
        {"(exit 7)", AT_ONCE, NULL, "(s)(t)(c)", false},
        {AT_ONCE, AT_ONCE, NULL, "(s)(t)", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct doors_world w;
        make_checked(&w, 50 * MS, AT_ONCE, cases[i].stop, cases[i].first);
        if (cases[i].second)
            add(&w, &w.plan.check, 'd', cases[i].second);
        w.door.stop_ok[0] |= 1 << 7;
        if (strcmp(cases[i].first, HANGS) == 0)
            runner_set_limit(w.runner, 2000 * MS);
        knock(&w);
        wait_log(&w, cases[i].closed ? "door ssh: closed for" : "NOT CLOSED for 192.0.2.1");
        wait_out(&w, cases[i].trace);
        assert_int_equal(doors_count(w.doors), cases[i].closed ? 0 : 1);
        end_checked(&w);
    }
}

/* The check says open, so the stop is tried again, and is believed the next time. */
static void what_is_open_is_closed_again(void **state)
{
    (void)state;
    struct doors_world w;
    make_checked(&w, 50 * MS, AT_ONCE, NEEDS_OK, AT_ONCE);
    knock(&w);
    wait_log(&w, "attempt 1; next in 1 s");
    bench_write(&w.bench, "ok", "");
    wait_gone(&w, "(s)(t)(c)(t)");
    end_checked(&w);
}

static void a_check_runs_now_and_then(void **state)
{
    (void)state;
    struct doors_world w;
    make_checked(&w, LONG, AT_ONCE, AT_ONCE, AT_ONCE);
    w.door.check_interval = 30 * MS;
    knock(&w);
    wait_out(&w, "(s)(c)(c)(c)");
    w.door.cmd_timeout = 10 * MS;
    knock(&w);
    bench_until(&w.bench, all_gone, &w);
    assert_int_equal(bench_count(&w.bench, "out", "(s)"), 1);
    assert_int_equal(bench_count(&w.bench, "out", "(t)"), 1);
    assert_int_equal(bench_count(&w.bench, "log", "something else closed it"), 0);
    end_checked(&w);
}

static void what_is_gone_is_opened_again(void **state)
{
    (void)state;
    struct doors_world w;
    make_checked(&w, LONG, MAKE_OK, REMOVE_OK, NEEDS_OK);
    w.door.check_interval = SELDOM;
    knock(&w);
    wait_log(&w, "opened for");
    bench_remove(&w.bench, "ok");
    wait_out(&w, "(s)(c)(s)");
    wait_log(&w, "something else closed it");
    w.door.cmd_timeout = 10 * MS;
    knock(&w);
    wait_gone(&w, "(s)(c)(s)(t)");
    assert_int_equal(bench_count(&w.bench, "log", "opened for"), 1);
    end_checked(&w);
}

static bool is_checked_again(void *arg)
{
    const struct doors_world *w = arg;
    return bench_count(&w->bench, "out", "(c") > 1;
}

/* What can't be told isn't opened a second time: one stop would leave one of two. */
static void an_unclear_check_opens_nothing(void **state)
{
    (void)state;
    static const char *const unclear[] = {"(exit 4)", "kill -9 $$"};
    for (int i = 0; i < 2; i++) {
        struct doors_world w;
        make_checked(&w, LONG, AT_ONCE, AT_ONCE, unclear[i]);
        w.door.check_interval = 50 * MS;
        knock(&w);
        bench_until(&w.bench, is_checked_again, &w);
        w.door.cmd_timeout = 10 * MS;
        knock(&w);
        bench_until(&w.bench, all_gone, &w);
        assert_int_equal(bench_count(&w.bench, "out", "(s)"), 1);
        assert_true(bench_count(&w.bench, "out", "(c") > 0);
        end_checked(&w);
    }
}

/* One of two rules was deleted by another: the second must not be there twice afterwards. */
static void what_is_gone_in_part_is_closed_first(void **state)
{
    (void)state;
    struct doors_world w;
    make_checked(&w, LONG, MAKE_OK, REMOVE_OK, NEEDS_OK);
    add(&w, &w.plan.start, 'f', "echo x >>again");
    add(&w, &w.plan.stop, 'u', "sed -i 1d again; [ -s again ] || rm again");
    add(&w, &w.plan.check, 'd', "[ -e again ]");
    w.door.check_interval = SELDOM;
    knock(&w);
    wait_log(&w, "opened for");
    bench_remove(&w.bench, "ok");
    wait_out(&w, "(s)(f)(c)(d)(t)(u)(c)(d)(s)(f)");
    w.door.cmd_timeout = 10 * MS;
    knock(&w);
    wait_gone(&w, "(s)(f)(c)(d)(t)(u)(c)(d)(s)(f)(t)(u)");
    char text[16];
    assert_string_equal(bench_read(&w.bench, "again", text, sizeof(text)), "");
    end_checked(&w);
}

/* Brings the door into a state in which a command hangs until "go". */
static void reach(struct doors_world *w, bool renewing)
{
    make_checked(w, LONG, renewing ? HANGS_LATER : AT_ONCE, AT_ONCE,
                 renewing ? FAILS : TILL_GO "; false");
    w->door.check_interval = 50 * MS;
    knock(w);
    wait_out(w, renewing ? "(s)(c)(s" : "(s)(c");
}

static void close_all_while_a_check_runs(void **state)
{
    (void)state;
    for (int renewing = 0; renewing < 2; renewing++) {
        struct doors_world w;
        reach(&w, renewing);
        doors_close_all(w.doors, on_closed, &w);
        serve(&w, 30 * MS);
        assert_int_equal(w.closed, 0);
        bench_write(&w.bench, "go", "");
        wait_gone(&w, renewing ? "(s)(c)(s)(t)" : "(s)(c)(t)");
        assert_int_equal(w.closed, 1);
        end_checked(&w);
    }
}

/* The last knock's time counts, and what was due meanwhile isn't opened again. */
static void knocks_and_deadline_while_a_check_runs(void **state)
{
    (void)state;
    for (int renewing = 0; renewing < 2; renewing++) {
        struct doors_world w;
        reach(&w, renewing);
        w.door.cmd_timeout = 50 * MS;
        knock(&w);
        assert_int_equal(bench_count(&w.bench, "log", "extended for"), 1);
        serve(&w, 100 * MS);
        bench_write(&w.bench, "go", "");
        wait_gone(&w, renewing ? "(s)(c)(s)(t)" : "(s)(c)(t)");
        end_checked(&w);
    }
}

static void what_may_come_while_it_is_judged(void **state)
{
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        struct doors_world w;
        make_checked(&w, 50 * MS, AT_ONCE, FAILS, TILL_GO "; false");
        knock(&w);
        wait_out(&w, "(s)(t)(c");
        w.door.cmd_timeout = LONG;
        knock(&w);
        if (closing)
            doors_close_all(w.doors, on_closed, &w);
        bench_write(&w.bench, "go", "");
        wait_out(&w, closing ? "(s)(t)(c)" : "(s)(t)(c)(s)");
        if (closing)
            bench_until(&w.bench, is_closed, &w);
        assert_int_equal(doors_count(w.doors), closing ? 0 : 1);
        end_checked(&w);
    }
}

/* A check that is due while an extend command runs waits: two jobs of one opening would be one. */
static void no_check_while_it_is_extended(void **state)
{
    (void)state;
    struct doors_world w;
    make_checked(&w, LONG, AT_ONCE, AT_ONCE, AT_ONCE);
    add(&w, &w.plan.extend, 'e', TILL_GO);
    w.door.check_interval = 1000 * MS;
    knock(&w);
    wait_log(&w, "opened for");
    knock(&w);
    wait_out(&w, "(s)(e");
    serve(&w, 1500 * MS);
    wait_out(&w, "(s)(e");
    bench_write(&w.bench, "go", "");
    wait_out(&w, "(s)(e)(c)");
    doors_close_all(w.doors, on_closed, &w);
    bench_until(&w.bench, is_closed, &w);
    end_checked(&w);
}

static void start_delay_delays(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, AT_ONCE, NULL);
    w.door.start_delay = 1000 * MS;
    int64_t begin = clock_now();
    knock(&w);
    serve(&w, 50 * MS);
    knock(&w);
    wait_out(&w, "(s)");
    assert_true(clock_now() - begin >= 1000 * MS);
    wait_gone(&w, "(s)(t)");
    end_world(&w);
}

static void close_all_while_delayed(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    w.door.start_delay = LONG;
    knock(&w);
    serve(&w, 50 * MS);
    assert_int_equal(doors_count(w.doors), 1);
    doors_close_all(w.doors, on_closed, &w);
    assert_int_equal(w.closed, 1);
    serve(&w, 30 * MS);
    wait_gone(&w, "");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_judges_a_failed_stop),
        cmocka_unit_test(what_is_open_is_closed_again),
        cmocka_unit_test(a_check_runs_now_and_then),
        cmocka_unit_test(what_is_gone_is_opened_again),
        cmocka_unit_test(an_unclear_check_opens_nothing),
        cmocka_unit_test(what_is_gone_in_part_is_closed_first),
        cmocka_unit_test(close_all_while_a_check_runs),
        cmocka_unit_test(knocks_and_deadline_while_a_check_runs),
        cmocka_unit_test(what_may_come_while_it_is_judged),
        cmocka_unit_test(no_check_while_it_is_extended),
        cmocka_unit_test(start_delay_delays),
        cmocka_unit_test(close_all_while_delayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
