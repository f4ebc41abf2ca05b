/* A new store: for our eyes only, and whole or not there at all. */
#include "store_help.h"

#include <signal.h>

static void is_for_our_eyes_only(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    mode_t old = umask(0);
    struct store *store = folder_open(&f);
    assert_int_equal(add_range(store, 0, 1), 0);
    assert_int_equal(store_commit(store), 0);
    umask(old);
    static const char *const names[] = {"state.db", "state.db-wal", "state.mark"};
    for (int i = 0; i < 3; i++) {
        char path[80];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", f.dir, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    assert_int_equal(folder_names(&f, "state.db", false), 2); /* no -shm, no journal */
    store_close(store);
    folder_end(&f);
}

static void is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    unsigned killed = 0, midway = 0;
    srand(seed_of("making"));
    for (int i = 0; i < 60; i++) {
        struct folder f;
        int status;
        volatile unsigned spin = (unsigned)rand() % 3000000;
        folder_make(&f);
        fflush(stdout);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(folder_try(&f) == NULL);
        while (spin)
            spin--;
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        killed += WIFSIGNALED(status);
        midway += folder_names(&f, ".new", false) > 0;
        struct store *store = folder_open(&f);
        assert_null(f.moved);
        assert_int_equal(folder_names(&f, ".new", false), 0);
        store_close(store);
        folder_end(&f);
    }
    printf("# of 60, %u were killed, %u of them midway\n", killed, midway);
}

static void die_committed(struct folder *f)
{
    struct store *store = folder_try(f);
    CHECK(store && add_range(store, 0, 3) == 0 && store_commit(store) == 0);
}

static void takes_no_journal_of_another(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    assert_int_equal(in_child(&f, die_committed), 0);
    assert_int_equal(folder_names(&f, "-wal", false), 1);
    assert_int_equal(unlink(f.file), 0);
    struct store *store = folder_open(&f);
    assert_int_equal(doors_kept(store), 0);
    store_close(store);
    folder_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_for_our_eyes_only),
        cmocka_unit_test(is_made_whole_or_not_at_all),
        cmocka_unit_test(takes_no_journal_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
