/* The locks of the state folder: taken once, whatever is removed, and made again. */
#include "store_help.h"

#include <limits.h>
#include <sys/file.h>

#include "knockd/state_dir.h"

static char why[1024];

/* What another process finds that wants the folder. */
static enum state_dir_taken other_takes(const char *path)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct state_dir dir;
        _exit((int)state_dir_take(&dir, path, why, sizeof(why)));
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return (enum state_dir_taken)WEXITSTATUS(status);
}

static void begin(struct folder *f, struct state_dir *dir)
{
    folder_make(f);
    if (geteuid() != 0) {
        folder_end(f);
        skip();
    }
    if (state_dir_take(dir, f->dir, why, sizeof(why)) != STATE_DIR_TAKEN)
        fail_msg("%s", why);
    assert_true(state_dir_wait(dir, 1000000000, why, sizeof(why)));
}

static void in_folder(const struct folder *f, const char *name, char path[80])
{
    snprintf(path, 80, "%s/%s", f->dir, name);
}

/* Whether the file of that name is locked. */
static bool is_locked(const struct folder *f, const char *name)
{
    char path[80];
    in_folder(f, name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
    close(fd);
    return locked;
}

static void it_is_taken_once(void **state)
{
    (void)state;
    struct folder f;
    struct state_dir dir;
    begin(&f, &dir);
    assert_int_equal(other_takes(f.dir), STATE_DIR_BUSY);
    assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_WHOLE);
    state_dir_release(&dir);
    state_dir_release(&dir);
    assert_int_equal(other_takes(f.dir), STATE_DIR_TAKEN);
    folder_end(&f);
}

/* Each file that may be removed, or moved away, or replaced by another. */
static void removed_files_are_made_again(void **state)
{
    (void)state;
    static const char *const names[] = {"lock", "commands.lock"};
    struct folder f;
    struct state_dir dir;
    begin(&f, &dir);
    for (int i = 0; i < 6; i++) {
        const char *name = names[i % 2];
        char path[80], away[80];
        in_folder(&f, name, path);
        in_folder(&f, "away", away);
        assert_int_equal(i < 2 ? unlink(path) : rename(path, away), 0);
        if (i >= 4)
            close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        assert_int_equal(other_takes(f.dir), STATE_DIR_BUSY);
        assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_MENDED);
        assert_non_null(strstr(why, path));
        assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_WHOLE);
        assert_true(is_locked(&f, name));
        unlink(away);
    }
    state_dir_release(&dir);
    folder_end(&f);
}

static void a_lock_that_another_has_is_told(void **state)
{
    (void)state;
    struct folder f;
    struct state_dir dir;
    char path[80];
    begin(&f, &dir);
    in_folder(&f, "lock", path);
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_BROKEN);
    assert_non_null(strstr(why, "another process has locked it"));
    close(fd);
    assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_MENDED);
    state_dir_release(&dir);
    folder_end(&f);
}

/* Moved away, with or without another in its place. */
static void another_folder_is_taken(void **state)
{
    (void)state;
    struct folder f, away;
    struct state_dir dir;
    begin(&f, &dir);
    for (int i = 0; i < 2; i++) {
        folder_make(&away);
        assert_int_equal(rename(f.dir, away.dir), 0);
        assert_true(i == 0 || mkdir(f.dir, 0700) == 0);
        assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_MENDED);
        assert_non_null(strstr(why, "removed or replaced"));
        assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_WHOLE);
        assert_int_equal(other_takes(f.dir), STATE_DIR_BUSY);
        assert_true(is_locked(&f, "lock") && is_locked(&f, "commands.lock"));
        assert_int_equal(other_takes(away.dir), STATE_DIR_TAKEN);
        folder_end(&away);
    }
    /* One that others may write to won't do. */
    folder_make(&away);
    assert_int_equal(rename(f.dir, away.dir), 0);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    assert_int_equal(chmod(f.dir, 0777), 0);
    assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_BROKEN);
    assert_int_equal(other_takes(f.dir), STATE_DIR_REFUSED);
    assert_int_equal(chmod(f.dir, 0700), 0);
    assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_MENDED);
    state_dir_release(&dir);
    folder_end(&away);
    folder_end(&f);
}

