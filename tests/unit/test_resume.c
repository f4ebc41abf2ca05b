/* What an earlier run left in the store, row by row: each is closed, in time, by its own commands.
 */
#include "writeback_help.h"

#define SECOND (1000 * MS)

/* A row as an earlier run may have left it; its stop leaves "(t)" and does `stop`. */
struct row {
    enum stored_state state;
    bool earlier_boot;
    int64_t left; /* ns from now to its deadline, unless `deadline` is set */
    int64_t length;
    int64_t deadline;
    const char *stop;   /* NULL: none */
    const char *trace;  /* when all is over */
    int64_t at_least;   /* ns until then */
    const char *saying; /* in the log */
};

static void add_row(struct kept_world *k, const struct row *row, const char *boot)
{
    char why[256];
    struct store_found found;
    struct store *store = store_open(k->folder.dir, boot, 0, &found, why, sizeof(why));
    assert_non_null(store);
    struct stored_door door = {.state = row->state,
                               .name = "no such door",
                               .address = address_of("2001:db8::7"),
                               .by = "sequence",
                               .length = row->length,
                               .deadline = row->deadline ? row->deadline : clock_now() + row->left,
                               .stop_ok = {1}};
    door.stop.items = calloc(1, sizeof(*door.stop.items));
    assert_non_null(door.stop.items);
    if (row->stop) {
        command_make(&door.stop.items[0],
                     "cd %s; printf '(t' >>out; %s; rc=$?; printf ')' >>out; exit $rc",
                     k->w.bench.dir, row->stop);
        door.stop.count = 1;
    }
    assert_int_equal(store_add(store, &door), 0);
    assert_int_equal(store_commit(store), 0);
    stored_door_free(&door);
    store_close(store);
}

/* A store with that row, and doors that have not looked at it. */
static void make_left(struct kept_world *k, const struct row *row)
{
    memset(k, 0, sizeof(*k));
    make_world(&k->w, LONG, AT_ONCE, AT_ONCE, NULL);
    folder_make(&k->folder);
    add_row(k, row, row->earlier_boot ? "the boot before" : BOOT);
    kept_begin(k);
}

static void every_row_is_closed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {STORED_OPENING, false, LONG, LONG, 0, AT_ONCE, "(t)", 0,
         "): an earlier run of knockd ended without"},
        {STORED_OPEN, false, -SECOND, LONG, 0, AT_ONCE, "(t)", 0, "): its time is over"},
        {STORED_OPEN, false, SECOND, LONG, 0, AT_ONCE, "(t)", 900 * MS, "closed for"},
        {STORED_CLOSING, false, LONG, LONG, 0, AT_ONCE, "(t)", 0,
         "): an earlier run of knockd ended without"},
        {STORED_OPEN, false, 0, 200 * MS, INT64_MAX, AT_ONCE, "(t)", 200 * MS, "closed for"},
        {STORED_OPEN, false, 0, INT64_MAX, INT64_MAX, AT_ONCE, "(t)", 0, "closed for"},
        {STORED_OPEN, false, 0, INT64_MIN, INT64_MAX, AT_ONCE, "(t)", 0, "closed for"},
        {STORED_OPEN, false, 0, LONG, INT64_MIN, AT_ONCE, "(t)", 0, "closed for"},
        {STORED_OPEN, true, LONG, LONG, 0, AT_ONCE, "(t)", 0,
         "): an earlier run of knockd ended without"},
        {STORED_OPEN, true, LONG, LONG, 0, FAILS, "(t)", 0, "most likely gone"},
        {STORED_OPENING, true, LONG, LONG, 0, FAILS, "(t)", 0, "most likely gone"},
        {STORED_CLOSING, true, LONG, LONG, 0, FAILS, "(t)", 0, "most likely gone"},
        {STORED_OPEN, false, -SECOND, LONG, 0, NEEDS_OK "|| ! touch ok", "(t)(t)", SECOND,
         "NOT CLOSED"},
        {STORED_OPEN, false, -SECOND, LONG, 0, NULL, "", 0, "it has nothing to undo"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct kept_world k;
        make_left(&k, &rows[i]);
        int64_t begin = clock_now();
        assert_int_equal(doors_resume(k.w.doors), 0);
        wait_gone(&k.w, rows[i].trace);
        assert_true(clock_now() - begin >= rows[i].at_least);
        assert_true(clock_now() - begin < rows[i].at_least + PATIENCE / 3);
        assert_int_equal(bench_count(&k.w.bench, "log", rows[i].saying), 1);
        kept_die(&k);
        assert_int_equal(left_in(&k.folder), 0);
        kept_end(&k);
    }
}

