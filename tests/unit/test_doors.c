/* The life of a door: opened, extended, closed in time, and closed again until it is closed. */
#include "doors_help.h"

#define LONG (10 * PATIENCE)

static void opens_and_closes_in_time(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 100 * MS, AT_ONCE, AT_ONCE, NULL);
    int64_t begin = clock_now();
    knock(&w);
    assert_int_equal(doors_count(w.doors), 1);
    wait_log(&w, "door ssh: opened for 192.0.2.1, closes in 1 s");
    wait_gone(&w, "(s)(t)");
    assert_true(clock_now() - begin >= 100 * MS);
    assert_int_equal(bench_count(&w.bench, "log", "door ssh: closed for 192.0.2.1"), 1);
    knock(&w);
    wait_gone(&w, "(s)(t)(s)(t)");
    end_world(&w);
}

static void addresses_and_doors_are_apart(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    knock_from(&w, "192.0.2.1");
    knock_from(&w, "192.0.2.2");
    knock_from(&w, "2001:db8::1");
    strcpy(w.name, "web");
    knock_from(&w, "192.0.2.1");
    assert_int_equal(doors_count(w.doors), 4);
    wait_log(&w, "door web: opened for 192.0.2.1");
    wait_log(&w, "door ssh: opened for 2001:db8::1");
    knock_from(&w, "192.0.2.1");
    assert_int_equal(bench_count(&w.bench, "log", "door web: extended for 192.0.2.1"), 1);
    assert_int_equal(doors_count(w.doors), 4);
    end_world(&w);
}

/* The time of the last knock counts, longer or shorter, and nothing is started again. */
static void a_knock_extends(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 1000 * MS, AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    wait_log(&w, "opened for");
    w.door.cmd_timeout = LONG;
    knock(&w);
    serve(&w, 1300 * MS);
    wait_out(&w, "(s)");
    assert_int_equal(doors_count(w.doors), 1);
    w.door.cmd_timeout = 50 * MS;
    knock(&w);
    wait_gone(&w, "(s)(t)");
    assert_int_equal(bench_count(&w.bench, "log", "opened for"), 1);
    assert_int_equal(bench_count(&w.bench, "log", "extended for"), 2);
    end_world(&w);
}

static void an_extend_command_runs_once_at_a_time(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, TILL_GO);
    knock(&w);
    wait_log(&w, "opened for");
    knock(&w);
    wait_out(&w, "(s)(e");
    w.door.cmd_timeout = 50 * MS;
    knock(&w);
    knock(&w);
    /* Due while its command runs, it waits for that, and then closes. */
    serve(&w, 120 * MS);
    wait_out(&w, "(s)(e");
    bench_write(&w.bench, "go", "");
    wait_gone(&w, "(s)(e)(t)");
    end_world(&w);
}

static void a_failed_extend_still_closes(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, FAILS);
    knock(&w);
    wait_log(&w, "opened for");
    w.door.cmd_timeout = 50 * MS;
    knock(&w);
    wait_gone(&w, "(s)(e)(t)");
    assert_int_equal(bench_count(&w.bench, "log", "its extend command failed"), 1);
    end_world(&w);
}

static void knocks_while_it_starts_start_nothing(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, TILL_GO, AT_ONCE, AT_ONCE);
    knock(&w);
    knock(&w);
    wait_out(&w, "(s");
    knock(&w);
    assert_int_equal(doors_count(w.doors), 1);
    bench_write(&w.bench, "go", "");
    wait_gone(&w, "(s)(t)");
    end_world(&w);
}

/* What failed half way is undone as a whole, and was never said to be open. */
static void a_failed_start_is_undone(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    add(&w, &w.plan.start, 'f', FAILS);
    add(&w, &w.plan.start, 'n', AT_ONCE);
    add(&w, &w.plan.stop, 'u', AT_ONCE);
    knock(&w);
    wait_gone(&w, "(s)(f)(t)(u)");
    assert_int_equal(bench_count(&w.bench, "log", "door ssh: failed for 192.0.2.1"), 1);
    assert_int_equal(bench_count(&w.bench, "log", "door ssh: undone for 192.0.2.1"), 1);
    assert_int_equal(bench_count(&w.bench, "log", "opened for"), 0);
    assert_int_equal(bench_count(&w.bench, "log", "closed for"), 0);
    end_world(&w);
}