/* Moved away, and another knockd started where it was: that one's folder isn't taken from it. */
static void a_folder_of_another_is_left_alone(void **state)
{
    (void)state;
    struct folder f, away;
    struct state_dir dir, other;
    begin(&f, &dir);
    folder_make(&away);
    assert_int_equal(rename(f.dir, away.dir), 0);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    assert_int_equal(state_dir_take(&other, f.dir, why, sizeof(why)), STATE_DIR_TAKEN);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_ANOTHERS);
        assert_non_null(strstr(why, "another knockd is running: it holds"));
        assert_int_equal(state_dir_check(&other, why, sizeof(why)), STATE_DIR_WHOLE);
    }
    state_dir_release(&other);
    assert_int_equal(state_dir_check(&dir, why, sizeof(why)), STATE_DIR_MENDED);
    assert_int_equal(other_takes(f.dir), STATE_DIR_BUSY);
    state_dir_release(&dir);
    folder_end(&away);
    folder_end(&f);
}

/* Who may open the folder may lock it, too. */
static void a_folder_that_others_lock_is_taken(void **state)
{
    (void)state;
    struct folder f;
    struct state_dir dir;
    begin(&f, &dir);
    state_dir_release(&dir);
    assert_int_equal(chmod(f.dir, 0755), 0);
    int fd = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(state_dir_take(&dir, f.dir, why, sizeof(why)), STATE_DIR_TAKEN);
    assert_int_equal(other_takes(f.dir), STATE_DIR_BUSY);
    state_dir_release(&dir);
    close(fd);
    folder_end(&f);
}

static void a_configuration_is_claimed_once(void **state)
{
    (void)state;
    static const char path[] = "/nowhere/claimed/once.conf", other[] = "/nowhere/claimed-once.conf";
    static const char lock[] = "/run/knockd/lock/nowhere-claimed-once.conf";
    struct folder f;
    struct state_dir dir, second = {.claim = -1}, third = {.claim = -1};
    char noted[PATH_MAX];
    if (geteuid() != 0)
        skip();
    begin(&f, &dir);
    assert_true(state_dir_claim(&dir, path, why, sizeof(why)));
    assert_true(state_dir_claim(&second, other, why, sizeof(why)));
    assert_false(state_dir_claim(&third, path, why, sizeof(why)));
    assert_non_null(strstr(why, "another knockd is running with /nowhere/claimed/once.conf"));
    /* Removed, as with the folder of a unit that stops, both come again. */
    state_dir_note(path, dir.path);
    state_dir_forget(path);
    assert_int_equal(unlink(lock), 0);
    state_dir_keep_note(&dir, path);
    assert_true(state_dir_noted(path, noted, sizeof(noted)));
    assert_string_equal(noted, dir.path);
    assert_false(state_dir_claim(&third, path, why, sizeof(why)));
    state_dir_forget(path);
    state_dir_unclaim(path);
    state_dir_unclaim(other);
    assert_int_not_equal(access(lock, F_OK), 0);
    close(second.claim);
    state_dir_release(&dir);
    folder_end(&f);
}

/* Names that differ only in what separates their parts. */
static void what_is_noted_is_found(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nowhere/a/b.conf", "/nowhere/a-b.conf",
                                        "/nowhere/a\\x2db.conf"};
    char out[64], want[64];
    if (geteuid() != 0)
        skip();
    for (int i = 0; i < 3; i++) {
        snprintf(want, sizeof(want), "/state/%d/%d", (int)getpid(), i);
        state_dir_note(paths[i], "/before");
        state_dir_note(paths[i], want);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(want, sizeof(want), "/state/%d/%d", (int)getpid(), i);
        assert_true(state_dir_noted(paths[i], out, sizeof(out)));
        assert_string_equal(out, want);
        assert_false(state_dir_noted(paths[i], out, strlen(want)));
        state_dir_forget(paths[i]);
        assert_false(state_dir_noted(paths[i], out, sizeof(out)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_taken_once),
        cmocka_unit_test(removed_files_are_made_again),
        cmocka_unit_test(a_lock_that_another_has_is_told),
        cmocka_unit_test(another_folder_is_taken),
        cmocka_unit_test(a_folder_of_another_is_left_alone),
        cmocka_unit_test(a_folder_that_others_lock_is_taken),
        cmocka_unit_test(a_configuration_is_claimed_once),
        cmocka_unit_test(what_is_noted_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
