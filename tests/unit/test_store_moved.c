/*
 * A store whose files are taken away, replaced or written to while it is open: noticed before
 * anything more is written, and made again at its path, with all that was in it where that can be
 * had; and doors, which are recorded there again.
 */
#include "writeback_help.h"

#include <signal.h>
#include <sys/resource.h>

/* What happens in the folder $D; and whether what was in the store is lost by it. */
struct accident {
    const char *script;
    bool lossy;
    const char *aside; /* what is left beside the new store */
};

static const struct accident accidents[] = {
    {"rm $D/state.db $D/state.db-wal", false, NULL},
    {"rm $D/state.*", false, NULL},
    {"rm $D/state.db", false, NULL},
    {"rm $D/state.db-wal", false, "state.db.replaced-"},
    {"mv $D/state.db $D/mine", false, "mine"},
    {"cp -p $D/state.db $D/x; mv $D/x $D/state.db", false, "state.db.replaced-"},
    {"rm $D/state.db*; echo none of ours >$D/state.db", false, "state.db.replaced-"},
    {"rm $D/state.db; ln -s elsewhere $D/state.db", false, NULL},
    {"rm $D/state.db*; mkdir $D/state.db", false, "state.db.replaced-"},
    {"mv $D $D.old; mkdir -m 700 $D", false, NULL},
    {"mv $D $D.old", false, NULL},
    {"rm -r $D", false, NULL},
    {": >$D/state.db", true, "state.db.replaced-"},
    {"cp $D/older $D/state.db", true, "state.db.replaced-"},
    {": >$D/state.db-wal", true, "state.db.replaced-"},
    {"echo x >>$D/state.db", true, "state.db.replaced-"},
};

enum { ACCIDENTS = sizeof(accidents) / sizeof(*accidents) };

static void happen(const char *dir, const char *script)
{
    setenv("D", dir, 1);
    if (system(script) != 0)
        CHECK(!"the accident happened");
}

static void clear(struct folder *f)
{
    happen(f->dir, "rm -rf $D/* $D.old");
    folder_end(f);
}

/* The number of the accident, for a child. */
static int current;

static void write_after_it(struct folder *f)
{
    const struct accident *accident = &accidents[current];
    struct store *store = folder_try(f);
    CHECK(store && add_range(store, 0, 3) == 0 && store_once_use(store, "ssh", "1,2,3", 5) == 0);
    CHECK(store_sealed_use(store, (const uint8_t *)"a key of thirty-two bytes in all",
                           SEALED_TIME_MAX - 1, 7) == 0);
    CHECK(store_commit(store) == 0);
    happen(f->dir, "cp $D/state.db $D/older");
    happen(f->dir, accident->script);
    CHECK(store_check_files(store) == 0);
    CHECK(store_remade(store) == accident->lossy);
    CHECK(add_range(store, 3, 5) == 0 && store_commit(store) == 0);
    kill(getpid(), SIGKILL);
}

/* After kill -9 the next start finds all of it; what was used up is that even where it is lost. */
static void is_made_again_at_its_path(void **state)
{
    (void)state;
    for (current = 0; current < ACCIDENTS; current++) {
        const struct accident *accident = &accidents[current];
        struct folder f;
        uint64_t last;
        int64_t wall;
        folder_make(&f);
        printf("# %s\n", accident->script);
        assert_int_equal(in_child(&f, write_after_it), SIGKILL);
        if (accident->aside)
            assert_true(folder_names(&f, accident->aside, false) > 0);
        struct store *store = folder_open(&f);
        assert_false(f.found.moved || f.found.made || f.found.older || f.found.unmarked);
        assert_int_equal(doors_kept(store), accident->lossy ? 2 : 5);
        assert_int_equal(store_once_used(store, "ssh", "1,2,3"), !accident->lossy);
        assert_int_equal(store_sealed_last(store,
                                           (const uint8_t *)"a key of thirty-two bytes in all",
                                           &last, &wall),
                         0);
        assert_true(last == SEALED_TIME_MAX - 1);
        store_close(store);
        clear(&f);
    }
}

