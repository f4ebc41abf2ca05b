/* Doors that sealed knocks open: a port each, a time of their own, and whose they are to close. */
#include "writeback_help.h"

#include <netinet/in.h>

/* A door whose commands tell what they are about: "o443 alice;", "c443 alice;". */
static void tell_ports(struct doors_world *w)
{
    static char name[] = "alice";
    static struct config_text list = {.text = name};
    static struct port_proto ports[] = {{443, IPPROTO_TCP}, {8443, IPPROTO_TCP}};
    set_commands(w, "ste", AT_ONCE, AT_ONCE, NULL);
    free(w->plan.start.items[0].template);
    free(w->plan.stop.items[0].template);
    assert_true(asprintf(&w->plan.start.items[0].template,
                         "sh -c 'cd %s; printf \"o%%PORT%% %%KEY%%;\" >>out'", w->bench.dir) > 0);
    assert_true(asprintf(&w->plan.stop.items[0].template,
                         "sh -c 'cd %s; printf \"c%%PORT%% %%KEY%%;\" >>out'", w->bench.dir) > 0);
    w->door.keys = (struct config_list){.items = &list, .count = 1, .set = true};
    w->door.ports = ports;
    w->door.port_count = 2;
}

static void knock_for(struct doors_world *w, const char *key, uint16_t port, int64_t length)
{
    struct addr a = address_of("192.0.2.1");
    struct knock knock = knock_plain(&w->door, &w->plan, &a, key);
    knock.key = key;
    knock.port = (struct port_proto){port, IPPROTO_TCP};
    knock.length = length;
    doors_knock(w->doors, &knock);
}

static unsigned close_by(struct doors_world *w, const char *key, uint16_t port)
{
    struct addr a = address_of("192.0.2.1");
    struct doors_choice choice = {.door = "ssh", .address = &a, .port = port, .key = key};
    return doors_close(w->doors, &choice);
}

static void ports_are_open_at_a_time(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    tell_ports(&w);
    knock_for(&w, "alice", 443, LONG);
    wait_log(&w, "door ssh: opened for 192.0.2.1, closes in 300 s (alice, 443:tcp)");
    knock_for(&w, "alice", 8443, 100 * MS);
    wait_log(&w, "door ssh: opened for 192.0.2.1, closes in 1 s (alice, 8443:tcp)");
    assert_int_equal(doors_count(w.doors), 2);
    wait_log(&w, "door ssh: closed for 192.0.2.1 (alice, 8443:tcp): its time is over");
    assert_int_equal(doors_count(w.doors), 1);
    knock_for(&w, "alice", 443, 50 * MS);
    wait_gone(&w, "o443 alice;o8443 alice;c8443 alice;c443 alice;");
    assert_int_equal(bench_count(&w.bench, "log", "extended for 192.0.2.1, closes in 1 s (alice)"),
                     1);
    end_world(&w);
}

/* What a plain knock opens is the door's own port: the same as that of a key which asks for it. */
static void the_doors_own_port_is_one(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    tell_ports(&w);
    set_commands(&w, "ste", AT_ONCE, AT_ONCE, NULL);
    knock(&w);
    wait_log(&w, "opened for 192.0.2.1, closes in 300 s (sequence)\n");
    knock_for(&w, "alice", 443, LONG);
    assert_int_equal(doors_count(w.doors), 1);
    /* It isn't hers, for all that. */
    assert_int_equal(close_by(&w, "alice", 0), 0);
    assert_int_equal(close_by(&w, "sequence", 0), 1);
    wait_gone(&w, "(s)(t)");
    end_world(&w);
}

static void a_key_closes_what_it_opened(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    set_commands(&w, "ste", AT_ONCE, AT_ONCE, NULL);
    knock_for(&w, "alice", 443, LONG);
    knock_for(&w, "alice", 8443, LONG);
    knock_for(&w, "bob", 80, LONG);
    wait_log(&w, "(bob, 80:tcp)");
    knock_for(&w, "bob", 443, LONG);
    assert_int_equal(doors_count(w.doors), 3);
    assert_int_equal(close_by(&w, "bob", 443), 0);
    assert_int_equal(close_by(&w, "carol", 0), 0);
    assert_int_equal(close_by(&w, "alice", 80), 0);
    assert_int_equal(close_by(&w, "alice", 443), 1);
    wait_log(&w, "closed for 192.0.2.1 (alice, 443:tcp)");
    assert_int_equal(doors_count(w.doors), 2);
    assert_int_equal(close_by(&w, "alice", 0), 1);
    assert_int_equal(close_by(&w, "bob", 0), 1);
    bench_until(&w.bench, all_gone, &w);
    end_world(&w);
}

