/* Doors and their store: on disk before anything runs, many at once, and gone when they are closed.
 */
#include "sync_count.h"
#include "writeback_help.h"

static void take_door(void *arg, struct stored_door *door)
{
    struct stored_door *out = arg;
    *out = *door;
    door->start = door->stop = door->extend = door->check = (struct commands){0};
}

/* The start command takes a copy of the store: its own opening is in there, with its undo. */
static void is_on_disk_before_it_starts(void **state)
{
    (void)state;
    struct kept_world k;
    struct folder copy;
    char script[256];
    folder_make(&copy);
    kept_make(&k, LONG, AT_ONCE, AT_ONCE);
    snprintf(script, sizeof(script), "cp -p %s/state.db* %s", k.folder.dir, copy.dir);
    set_commands(&k.w, "st-", script, AT_ONCE, NULL);
    knock(&k.w);
    wait_log(&k.w, "opened for");
    struct store *store = folder_open(&copy);
    struct stored_door door = {0};
    assert_int_equal(store_each(store, take_door, &door), 0);
    assert_int_equal(door.state, STORED_OPENING);
    assert_string_equal(door.name, "ssh");
    assert_string_equal(door.by, "sequence");
    assert_int_equal(door.length, LONG);
    assert_int_equal(door.stop.count, 1);
    assert_non_null(
        strstr(door.stop.items[0].text + strlen("/bin/sh") + 1 + strlen("-c") + 1, "(t"));
    stored_door_free(&door);
    store_close(store);
    folder_end(&copy);
    kept_end(&k);
}

static bool said_opened(void *arg)
{
    struct kept_world *k = arg;
    return bench_count(&k->w.bench, "log", "opened for") == 20;
}

/* Knocks of the addresses with these numbers, as one moment brings them. */
static void knock_many(struct kept_world *k, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct addr a = {4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        knock_as(&k->w, &a);
    }
}

/* What comes in one moment is one transaction, whether it opens or closes. */
static void many_share_a_transaction(void **state)
{
    (void)state;
    struct kept_world k;
    kept_make(&k, LONG, AT_ONCE, AT_ONCE);
    unsigned before = syncs;
    k.w.door.start_delay = LONG;
    knock_many(&k, 20, 2000);
    assert_int_equal(syncs, before);
    serve(&k.w, 10 * MS);
    assert_true(syncs > before && syncs <= before + 4);
    k.w.door.start_delay = 0;
    knock_many(&k, 0, 20);
    bench_until(&k.w.bench, said_opened, &k);
    before = syncs;
    doors_close_all(k.w.doors, on_closed, &k.w);
    bench_until(&k.w.bench, is_closed, &k.w);
    assert_true(syncs <= before + 60); /* twenty that close one by one, and 1980 at once */
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    kept_end(&k);
}

/* Its opening is durable when the command starts, and nothing has changed since. */
static void one_sync_until_it_starts(void **state)
{
    (void)state;
    struct kept_world k;
    kept_make(&k, LONG, TILL_GO, AT_ONCE);
    /* The first transaction of all begins the journal, which is one more. */
    assert_int_equal(store_number_set(k.store, "first", 1), 0);
    assert_int_equal(store_commit(k.store), 0);
    unsigned before = syncs;
    knock(&k.w);
    wait_out(&k.w, "(s");
    serve(&k.w, 50 * MS);
    assert_int_equal(syncs, before + 1);
    bench_write(&k.w.bench, "go", "");
    wait_log(&k.w, "opened for");
    serve(&k.w, 50 * MS);
    assert_int_equal(syncs, before + 2);
    kept_end(&k);
}

/* In every state: after kill -9 it is taken up, closed, and no more in the store. */
static void is_closed_by_the_next_life(void **state)
{
    (void)state;
    static const struct {
        const char *start, *stop, *until, *trace;
    } cases[] = {
        {TILL_GO, AT_ONCE, "(s", "(s(t)"},
        {FAILS, TILL_GO, "(s)(t", "(s)(t(t)"},
        {AT_ONCE, TILL_GO, "(s)(t", "(s)(t(t)"},
        {AT_ONCE, NEEDS_OK, "(s)(t)", "(s)(t)(t)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct kept_world k;
        kept_make(&k, 50 * MS, cases[i].start, cases[i].stop);
        knock(&k.w);
        wait_out(&k.w, cases[i].until);
        kept_die(&k);
        bench_write(&k.w.bench, "go", "");
        bench_write(&k.w.bench, "ok", "");
        assert_int_equal(left_in(&k.folder), 1);
        kept_begin(&k);
        assert_int_equal(doors_resume(k.w.doors), 0);
        wait_gone(&k.w, cases[i].trace);
        kept_die(&k);
        assert_int_equal(left_in(&k.folder), 0);
        kept_end(&k);
    }
}

/* Its time goes on; a knock extends it, and that is kept, too. */
static void what_has_time_left_goes_on(void **state)
{
    (void)state;
    struct kept_world k;
    kept_make(&k, 1200 * MS, AT_ONCE, AT_ONCE);
    int64_t begin = clock_now();
    knock(&k.w);
    wait_log(&k.w, "opened for");
    serve(&k.w, 400 * MS);
    for (int i = 0; i < 2; i++) {
        kept_die(&k);
        kept_begin(&k);
        assert_int_equal(doors_resume(k.w.doors), 0);
        assert_int_equal(doors_count(k.w.doors), 1);
        if (i == 0)
            knock(&k.w);
        assert_int_equal(bench_count(&k.w.bench, "log", "extended for"), 1);
        serve(&k.w, 50 * MS);
    }
    wait_out(&k.w, "(s)");
    wait_gone(&k.w, "(s)(t)");
    assert_true(clock_now() - begin >= 1600 * MS);
    assert_int_equal(bench_count(&k.w.bench, "log", "taking up 1 door of an earlier run"), 2);
    kept_end(&k);
}

/* Never started: nothing to undo, and nothing in the store. */
static void what_is_withdrawn_is_forgotten(void **state)
{
    (void)state;
    struct kept_world k;
    kept_make(&k, LONG, AT_ONCE, AT_ONCE);
    k.w.door.start_delay = LONG;
    knock(&k.w);
    serve(&k.w, 50 * MS);
    doors_close_all(k.w.doors, on_closed, &k.w);
    assert_int_equal(k.w.closed, 1);
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    wait_out(&k.w, "");
    kept_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_on_disk_before_it_starts),
        cmocka_unit_test(many_share_a_transaction),
        cmocka_unit_test(one_sync_until_it_starts),
        cmocka_unit_test(is_closed_by_the_next_life),
        cmocka_unit_test(what_has_time_left_goes_on),
        cmocka_unit_test(what_is_withdrawn_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
