/* Death at any moment, a full disk, a second process: what was committed is there, and only that.
 */
#include "store_help.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { KILLS = 40, BATCH = 3, SKIPPED = 77 };

/* SQLite's calls end up here. */
static unsigned syncs;
static bool sync_fails;

static int counted_sync(long call, int fd)
{
    syncs++;
    if (!sync_fails)
        return (int)syscall(call, fd);
    errno = EIO;
    return -1;
}

int fdatasync(int fd)
{
    return counted_sync(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return counted_sync(SYS_fsync, fd);
}

static void commits_reach_the_disk(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(add_range(store, i * 10, i * 10 + 10), 0);
        unsigned before = syncs;
        assert_int_equal(store_commit(store), 0);
        assert_true(syncs > before && syncs - before <= 3);
    }
    sync_fails = true;
    assert_int_equal(add_range(store, 100, 110), 0);
    assert_int_equal(store_commit(store), -1);
    assert_non_null(strstr(store_error(store), "disk I/O error"));
    sync_fails = false;
    assert_int_equal(doors_kept(store), 100);
    assert_int_equal(add_range(store, 100, 101), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    store = folder_open(&f);
    assert_int_equal(doors_kept(store), 101);
    store_close(store);
    folder_end(&f);
}

static void die_uncommitted(struct folder *f)
{
    struct store *store = folder_try(f);
    CHECK(store && add_range(store, 0, 5) == 0 && store_commit(store) == 0);
    CHECK(add_range(store, 5, 3000) == 0 && store_dirty(store));
    CHECK(store_once_use(store, "ssh", "1,2,3", 5) == 0);
}

static void uncommitted_is_lost(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    assert_int_equal(in_child(&f, die_uncommitted), 0);
    struct store *store = folder_open(&f);
    assert_null(f.moved);
    assert_int_equal(doors_kept(store), 5);
    assert_int_equal(store_once_used(store, "ssh", "1,2,3"), 0);
    store_close(store);
    folder_end(&f);
}

/* Adds batches for ever, and reports the number of each to `report` once it is committed. */
static void commit_for_ever(struct folder *f, unsigned from, int report)
{
    struct store *store = folder_try(f);
    CHECK(store && !f->moved);
    for (unsigned batch = from;; batch++) {
        CHECK(add_range(store, batch * BATCH, (batch + 1) * BATCH) == 0);
        CHECK(store_commit(store) == 0);
        CHECK(write(report, &batch, sizeof(batch)) == sizeof(batch));
    }
}

/* Lets a child commit, kills it at some moment, and returns the first batch not reported. */
static unsigned kill_in_the_midst(struct folder *f, unsigned from)
{
    int ends[2];
    unsigned batch = from - 1, reports = (unsigned)rand() % 20;
    volatile unsigned spin = (unsigned)rand() % 2000000;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(stdout);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        commit_for_ever(f, from, ends[1]);
    close(ends[1]);
    for (unsigned i = 0; i < reports; i++)
        assert_int_equal(read(ends[0], &batch, sizeof(batch)), sizeof(batch));
    while (spin)
        spin--;
    kill(pid, SIGKILL);
    while (read(ends[0], &batch, sizeof(batch)) == sizeof(batch))
        ;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return batch + 1;
}

static void survives_kill(void **state)
{
    (void)state;
    struct folder f;
    unsigned next = 1, kept = 0;
    srand(seed_of("kill"));
    folder_make(&f);
    for (int i = 0; i < KILLS; i++) {
        next = kill_in_the_midst(&f, next);
        struct store *store = folder_open(&f);
        assert_null(f.moved);
        unsigned count = doors_kept(store);
        /* Whole batches; all that was reported, and at most the one that was about to be. */
        assert_int_equal(count % BATCH, 0);
        if (count / BATCH != next - 1 && count / BATCH != next)
            fail_msg("%u batches were reported, %u are there", next - 1, count / BATCH);
        kept += count / BATCH == next;
        next = count / BATCH + 1;
        store_close(store);
    }
    printf("# %u batches, %u of them committed but not reported\n", next - 1, kept);
    folder_end(&f);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit = {size, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static rlim_t wal_size(const struct folder *f)
{
    char path[80];
    struct stat st;
    snprintf(path, sizeof(path), "%s-wal", f->file);
    return stat(path, &st) < 0 ? 0 : (rlim_t)st.st_size;
}

static void expect_lost(struct folder *f, struct store *store, int rc)
{
    CHECK(rc < 0 || store_commit(store) < 0);
    CHECK(!store_dirty(store));
    CHECK(strstr(store_error(store), f->file) && strstr(store_error(store), "can't "));
}

static void meet_a_full_disk(struct folder *f)
{
    signal(SIGXFSZ, SIG_IGN);
    struct store *store = folder_try(f);
    CHECK(store && add_range(store, 0, 10) == 0 && store_commit(store) == 0);
    /* Room for nothing, for half a page, for some pages but not for all. */
    static const rlim_t rooms[] = {0, 2000, 50000};
    for (unsigned i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
        limit_files(wal_size(f) + rooms[i]);
        expect_lost(f, store, add_range(store, 1000, 2000));
        if (i == 0)
            expect_lost(f, store, store_once_use(store, "ssh", "1,2,3", 5));
        CHECK(doors_kept(store) == 10 + i);
        limit_files(RLIM_INFINITY);
        CHECK(add_range(store, 10 + i, 11 + i) == 0 && store_commit(store) == 0);
    }
    CHECK(doors_kept(store) == 13 && store_once_used(store, "ssh", "1,2,3") == 0);
    /* So many that SQLite writes before the commit, and then runs out of room. */
    limit_files(wal_size(f) + 3000000);
    expect_lost(f, store, add_range(store, 3000, 20000));
    limit_files(RLIM_INFINITY);
    CHECK(doors_kept(store) == 13);
}

static void outlives_a_full_disk(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    assert_int_equal(in_child(&f, meet_a_full_disk), 0);
    struct store *store = folder_open(&f);
    assert_null(f.moved);
    assert_int_equal(doors_kept(store), 13);
    store_close(store);
    folder_end(&f);
}

static void start_without_room(struct folder *f)
{
    signal(SIGXFSZ, SIG_IGN);
    limit_files(0);
    CHECK(!folder_try(f) && !f->moved && strstr(f->why, "can't make it"));
    CHECK(folder_names(f, "", false) == 0);
    limit_files(RLIM_INFINITY);
    struct store *store = folder_try(f);
    CHECK(store && !f->moved && add_range(store, 0, 5) == 0 && store_commit(store) == 0);
    store_close(store);
    /* What is stored can be read without room, so that it can be undone. */
    limit_files(0);
    store = folder_try(f);
    CHECK(store && doors_kept(store) == 5);
    expect_lost(f, store, add_range(store, 5, 6));
    CHECK(doors_kept(store) == 5);
}

static void starts_on_a_full_disk(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    assert_int_equal(in_child(&f, start_without_room), 0);
    folder_end(&f);
}

static void fill_disk(const char *path)
{
    static char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t size = sizeof(block);
    while (size > 0)
        if (write(fd, block, (size_t)size) <= 0)
            size /= 2;
    CHECK(errno == ENOSPC);
    close(fd);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

/* Mounts a small file system that only this process sees. It needs no privilege where user
 * namespaces are allowed. */
static bool mount_small(const char *path)
{
    char uids[32], gids[32];
    snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)geteuid());
    snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/uid_map", uids) &&
           write_text("/proc/self/gid_map", gids) &&
           mount("none", path, "tmpfs", 0, "size=512k") == 0;
}

/* In a file system of its own, which is full, then read-only. */
static void meet_a_real_full_disk(struct folder *f)
{
    char filler[80];
    snprintf(filler, sizeof(filler), "%s/filler", f->dir);
    if (!mount_small(f->dir))
        _exit(SKIPPED);
    struct store *store = folder_try(f);
    CHECK(store && add_range(store, 0, 5) == 0 && store_commit(store) == 0);
    fill_disk(filler);
    expect_lost(f, store, add_range(store, 5, 300));
    CHECK(strstr(store_error(store), "free space there"));
    CHECK(doors_kept(store) == 5 && unlink(filler) == 0);
    CHECK(add_range(store, 5, 6) == 0 && store_commit(store) == 0 && doors_kept(store) == 6);
    store_close(store);
    if (mount("none", f->dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=512k") < 0)
        _exit(SKIPPED);
    CHECK(!folder_try(f) && !f->moved && strstr(f->why, "Read-only file system"));
}

static void outlives_a_small_file_system(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    int status = in_child(&f, meet_a_real_full_disk);
    folder_end(&f);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        printf("# no file systems can be mounted here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void expect_taken(struct folder *f)
{
    CHECK(!folder_try(f) && !f->moved && strstr(f->why, "another process has it open"));
}

static void is_for_one_process(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    assert_int_equal(in_child(&f, expect_taken), 0); /* before anything was written, too */
    assert_int_equal(add_range(store, 0, 5), 0);
    assert_int_equal(in_child(&f, expect_taken), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(in_child(&f, expect_taken), 0);
    assert_int_equal(doors_kept(store), 5);
    store_close(store);
    folder_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_reach_the_disk), cmocka_unit_test(uncommitted_is_lost),
        cmocka_unit_test(survives_kill),          cmocka_unit_test(outlives_a_full_disk),
        cmocka_unit_test(starts_on_a_full_disk),  cmocka_unit_test(outlives_a_small_file_system),
        cmocka_unit_test(is_for_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
