/* The last times of sealed keys: kept for ever, beginning with the store. */
#include "store_help.h"

#include <signal.h>
#include <time.h>

static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return sealed_time(ts.tv_sec, (int32_t)ts.tv_nsec);
}

static uint64_t last_of(struct store *store, const uint8_t *id)
{
    uint64_t last;
    int64_t wall;
    assert_int_equal(store_sealed_last(store, id, &last, &wall), 0);
    return last;
}

static const uint8_t alice[SEALED_ID_SIZE] = "alice", bob[SEALED_ID_SIZE] = "bob",
                     zero[SEALED_ID_SIZE];

static void begins_with_the_store(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    uint64_t before = now();
    struct store *store = folder_open(&f);
    uint64_t after = now() + 132, created = last_of(store, alice);
    assert_true(created >= before && created <= after);
    assert_true(last_of(store, zero) == created);
    store_close(store);
    store = folder_open(&f);
    assert_true(last_of(store, bob) == created);
    store_close(store);
    /* Without its store nobody knows what was used up: nothing from before is good any more. */
    folder_names(&f, "", true);
    store = folder_open(&f);
    assert_true(last_of(store, alice) >= created);
    store_close(store);
    folder_end(&f);
}

/* A clock ahead of ours may have made what was used up in a store that is gone. */
static void begins_later_where_one_may_be_lost(void **state)
{
    (void)state;
    struct folder f;
    struct store_found found;
    folder_make(&f);
    for (int i = 0; i < 3; i++) {
        uint64_t before = now();
        struct store *store = store_open(f.dir, BOOT, 120, &found, f.why, sizeof(f.why));
        assert_non_null(store);
        uint64_t begin = last_of(store, alice);
        assert_true(found.made && !found.older && !found.unmarked && !found.moved);
        assert_int_equal(found.lost, i > 0);
        assert_true(begin >= before + (120 << 16) && begin <= now() + (120 << 16) + 132);
        assert_int_equal(store_sealed_use(store, bob, begin + 5, 7), 0);
        assert_int_equal(store_commit(store), 0);
        store_close(store);
        /* A start later it is the same. */
        store = store_open(f.dir, BOOT, 120, &found, f.why, sizeof(f.why));
        assert_false(found.made || found.lost || found.older || found.unmarked);
        assert_true(last_of(store, alice) == begin);
        store_close(store);
        folder_names(&f, "state.db", true);
    }
    folder_end(&f);
}

static void copy(const struct folder *f, const char *from, const char *to)
{
    char command[200];
    snprintf(command, sizeof(command), "cp -p %s/%s %s/%s", f->dir, from, f->dir, to);
    assert_int_equal(system(command), 0);
}

static void use(struct store *store, const uint8_t *id, uint64_t time)
{
    assert_int_equal(store_sealed_use(store, id, time, 7), 0);
    assert_int_equal(store_commit(store), 0);
}

/* Of an older copy, all that was used up since is dead, and nothing later is. */
static void an_older_copy_makes_nothing_good_again(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    uint64_t time = now() + 1000;
    use(store, alice, time);
    store_close(store);
    copy(&f, "state.db", "older");
    store = folder_open(&f);
    assert_false(f.found.older);
    use(store, alice, time + 1);
    use(store, bob, time + (100 << 16));
    store_close(store);
    for (int i = 0; i < 2; i++) {
        copy(&f, "older", "state.db");
        store = folder_open(&f);
        assert_true(f.found.older && !f.found.made);
        assert_true(last_of(store, alice) == time + (100 << 16));
        assert_true(last_of(store, zero) == time + (100 << 16));
        /* Even one transaction after that shows. */
        if (i == 0)
            use(store, bob, time + (101 << 16));
        store_close(store);
        store = folder_open(&f);
        assert_false(f.found.older);
        assert_true(last_of(store, alice) >= time + (100 << 16));
        store_close(store);
        time += i == 0 ? 1 << 16 : 0;
    }
    folder_end(&f);
}

/* What kill -9 leaves is no older copy; one-time sequences and openings count as well. */
static void die_after_uses(struct folder *f)
{
    struct store *store = folder_try(f);
    CHECK(store && !f->found.older && !f->found.unmarked);
    CHECK(add_range(store, 0, 1) == 0 && store_commit(store) == 0);
    CHECK(store_once_use(store, "ssh", "1,2,3", 5) >= 0 && store_commit(store) == 0);
    kill(getpid(), SIGKILL);
}

static void a_crash_is_no_older_copy(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(in_child(&f, die_after_uses), SIGKILL);
        store_close(folder_open(&f));
        assert_false(f.found.older || f.found.unmarked || f.found.made);
    }
    folder_end(&f);
}

static void without_a_mark_all_wait(void **state)
{
    (void)state;
    static const char *const marks[] = {"",
                                        "x",
                                        "00000000000000000001 0000000000000000000x\n",
                                        "00000000000000000001 00000000000000000002\n\n",
                                        "00000000000000000001 00000000000000000002"
                                        " 0000000000000000000x\n",
                                        "00000000000000000001 00000000000000000002"
                                        " 00000000000000000003\n\n"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        struct folder f;
        struct store_found found;
        folder_make(&f);
        struct store *store = folder_open(&f);
        use(store, alice, now() + 1000);
        store_close(store);
        char path[80];
        snprintf(path, sizeof(path), "%s/state.mark", f.dir);
        unlink(path);
        FILE *file = i == 0 ? NULL : fopen(path, "we");
        if (file) {
            fputs(marks[i], file);
            fclose(file);
        }
        uint64_t before = now();
        for (int again = 0; again < 2; again++) {
            store = store_open(f.dir, BOOT, 120, &found, f.why, sizeof(f.why));
            assert_int_equal(found.unmarked, again == 0);
            assert_true(last_of(store, alice) >= before + (120 << 16));
            store_close(store);
        }
        folder_end(&f);
    }
}