/* Killed again in its one try: it is of an earlier boot still, or it would be tried for ever. */
static void an_earlier_boot_stays_one(void **state)
{
    (void)state;
    static const struct row row = {STORED_OPEN, true, LONG, LONG, 0, TILL_GO "; false", "", 0, ""};
    struct kept_world k;
    make_left(&k, &row);
    assert_int_equal(doors_resume(k.w.doors), 0);
    wait_out(&k.w, "(t");
    serve(&k.w, 50 * MS);
    kept_die(&k);
    bench_write(&k.w.bench, "go", "");
    kept_begin(&k);
    assert_int_equal(doors_resume(k.w.doors), 0);
    wait_gone(&k.w, "(t(t)");
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    kept_end(&k);
}

/* Knocked at and closed like any other. */
static void what_is_taken_up_is_like_new(void **state)
{
    (void)state;
    static const struct row row = {STORED_OPEN, false, LONG, LONG, 0, AT_ONCE, "", 0, ""};
    struct kept_world k;
    make_left(&k, &row);
    assert_int_equal(doors_resume(k.w.doors), 0);
    serve(&k.w, 50 * MS);
    wait_out(&k.w, "");
    /* Another door, another address: both are left alone. */
    knock_from(&k.w, "2001:db8::7");
    wait_out(&k.w, "(s)");
    wait_log(&k.w, "door ssh: opened for 2001:db8::7");
    assert_int_equal(doors_count(k.w.doors), 2);
    doors_close_all(k.w.doors, on_closed, &k.w);
    bench_until(&k.w.bench, is_closed, &k.w);
    assert_int_equal(bench_count(&k.w.bench, "out", "(t"), 2);
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    kept_end(&k);
}

/*
 * What a check finds of a door that was open at the last record: it goes on, or it isn't opened
 * again, unless it is knocked at meanwhile; what is left of it by half is undone.
 */
static void what_is_taken_up_is_checked_first(void **state)
{
    (void)state;
    static const struct {
        const char *check, *accident;
        bool knocked, stays;
        const char *trace;
    } cases[] = {
        {NEEDS_OK, NULL, false, true, "(s)(c)"},
        {NEEDS_OK, "ok", false, false, "(s)(c)"},
        {TILL_GO "; " NEEDS_OK, "ok", true, true, "(s)(c)(s)"},
        {TILL_GO "; " NEEDS_OK, NULL, true, true, "(s)(c)"},
        {"(exit 4)", "ok", false, true, "(s)(c)"},
        {NEEDS_OK, "half", false, false, "(s)(c)(d)(t)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct kept_world k;
        bool half = cases[i].accident && strcmp(cases[i].accident, "half") == 0;
        kept_make(&k, LONG, "touch ok", "rm ok");
        add(&k.w, &k.w.plan.check, 'c', cases[i].check);
        if (half)
            add(&k.w, &k.w.plan.check, 'd', FAILS);
        knock(&k.w);
        wait_log(&k.w, "opened for");
        serve(&k.w, 50 * MS);
        kept_die(&k);
        if (cases[i].accident && !half)
            bench_remove(&k.w.bench, "ok");
        kept_begin(&k);
        assert_int_equal(doors_resume(k.w.doors), 0);
        if (cases[i].knocked) {
            wait_out(&k.w, "(s)(c");
            knock(&k.w);
        }
        bench_write(&k.w.bench, "go", "");
        wait_out(&k.w, cases[i].trace);
        serve(&k.w, 50 * MS);
        assert_int_equal(doors_count(k.w.doors), cases[i].stays);
        kept_die(&k);
        assert_int_equal(left_in(&k.folder), cases[i].stays);
        list_free(&k.w.plan.check);
        kept_end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_closed),
        cmocka_unit_test(an_earlier_boot_stays_one),
        cmocka_unit_test(what_is_taken_up_is_like_new),
        cmocka_unit_test(what_is_taken_up_is_checked_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
