/* Doors that close: all of them at the end, in whatever state, and those that a knock waits for. */
#include "doors_help.h"

#define LONG (10 * PATIENCE)

static void close_all(struct doors_world *w)
{
    doors_close_all(w->doors, on_closed, w);
}

/* All is closed, that was said once, and nobody can open anything any more. */
static void assert_closed(struct doors_world *w, const char *trace)
{
    bench_until(&w->bench, is_closed, w);
    wait_gone(w, trace);
    knock(w);
    knock_from(w, "2001:db8::7");
    assert_int_equal(doors_count(w->doors), 0);
    serve(w, 30 * MS);
    wait_gone(w, trace);
    assert_int_equal(w->closed, 1);
    assert_int_equal(bench_count(&w->bench, "log", "knockd is stopping"), 2);
    end_world(w);
}

static void close_all_of_none(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    close_all(&w);
    assert_int_equal(w.closed, 1);
    end_world(&w);
}

static void close_all_while_open(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    wait_log(&w, "opened for");
    close_all(&w);
    assert_int_equal(w.closed, 0);
    assert_closed(&w, "(s)(t)");
}

static void close_all_while_it_waits_to_start(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    knock_from(&w, "192.0.2.2");
    close_all(&w);
    assert_int_equal(w.closed, 1);
    assert_closed(&w, "");
}

static void close_all_while_starting(void **state)
{
    (void)state;
    static const char *const starts[] = {TILL_GO, TILL_GO "; false"};
    for (int i = 0; i < 2; i++) {
        struct doors_world w;
        make_world(&w, LONG, starts[i], AT_ONCE, NULL);
        knock(&w);
        wait_out(&w, "(s");
        close_all(&w);
        serve(&w, 30 * MS);
        assert_int_equal(w.closed, 0);
        bench_write(&w.bench, "go", "");
        assert_closed(&w, "(s)(t)");
    }
}

static void close_all_while_starting_without_a_stop(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, TILL_GO, NULL, NULL);
    knock(&w);
    wait_out(&w, "(s");
    close_all(&w);
    bench_write(&w.bench, "go", "");
    assert_closed(&w, "(s)");
}

static void close_all_while_extending(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, TILL_GO);
    knock(&w);
    wait_log(&w, "opened for");
    knock(&w);
    wait_out(&w, "(s)(e");
    close_all(&w);
    serve(&w, 30 * MS);
    assert_int_equal(w.closed, 0);
    bench_write(&w.bench, "go", "");
    assert_closed(&w, "(s)(e)(t)");
}

/* With and without a knock that waits for the end of the stop: it waits in vain. */
static void close_all_while_stopping(void **state)
{
    (void)state;
    for (int heir = 0; heir < 2; heir++) {
        struct doors_world w;
        make_world(&w, 50 * MS, AT_ONCE, TILL_GO, NULL);
        knock(&w);
        wait_out(&w, "(s)(t");
        if (heir)
            knock(&w);
        close_all(&w);
        serve(&w, 30 * MS);
        assert_int_equal(w.closed, 0);
        bench_write(&w.bench, "go", "");
        assert_closed(&w, "(s)(t)");
    }
}

/* What waits to be tried again is tried at once, and the end waits until it succeeds. */
static void close_all_while_retrying(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, NEEDS_OK, NULL);
    knock(&w);
    wait_log(&w, "attempt 1;");
    close_all(&w);
    wait_log(&w, "attempt 2;");
    assert_int_equal(w.closed, 0);
    doors_log_left(w.doors);
    assert_int_equal(bench_count(&w.bench, "log", "NOT CLOSED for 192.0.2.1: out of time"), 1);
    bench_write(&w.bench, "ok", "");
    assert_closed(&w, "(s)(t)(t)(t)");
}

static void close_all_of_many(void **state)
{
    (void)state;
    enum { MANY = 20 };
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    for (int i = 0; i < MANY; i++) {
        struct addr a = {4, {192, 0, 2, (uint8_t)(1 + i)}};
        knock_as(&w, &a);
    }
    wait_log(&w, "opened for 192.0.2.20,");
    close_all(&w);
    bench_until(&w.bench, is_closed, &w);
    assert_int_equal(doors_count(w.doors), 0);
    serve(&w, 30 * MS);
    assert_int_equal(w.closed, 1);
    assert_int_equal(bench_count(&w.bench, "out", "(s"), MANY);
    assert_int_equal(bench_count(&w.bench, "out", "(t"), MANY);
    end_world(&w);
}