/* What may happen to the folder in which a copy of the store, and no mark, was kept. */
struct restoring {
    const char *name, *first, *second; /* scripts; between them knockd starts once */
    bool killed;                       /* that knockd ends by kill -9 */
};

static const struct restoring restorings[] = {
    {"twice", "cp $D/older $D/state.db", "cp $D/older $D/state.db", false},
    {"twice, killed between", "cp $D/older $D/state.db", "rm -f $D/*-wal; cp $D/older $D/state.db",
     true},
    {"removed, then restored", "rm $D/state.db*", "cp $D/older $D/state.db", false},
    {"restored, and its journal removed", "cp $D/older $D/state.db", "rm -f $D/state.db-wal", true},
    {"emptied, then restored", "rm $D/state.*", "cp $D/older $D/state.db", false},
    {"emptied and restored", "rm $D/state.*; cp $D/older $D/state.db", "true", false},
    {"damaged, then restored", "echo x >$D/state.db", "cp $D/older $D/state.db", false},
};

static void start_and_die(struct folder *f)
{
    CHECK(folder_try(f));
    kill(getpid(), SIGKILL);
}

static void stay_dead(struct folder *f, const struct restoring *restoring, uint64_t used)
{
    setenv("D", f->dir, 1);
    assert_int_equal(system(restoring->first), 0);
    if (restoring->killed)
        assert_int_equal(in_child(f, start_and_die), SIGKILL);
    else
        store_close(folder_open(f));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(system(restoring->second), 0);
        struct store *store = folder_open(f);
        assert_true(last_of(store, alice) >= used);
        store_close(store);
    }
}

/* The mark alone knows what was used up; no store that is put beside it may make it forget. Every
 * use is by a clock that is as far ahead as it may be. */
static void restoring_copies_makes_nothing_good_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(restorings) / sizeof(*restorings); i++)
        for (int served = 0; served < 2; served++) {
            struct folder f;
            folder_make(&f);
            printf("# %s, %s\n", restorings[i].name, served ? "in use" : "new");
            struct store *store = folder_open(&f);
            if (served)
                use(store, bob, now() + 1000);
            store_close(store);
            copy(&f, "state.db", "older");
            f.skew = 120;
            store = folder_open(&f);
            uint64_t used = now() + (120 << 16);
            use(store, alice, used);
            store_close(store);
            stay_dead(&f, &restorings[i], used);
            folder_end(&f);
        }
}

static void uses_up_a_message_and_all_before_it(void **state)
{
    (void)state;
    struct folder f;
    uint64_t time = now() + 1000, last;
    int64_t wall;
    folder_make(&f);
    struct store *store = folder_open(&f);
    uint64_t created = last_of(store, bob);
    assert_int_equal(store_sealed_use(store, alice, time, 7), 0);
    assert_int_equal(store_sealed_use(store, alice, time, 8), 1);
    assert_int_equal(store_sealed_use(store, alice, time - 1, 8), 1);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    store = folder_open(&f);
    assert_int_equal(store_sealed_last(store, alice, &last, &wall), 0);
    assert_true(last == time);
    assert_int_equal(wall, 7);
    assert_true(last_of(store, bob) == created);
    assert_int_equal(store_sealed_use(store, alice, time, 9), 1);
    assert_int_equal(store_sealed_use(store, alice, time + 1, 9), 0);
    assert_int_equal(store_sealed_use(store, bob, SEALED_TIME_MAX, 9), 0);
    assert_true(last_of(store, alice) == time + 1);
    store_close(store); /* without a commit */
    store = folder_open(&f);
    assert_true(last_of(store, alice) == time);
    assert_true(last_of(store, bob) == created);
    store_close(store);
    folder_end(&f);
}

static void use_then_die(struct folder *f)
{
    struct store *store = folder_try(f);
    CHECK(store && store_sealed_use(store, alice, SEALED_TIME_MAX - 1, 7) == 0);
    CHECK(store_commit(store) == 0);
    CHECK(store_sealed_use(store, alice, SEALED_TIME_MAX, 8) == 0);
    kill(getpid(), SIGKILL);
}

static void survives_death_once_committed(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    assert_true(WIFSIGNALED(in_child(&f, use_then_die)));
    struct store *store = folder_open(&f);
    assert_true(last_of(store, alice) == SEALED_TIME_MAX - 1);
    store_close(store);
    folder_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_the_store),
        cmocka_unit_test(begins_later_where_one_may_be_lost),
        cmocka_unit_test(an_older_copy_makes_nothing_good_again),
        cmocka_unit_test(a_crash_is_no_older_copy),
        cmocka_unit_test(without_a_mark_all_wait),
        cmocka_unit_test(restoring_copies_makes_nothing_good_again),
        cmocka_unit_test(uses_up_a_message_and_all_before_it),
        cmocka_unit_test(survives_death_once_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
