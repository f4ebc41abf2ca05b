/* A store on a small file system of the test's own: full, nothing new opens; what is open closes.
 */
#include "writeback_help.h"

#include <sched.h>
#include <sys/mount.h>

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

/* Only this process and its commands see what is mounted from here on. */
static bool may_mount(void)
{
    char uids[32], gids[32];
    snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)geteuid());
    snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/uid_map", uids) &&
           write_text("/proc/self/gid_map", gids);
}

static void make_small(struct kept_world *k, int64_t length)
{
    memset(k, 0, sizeof(*k));
    make_world(&k->w, length, AT_ONCE, AT_ONCE, NULL);
    folder_make(&k->folder);
    if (mount("none", k->folder.dir, "tmpfs", 0, "size=256k,mode=700") < 0)
        fail_msg("can't mount: %s", strerror(errno));
    kept_begin(k);
}

static void end_small(struct kept_world *k)
{
    assert_int_equal(umount(k->folder.dir), 0);
    kept_end(k);
}

/* Leaves no room, or gives it back. */
static void fill(const struct kept_world *k, bool full)
{
    static const char block[4096];
    char path[80];
    snprintf(path, sizeof(path), "%s/filler", k->folder.dir);
    if (!full) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
        ;
    close(fd);
}

/* The journal has room in its own blocks for some changes more: those are used up. */
static void exhaust(struct kept_world *k)
{
    struct addr a = {4, {10}};
    fill(k, true);
    for (int i = 0; i < 200 && bench_count(&k->w.bench, "log", "can't be recorded, so") == 0; i++) {
        a.bytes[3]++;
        knock_as(&k->w, &a);
        serve(&k->w, 5 * MS);
    }
    wait_log(&k->w, "the state can't be recorded, so nothing new is opened");
    wait_log(&k->w, "free space there");
}

static void full_it_refuses_and_closes(void **state)
{
    (void)state;
    struct kept_world k;
    make_small(&k, 1500 * MS);
    knock(&k.w);
    wait_log(&k.w, "opened for 192.0.2.1,");
    exhaust(&k);
    knock_from(&k.w, "192.0.2.9");
    wait_log(&k.w, "refused 192.0.2.9: a door that can't be recorded isn't opened");
    assert_int_equal(bench_count(&k.w.bench, "log", "opened for 192.0.2.9"), 0);
    /* All that is open closes, though the store can't follow. */
    bench_until(&k.w.bench, all_gone, &k.w);
    assert_int_equal(bench_count(&k.w.bench, "log",
                                 "door ssh: closed for 192.0.2.1 (sequence): its time is over\n"),
                     1);
    assert_int_equal(bench_count(&k.w.bench, "out", "(s"), bench_count(&k.w.bench, "out", "(t"));
    assert_int_equal(bench_count(&k.w.bench, "log", "being recorded again"), 0);
    fill(&k, false);
    wait_log(&k.w, "the state is being recorded again");
    /* Only now is it tried, so it has followed before anyone knocked. */
    knock_from(&k.w, "192.0.2.9");
    wait_log(&k.w, "opened for 192.0.2.9");
    bench_until(&k.w.bench, all_gone, &k.w);
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    end_small(&k);
}

/* Killed while the disk is full: the store knows more than there is, and nothing is left after. */
static void killed_while_full(void **state)
{
    (void)state;
    struct kept_world k;
    make_small(&k, 300 * MS);
    knock(&k.w);
    wait_log(&k.w, "opened for 192.0.2.1,");
    exhaust(&k);
    bench_until(&k.w.bench, all_gone, &k.w);
    kept_die(&k);
    assert_int_equal(bench_count(&k.w.bench, "log", "can't be recorded at the end"), 1);
    fill(&k, false);
    assert_true(left_in(&k.folder) > 0);
    kept_begin(&k);
    assert_int_equal(doors_resume(k.w.doors), 0);
    bench_until(&k.w.bench, all_gone, &k.w);
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    end_small(&k);
}

/* Closed by hand, which can't be recorded, and killed: the store says that it is open, and it is
 * not opened again. */
static void closed_by_hand_while_full(void **state)
{
    (void)state;
    struct kept_world k;
    struct addr who = address_of("192.0.2.1");
    struct doors_choice choice = {.address = &who};
    make_small(&k, LONG);
    set_commands(&k.w, "xyz", "touch ok", "rm ok", NULL);
    add(&k.w, &k.w.plan.check, 'c', NEEDS_OK);
    knock(&k.w);
    wait_log(&k.w, "opened for 192.0.2.1,");
    list_free(&k.w.plan.check);
    set_commands(&k.w, "st-", AT_ONCE, AT_ONCE, NULL);
    exhaust(&k);
    assert_int_equal(doors_close(k.w.doors, &choice), 1);
    wait_log(&k.w, "closed for 192.0.2.1 (sequence): by knockctl\n");
    assert_false(doors_recorded(k.w.doors));
    kept_die(&k);
    fill(&k, false);
    kept_begin(&k);
    assert_int_equal(doors_resume(k.w.doors), 0);
    wait_log(&k.w, "door ssh: closed for 192.0.2.1 since it was recorded");
    assert_false(bench_exists(&k.w.bench, "ok"));
    assert_int_equal(bench_count(&k.w.bench, "out", "(x"), 1);
    doors_close_all(k.w.doors, on_closed, &k.w);
    bench_until(&k.w.bench, is_closed, &k.w);
    kept_die(&k);
    assert_int_equal(left_in(&k.folder), 0);
    end_small(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_it_refuses_and_closes),
        cmocka_unit_test(killed_while_full),
        cmocka_unit_test(closed_by_hand_while_full),
    };
    if (!may_mount()) {
        printf("1..0 # SKIP no file systems can be mounted here\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
