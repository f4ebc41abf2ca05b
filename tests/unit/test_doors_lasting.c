/* Doors without an undo: nothing is inserted twice, and they keep no others from opening. */
#include "doors_help.h"

#define FOREVER (30 * CLOCK_SECOND)

static void a_knock_runs_nothing(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 50 * MS, AT_ONCE, NULL, NULL);
    w.door.lasts = true;
    knock(&w);
    wait_log(&w, "opened for 192.0.2.1, until it is closed");
    serve(&w, 100 * MS);
    knock(&w);
    wait_log(&w, "192.0.2.1 knocked; it is open already, so nothing was run");
    wait_out(&w, "(s)");
    assert_int_equal(doors_count(w.doors), 1);
    const struct doors_choice all = {0};
    assert_int_equal(doors_close(w.doors, &all), 1);
    wait_gone(&w, "(s)");
    knock(&w);
    wait_out(&w, "(s)(s)");
    end_world(&w);
}

/* What no time closes makes room; a stop leaves it open and doesn't wait for it. */
static void it_makes_room(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, FOREVER, AT_ONCE, NULL, NULL);
    w.door.lasts = true;
    doors_set_max(w.doors, 2);
    knock_from(&w, "192.0.2.1");
    wait_log(&w, "opened for 192.0.2.1,");
    knock_from(&w, "192.0.2.2");
    wait_log(&w, "opened for 192.0.2.2,");
    knock_from(&w, "192.0.2.3");
    wait_log(&w, "opened for 192.0.2.3,");
    assert_int_equal(bench_count(&w.bench, "log", "forgotten for 192.0.2.1, to make room"), 1);
    assert_int_equal(doors_count(w.doors), 2);
    doors_close_all(w.doors, on_closed, &w);
    assert_int_equal(w.closed, 1);
    assert_int_equal(doors_count(w.doors), 0);
    end_world(&w);
}

/* What others may forge forgets nothing in the quarter of max_open that isn't theirs. */
static void remote_knocks_make_no_room_of_the_rest(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, FOREVER, AT_ONCE, NULL, NULL);
    w.door.lasts = true;
    doors_set_max(w.doors, 4);
    for (uint8_t i = 1; i <= 4; i++) {
        struct addr a = {4, {192, 0, 2, i}};
        char opened[64];
        knock_as(&w, &a);
        snprintf(opened, sizeof(opened), "opened for 192.0.2.%u,", i);
        wait_log(&w, opened);
    }
    struct knock remote =
        knock_plain(&w.door, &w.plan, &(struct addr){4, {198, 51, 100, 1}}, "sequence");
    remote.remote = true;
    doors_knock(w.doors, &remote);
    assert_int_equal(bench_count(&w.bench, "log", "to make room"), 0);
    assert_int_equal(bench_count(&w.bench, "log", "three quarters"), 1);
    assert_int_equal(doors_count(w.doors), 4);
    end_world(&w);
}

/* What opens nothing costs no other its place: a knock that is refused for its rate. */
static void what_is_refused_makes_no_room(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, FOREVER, AT_ONCE, NULL, NULL);
    w.door.lasts = true;
    doors_set_max(w.doors, 1);
    w.door.rate = (struct config_rate){.count = 1, .period = 1000 * PATIENCE};
    knock_from(&w, "192.0.2.2");
    wait_log(&w, "opened for 192.0.2.2,");
    knock_from(&w, "192.0.2.1");
    wait_log(&w, "opened for 192.0.2.1,");
    assert_int_equal(bench_count(&w.bench, "log", "to make room"), 1);
    knock_from(&w, "192.0.2.2");
    wait_log(&w, "refused 192.0.2.2: opened too often lately");
    assert_int_equal(bench_count(&w.bench, "log", "to make room"), 1);
    assert_int_equal(doors_count(w.doors), 1);
    end_world(&w);
}

/* The firewall closes it after its time: it is forgotten then, and a knock before runs nothing. */
static void it_expires(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, 300 * MS, AT_ONCE, NULL, NULL);
    w.door.expires = true;
    knock(&w);
    wait_log(&w, "opened for 192.0.2.1, closes in 1 s");
    knock(&w);
    wait_log(&w, "it is open already");
    wait_gone(&w, "(s)");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_knock_runs_nothing),
        cmocka_unit_test(it_makes_room),
        cmocka_unit_test(remote_knocks_make_no_room_of_the_rest),
        cmocka_unit_test(what_is_refused_makes_no_room),
        cmocka_unit_test(it_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