static void a_knock_while_stopping_opens_again(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, TILL_GO, NULL);
    knock(&w);
    wait_out(&w, "(s)(t");
    w.door.cmd_timeout = LONG;
    knock(&w);
    knock(&w);
    knock(&w);
    bench_write(&w.bench, "go", "");
    wait_out(&w, "(s)(t)(s)");
    wait_log(&w, "closed for");
    serve(&w, 50 * MS);
    wait_out(&w, "(s)(t)(s)");
    assert_int_equal(doors_count(w.doors), 1);
    end_world(&w);
}

/* Whoever knocks at a door that won't close has it tried at once. */
static void a_knock_while_retrying_tries_at_once(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, NEEDS_OK, NULL);
    knock(&w);
    wait_log(&w, "attempt 1;");
    w.door.cmd_timeout = LONG;
    bench_write(&w.bench, "ok", "");
    knock(&w);
    wait_out(&w, "(s)(t)(t)(s)");
    assert_int_equal(bench_count(&w.bench, "log", "attempt 2;"), 0);
    end_world(&w);
}

static bool is_open_again(void *arg)
{
    const struct doors_world *w = arg;
    return bench_count(&w->bench, "log", "opened for") == 2;
}

/* What has opened again as in the first trace is closed by one more knock, as in the second. A
 * knock that waits for longer than its door would be open opens nothing: so none that waits has a
 * short time. */
static void close_soon(struct doors_world *w, const char *open, const char *closed)
{
    bench_until(&w->bench, is_open_again, w);
    wait_out(w, open);
    w->door.cmd_timeout = 50 * MS;
    knock(w);
    wait_gone(w, closed);
}

/* A reload changed the commands: the old opening is closed by its own, the new ones open. */
static void changed_commands_close_first(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    wait_log(&w, "opened for");
    set_commands(&w, "STE", AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    close_soon(&w, "(s)(t)(S)", "(s)(t)(S)(T)");
    end_world(&w);
}

static void changed_commands_while_extending(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, TILL_GO);
    knock(&w);
    wait_log(&w, "opened for");
    knock(&w);
    wait_out(&w, "(s)(e");
    set_commands(&w, "STE", AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    bench_write(&w.bench, "go", "");
    close_soon(&w, "(s)(e)(t)(S)", "(s)(e)(t)(S)(T)");
    end_world(&w);
}

/* Only how it is closed changed: it is extended, and closed as it was opened. */
static void a_changed_stop_doesnt_touch_what_is_open(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    wait_log(&w, "opened for");
    set_commands(&w, "sT-", AT_ONCE, AT_ONCE, NULL);
    w.door.cmd_timeout = 50 * MS;
    knock(&w);
    wait_gone(&w, "(s)(t)");
    end_world(&w);
}

/* Two reloads and a knock after each while a stop takes its time: the last one counts. */
static void the_last_knock_counts(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, TILL_GO, NULL);
    knock(&w);
    wait_out(&w, "(s)(t");
    w.door.cmd_timeout = LONG;
    set_commands(&w, "ab-", AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    set_commands(&w, "ST-", AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    bench_write(&w.bench, "go", "");
    close_soon(&w, "(s)(t)(S)", "(s)(t)(S)(T)");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_all_of_none),
        cmocka_unit_test(close_all_while_open),
        cmocka_unit_test(close_all_while_it_waits_to_start),
        cmocka_unit_test(close_all_while_starting),
        cmocka_unit_test(close_all_while_starting_without_a_stop),
        cmocka_unit_test(close_all_while_extending),
        cmocka_unit_test(close_all_while_stopping),
        cmocka_unit_test(close_all_while_retrying),
        cmocka_unit_test(close_all_of_many),
        cmocka_unit_test(a_knock_while_stopping_opens_again),
        cmocka_unit_test(a_knock_while_retrying_tries_at_once),
        cmocka_unit_test(changed_commands_close_first),
        cmocka_unit_test(changed_commands_while_extending),
        cmocka_unit_test(a_changed_stop_doesnt_touch_what_is_open),
        cmocka_unit_test(the_last_knock_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