/* In the middle of a transaction, it is too late for that one. */
static void nothing_is_committed_elsewhere(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    assert_int_equal(add_range(store, 0, 3), 0);
    happen(f.dir, "rm $D/state.db*");
    assert_int_equal(store_commit(store), -1);
    assert_non_null(strstr(store_error(store), "isn't at its path any more"));
    assert_int_equal(add_range(store, 0, 3), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    store = folder_open(&f);
    assert_false(f.found.made || f.found.lost);
    assert_int_equal(doors_kept(store), 3);
    store_close(store);
    clear(&f);
}

/* Its end leaves another's file alone. */
static void a_close_touches_no_other_file(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    assert_int_equal(add_range(store, 0, 3), 0);
    assert_int_equal(store_commit(store), 0);
    happen(f.dir, "rm $D/state.db*; echo a >$D/state.db; echo b >$D/state.db-wal");
    store_close(store);
    happen(f.dir, "[ $(cat $D/state.db)$(cat $D/state.db-wal) = ab ]");
    clear(&f);
}

/* The folder is no place for a store: said, and nothing is written until it is one again. */
static void refuses_a_folder_that_others_may_write_to(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    happen(f.dir, "rm $D/state.db*; chmod 777 $D");
    assert_int_equal(add_range(store, 0, 1), -1);
    assert_non_null(strstr(store_error(store), "nobody else can write to"));
    assert_int_equal(folder_names(&f, "state.db", false), 0);
    happen(f.dir, "chmod 700 $D");
    assert_int_equal(add_range(store, 0, 1), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    clear(&f);
}

static bool may_replace(void *arg, char *reason, size_t size)
{
    snprintf(reason, size, "it is another's");
    return *(bool *)arg;
}

/* What is at its path may be another's, who has it open: that is asked before it is touched. */
static void asks_before_it_replaces(void **state)
{
    (void)state;
    struct folder f;
    bool may = false;
    folder_make(&f);
    struct store *store = folder_open(&f);
    store_ask_before_replacing(store, may_replace, &may);
    assert_int_equal(add_range(store, 0, 3), 0);
    assert_int_equal(store_commit(store), 0);
    happen(f.dir, "rm $D/state.db*; echo a >$D/state.db; echo b >$D/state.db-wal");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(i == 0 ? store_check_files(store) : add_range(store, 3, 4), -1);
        assert_non_null(strstr(store_error(store), "can't make it again: it is another's"));
        assert_false(store_dirty(store));
    }
    happen(f.dir, "[ $(cat $D/state.db)$(cat $D/state.db-wal) = ab ]");
    may = true;
    assert_int_equal(add_range(store, 3, 4), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(folder_names(&f, "state.db.replaced-", false), 2);
    store_close(store);
    assert_int_equal(left_in(&f), 4);
    clear(&f);
}

/* Without descriptors nothing can be seen to be gone, and what is open goes on. */
static void stays_without_descriptors(void **state)
{
    (void)state;
    struct folder f;
    struct rlimit limit, none;
    folder_make(&f);
    struct store *store = folder_open(&f);
    assert_int_equal(add_range(store, 0, 1), 0);
    assert_int_equal(store_commit(store), 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){3, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int looked = store_check_files(store), added = add_range(store, 1, 2),
        done = store_commit(store);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_true(looked == 0 && added == 0 && done == 0);
    assert_int_equal(add_range(store, 2, 3), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_remade(store), 0);
    assert_int_equal(folder_names(&f, "replaced", false), 0);
    store_close(store);
    assert_int_equal(left_in(&f), 3);
    assert_false(f.found.older || f.found.unmarked);
    folder_end(&f);
}

static bool is_there(void *arg)
{
    const struct kept_world *k = arg;
    return access(k->folder.file, F_OK) == 0;
}

/* Whatever happened, each door that is open is closed by the life after the next kill -9. */
static void what_is_open_is_recorded_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * ACCIDENTS; i++) {
        const struct accident *accident = &accidents[i / 2];
        struct kept_world k;
        kept_make(&k, LONG, AT_ONCE, AT_ONCE);
        knock(&k.w);
        wait_log(&k.w, "opened for 192.0.2.1,");
        happen(k.folder.dir, "cp $D/state.db $D/older");
        happen(k.folder.dir, accident->script);
        if (i % 2) {
            /* By itself, without a knock. */
            wait_log(&k.w, "THE STATE IS NOT WHERE IT WAS");
            bench_until(&k.w.bench, is_there, &k);
        } else {
            knock_from(&k.w, "192.0.2.2");
            wait_log(&k.w, "opened for 192.0.2.2,");
        }
        serve(&k.w, 20 * MS);
        assert_true(doors_recorded(k.w.doors));
        kept_die(&k);
        assert_int_equal(left_in(&k.folder), 2 - i % 2);
        happen(k.folder.dir, "rm -rf $D/* $D.old");
        kept_end(&k);
    }
}

/* It can't be made again: no door opens, until it can. */
static void nothing_opens_meanwhile(void **state)
{
    (void)state;
    struct kept_world k;
    kept_make(&k, LONG, AT_ONCE, AT_ONCE);
    knock(&k.w);
    wait_log(&k.w, "opened for 192.0.2.1,");
    happen(k.folder.dir, "rm -r $D; touch $D");
    knock_from(&k.w, "192.0.2.2");
    wait_log(&k.w, "refused 192.0.2.2: a door that can't be recorded isn't opened");
    assert_int_equal(bench_count(&k.w.bench, "log", "opened for 192.0.2.2"), 0);
    assert_false(doors_recorded(k.w.doors));
    happen(k.folder.dir, "rm $D");
    wait_log(&k.w, "the state is being recorded again");
    knock_from(&k.w, "192.0.2.2");
    wait_log(&k.w, "opened for 192.0.2.2,");
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 2);
    kept_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_made_again_at_its_path),
        cmocka_unit_test(nothing_is_committed_elsewhere),
        cmocka_unit_test(a_close_touches_no_other_file),
        cmocka_unit_test(refuses_a_folder_that_others_may_write_to),
        cmocka_unit_test(asks_before_it_replaces),
        cmocka_unit_test(stays_without_descriptors),
        cmocka_unit_test(what_is_open_is_recorded_again),
        cmocka_unit_test(nothing_opens_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