static void a_failed_stop_is_tried_again(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, NEEDS_OK, NULL);
    add(&w, &w.plan.stop, 'u', AT_ONCE);
    int64_t begin = clock_now();
    knock(&w);
    wait_log(&w, "NOT CLOSED for 192.0.2.1: its stop command failed, attempt 1; next in 1 s");
    assert_int_equal(doors_count(w.doors), 1);
    wait_log(&w, "attempt 2; next in 2 s");
    assert_true(clock_now() - begin >= 1050 * MS);
    wait_out(&w, "(s)(t)(u)(t)");
    bench_write(&w.bench, "ok", "");
    wait_gone(&w, "(s)(t)(u)(t)(t)");
    assert_int_equal(bench_count(&w.bench, "log", "closed for"), 1);
    end_world(&w);
}

/* stop_ok: statuses that mean closed. */
static void stop_statuses_are_the_doors(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, "(exit 200)", NULL);
    w.door.stop_ok[200 / 64] |= UINT64_C(1) << 200 % 64;
    knock(&w);
    wait_gone(&w, "(s)(t)");
    assert_int_equal(bench_count(&w.bench, "log", "NOT CLOSED"), 0);
    end_world(&w);
}

static void without_a_stop_it_is_forgotten(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, NULL, NULL);
    knock(&w);
    wait_gone(&w, "(s)");
    assert_int_equal(bench_count(&w.bench, "log", "opened for 192.0.2.1, nothing closes it"), 1);
    knock(&w);
    wait_gone(&w, "(s)(s)");
    set_commands(&w, "ste", FAILS, NULL, NULL);
    knock(&w);
    wait_gone(&w, "(s)(s)(s)");
    assert_int_equal(bench_count(&w.bench, "log", "opened for"), 2);
    end_world(&w);
}

/* What an opening keeps is its own: door and plan may go, as they do after a reload. */
static void an_opening_outlives_its_configuration(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, "[ -e %IP%- ] || printf %IP%%DOOR%%TIMEOUT%%FAMILY% >>out",
               NULL);
    knock_from(&w, "2001:db8::1");
    set_commands(&w, "xyz", FAILS, FAILS, FAILS);
    strcpy(w.name, "gone");
    w.door.stop_ok[0] = 0;
    wait_gone(&w, "(s)(t2001:db8::1ssh16)");
    end_world(&w);
}

/* So many openings, and not one more, though none has started yet. */
static void there_is_a_cap(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    for (unsigned i = 0; i < CONFIG_MAX_OPEN + 2; i++) {
        struct addr a = {4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        a.bytes[1] = (uint8_t)(i >> 16);
        knock_as(&w, &a);
        assert_int_equal(doors_count(w.doors), i < CONFIG_MAX_OPEN ? i + 1 : CONFIG_MAX_OPEN);
    }
    assert_int_equal(bench_count(&w.bench, "log", "as many doors as max_open allows are open"), 2);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes_in_time),
        cmocka_unit_test(addresses_and_doors_are_apart),
        cmocka_unit_test(a_knock_extends),
        cmocka_unit_test(an_extend_command_runs_once_at_a_time),
        cmocka_unit_test(a_failed_extend_still_closes),
        cmocka_unit_test(knocks_while_it_starts_start_nothing),
        cmocka_unit_test(a_failed_start_is_undone),
        cmocka_unit_test(a_failed_stop_is_tried_again),
        cmocka_unit_test(stop_statuses_are_the_doors),
        cmocka_unit_test(without_a_stop_it_is_forgotten),
        cmocka_unit_test(an_opening_outlives_its_configuration),
        cmocka_unit_test(there_is_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