/* While alice's opening closes, bob knocks, and waits for that. */
static void who_waits_is_closed_by_his_own_key(void **state)
{
    (void)state;
    for (int bobs = 0; bobs < 2; bobs++) {
        struct doors_world w;
        make_world(&w, LONG, AT_ONCE, TILL_GO, NULL);
        knock_for(&w, "alice", 443, LONG);
        wait_log(&w, "opened for");
        assert_int_equal(close_by(&w, "alice", 0), 1);
        wait_out(&w, "(s)(t");
        knock_for(&w, "bob", 443, LONG);
        assert_int_equal(close_by(&w, bobs ? "bob" : "alice", 0), 1);
        bench_write(&w.bench, "go", "");
        if (bobs) {
            wait_gone(&w, "(s)(t)");
        } else {
            wait_out(&w, "(s)(t)(s)");
            wait_log(&w, "closes in 300 s (bob, 443:tcp)");
            assert_int_equal(close_by(&w, "bob", 0), 1);
            wait_gone(&w, "(s)(t)(s)(t)");
        }
        end_world(&w);
    }
}

struct ending {
    char by[64], end[64];
};

static void take_ending(void *arg, const struct stored_event *event)
{
    struct ending *ending = arg;
    snprintf(ending->by, sizeof(ending->by), "%s", event->by);
    snprintf(ending->end, sizeof(ending->end), "%s", event->end);
}

static void keys_and_ports_outlive_the_keeper(void **state)
{
    (void)state;
    struct kept_world k;
    kept_make(&k, LONG, AT_ONCE, AT_ONCE);
    knock_for(&k.w, "alice", 443, LONG);
    wait_log(&k.w, "(alice, 443:tcp)");
    knock_for(&k.w, "alice", 8443, LONG);
    wait_log(&k.w, "(alice, 8443:tcp)");
    wait_out(&k.w, "(s)(s)");
    serve(&k.w, 30 * MS);
    kept_die(&k);
    kept_begin(&k);
    assert_int_equal(doors_resume(k.w.doors), 0);
    assert_int_equal(doors_count(k.w.doors), 2);
    knock_for(&k.w, "alice", 443, LONG);
    assert_int_equal(doors_count(k.w.doors), 2);
    assert_int_equal(close_by(&k.w, "bob", 0), 0);
    assert_int_equal(close_by(&k.w, "alice", 8443), 1);
    wait_log(&k.w, "closed for 192.0.2.1 (alice, 8443:tcp)");
    assert_int_equal(doors_count(k.w.doors), 1);
    assert_int_equal(close_by(&k.w, "alice", 0), 1);
    wait_gone(&k.w, "(s)(s)(t)(t)");
    serve(&k.w, 30 * MS);
    struct ending ending;
    assert_int_equal(store_history(k.store, 1, take_ending, &ending), 0);
    assert_string_equal(ending.by, "alice");
    assert_string_equal(ending.end, "closed by its key");
    kept_end(&k);
}

/* Openings of a store that had no ports, or of a door that had none yet. */
static void an_opening_of_no_port_stands_for_any(void **state)
{
    (void)state;
    struct doors_world w;
    make_world(&w, LONG, AT_ONCE, AT_ONCE, NULL);
    knock_for(&w, "alice", 0, LONG);
    wait_log(&w, "closes in 300 s (alice)");
    knock_for(&w, "alice", 443, LONG);
    assert_int_equal(doors_count(w.doors), 1);
    assert_int_equal(close_by(&w, "alice", 0), 1);
    wait_gone(&w, "(s)(t)");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_open_at_a_time),
        cmocka_unit_test(the_doors_own_port_is_one),
        cmocka_unit_test(a_key_closes_what_it_opened),
        cmocka_unit_test(who_waits_is_closed_by_his_own_key),
        cmocka_unit_test(keys_and_ports_outlive_the_keeper),
        cmocka_unit_test(an_opening_of_no_port_stands_for_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
