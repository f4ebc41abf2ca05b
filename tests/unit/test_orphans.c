/* Commands of an earlier run: waited for, then killed, and never anyone else. */
#include "store_help.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <time.h>

#include "keeper/orphans.h"
#include "lib/clock.h"

#define MS INT64_C(1000000)

enum { COMMAND, DESCENDANT, KEEPER };

static void rest_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int lock_of(const struct folder *f)
{
    char path[80];
    snprintf(path, sizeof(path), "%s/commands.lock", f->dir);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/*
 * A process that holds the lock for `ms`, once it is held. COMMAND: it inherited it, from us, who
 * haven't got it any more. DESCENDANT: it lives in a session of its own besides, and the process
 * whose number this is, is gone. KEEPER: it took the lock itself.
 */
static pid_t hold(const struct folder *f, long ms, int how, int *ended)
{
    int ready[2], alive[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    fflush(stdout);
    int fd = how == KEEPER ? -1 : lock_of(f);
    assert_true(fd < 0 || flock(fd, LOCK_EX) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (how == KEEPER)
            CHECK((fd = lock_of(f)) >= 0 && flock(fd, LOCK_EX) == 0);
        if (how == DESCENDANT && fork() > 0)
            _exit(0);
        setsid();
        (void)!write(ready[1], "", 1);
        rest_ms(ms);
        _exit(0);
    }
    char byte;
    if (fd >= 0)
        close(fd);
    close(ready[1]);
    close(alive[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *ended = alive[0];
    return pid;
}

/* Whether whoever has the other end of the pipe is gone: that end was inherited. */
static bool is_over(int ended)
{
    char byte;
    fcntl(ended, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100; i++) {
        if (read(ended, &byte, 1) == 0)
            return true;
        rest_ms(20);
    }
    return false;
}

/* Waits, and says for how long in ns. */
static int64_t wait_for(const struct folder *f, int64_t limit, int *fd)
{
    char why[256] = "";
    int64_t begin = clock_now();
    *fd = orphans_wait(f->dir, limit, why, sizeof(why));
    if (*fd < 0)
        fail_msg("%s", why);
    return clock_now() - begin;
}

static void nobody_is_left(void **state)
{
    (void)state;
    struct folder f;
    int fd;
    folder_make(&f);
    for (int i = 0; i < 2; i++) {
        assert_true(wait_for(&f, 20 * CLOCK_SECOND, &fd) < 15 * CLOCK_SECOND);
        /* It is ours now, and no program that doesn't mean to inherits it. */
        int other = lock_of(&f);
        assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
        assert_int_equal(errno, EWOULDBLOCK);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(other);
        close(fd);
    }
    folder_end(&f);
}

static void one_that_ends_in_time_is_waited_for(void **state)
{
    (void)state;
    struct folder f;
    int fd, ended, status;
    folder_make(&f);
    pid_t pid = hold(&f, 3000, COMMAND, &ended);
    int64_t took = wait_for(&f, 30 * CLOCK_SECOND, &fd);
    assert_true(took >= 200 * MS && took < 20 * CLOCK_SECOND);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ended);
    close(fd);
    folder_end(&f);
}

static void one_that_doesnt_is_killed(void **state)
{
    (void)state;
    struct folder f;
    int fd, ended, status;
    folder_make(&f);
    pid_t pid = hold(&f, 60000, COMMAND, &ended);
    int64_t took = wait_for(&f, 300 * MS, &fd);
    assert_true(took >= 300 * MS && took < 30 * CLOCK_SECOND);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(ended);
    close(fd);
    folder_end(&f);
}

/* The command is gone, and its child is nobody's any more: it could still open a door. */
static void a_descendant_is_killed_too(void **state)
{
    (void)state;
    struct folder f;
    int fd, ended, status;
    folder_make(&f);
    pid_t pid = hold(&f, 60000, DESCENDANT, &ended);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(wait_for(&f, 300 * MS, &fd) >= 300 * MS);
    assert_true(is_over(ended));
    close(ended);
    close(fd);
    folder_end(&f);
}

/* A process that has nothing of ours lives on, whatever else it holds. */
static void others_are_left_alone(void **state)
{
    (void)state;
    struct folder f, other;
    int fd, ended, mine, status;
    folder_make(&f);
    folder_make(&other);
    pid_t stranger = hold(&other, 60000, COMMAND, &mine);
    pid_t pid = hold(&f, 60000, COMMAND, &ended);
    wait_for(&f, 100 * MS, &fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(waitpid(stranger, &status, WNOHANG), 0);
    kill(stranger, SIGKILL);
    waitpid(stranger, &status, 0);
    close(ended);
    close(mine);
    close(fd);
    folder_end(&f);
    folder_end(&other);
}

/* Nor are its commands, which hold the same lock as it does. */
static void a_keeper_at_work_is_never_killed(void **state)
{
    (void)state;
    struct folder f;
    int ended, status;
    char why[256], number[32];
    folder_make(&f);
    pid_t pid = hold(&f, 60000, KEEPER, &ended);
    int64_t begin = clock_now();
    assert_int_equal(orphans_wait(f.dir, 20 * CLOCK_SECOND, why, sizeof(why)), -1);
    assert_true(clock_now() - begin < 15 * CLOCK_SECOND);
    snprintf(number, sizeof(number), "process %d ", (int)pid);
    assert_non_null(strstr(why, "another knockd is running"));
    assert_non_null(strstr(why, number));
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(ended);
    folder_end(&f);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    struct folder f;
    char why[256], path[80];
    folder_make(&f);
    snprintf(path, sizeof(path), "%s/commands.lock", f.dir);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(orphans_wait(f.dir, MS, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "commands.lock"));
    folder_end(&f);
    assert_int_equal(orphans_wait(f.dir, MS, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_left),
        cmocka_unit_test(one_that_ends_in_time_is_waited_for),
        cmocka_unit_test(one_that_doesnt_is_killed),
        cmocka_unit_test(a_descendant_is_killed_too),
        cmocka_unit_test(others_are_left_alone),
        cmocka_unit_test(a_keeper_at_work_is_never_killed),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
