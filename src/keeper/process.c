/*
 * The life of a child process: started in a world that is built for it and in a process group of
 * its own -> watched by a pidfd, so that nothing here handles SIGCHLD -> ended by itself, or killed
 * at its limit -> what it left in its group is killed -> reaped, after that: until then its number
 * can't belong to anyone else.
 */
#include "keeper/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/program.h"
#include "lib/clock.h"

/* How long the caller waits for a process that was killed. */
enum { DIE_MS = 1000 };

/* Handlers and masks of the caller mean nothing to the program. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_descriptors(const struct process_world *world)
{
    int input = world->input > 0 ? world->input : open("/dev/null", O_RDONLY);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(world->output, STDOUT_FILENO) < 0 ||
        dup2(world->errors, STDERR_FILENO) < 0)
        return -1;
    if (world->lock < 0)
        return close_range(3, ~0U, 0);
    /* dup2 onto itself would leave it close-on-exec. */
    int rc = world->lock == 3 ? fcntl(3, F_SETFD, 0) : dup2(world->lock, 3);
    return rc < 0 ? -1 : close_range(4, ~0U, 0);
}

static int set_user(const struct process_user *user)
{
    if (!user)
        return 0;
    if (setgroups((size_t)user->group_count, user->groups) < 0 ||
        setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static _Noreturn void become(const struct command *command, char **argv,
                             const struct process_world *world, pid_t parent)
{
    static char path[] = "PATH=" PROGRAM_PATH, locale[] = "LC_ALL=C";
    char *environment[] = {path, locale, NULL};
    reset_signals();
    bool ready = setpgid(0, 0) == 0 && set_descriptors(world) == 0 && set_user(world->user) == 0 &&
                 chdir("/") == 0;
    /* After the change of user, which clears it; before looking at the parent, whose death could
     * else fall between. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (ready)
        execve(command->text, argv, environment);
    dprintf(STDERR_FILENO, "cannot execute %s: %s\n", command->text, strerror(errno));
    _exit(127);
}

/*
 * Whether we may wait until the kernel has the program: one of the system's own folders, where we
 * come from ourselves. One elsewhere can lie on a file system that doesn't answer.
 */
static bool is_near(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    for (const char *dir = PROGRAM_PATH; *dir; dir += strspn(dir, ":")) {
        size_t size = strcspn(dir, ":");
        if (size == len && memcmp(dir, path, len) == 0)
            return true;
        dir += size;
    }
    return false;
}

/*
 * Copying our memory takes longer than all else that starts a program: so a prompt child does
 * without, and we wait until it executes the program. Several copies begin at the same time,
 * though, and where the processors are busy we would wait for each. A change of user is left to a
 * copy, since the C library keeps books of it in memory; so is a program that we mustn't wait for.
 */
static pid_t start_child(const struct command *command, char **argv,
                         const struct process_world *world)
{
    pid_t parent = getpid();
    bool shares = world->prompt && !world->user && is_near(command->text);
    pid_t pid = shares ? vfork() : fork();
    if (pid == 0)
        become(command, argv, world, parent);
    return pid;
}

pid_t process_start(const struct command *command, const struct process_world *world)
{
    char *argv[WORDS_MAX + 1];
    char *word = command->text;
    for (unsigned i = 0; i < command->words; i++) {
        argv[i] = word;
        word += strlen(word) + 1;
    }
    argv[command->words] = NULL;
    /* No handler of ours runs in a child that shares our memory. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = start_child(command, argv, world);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    /* In both processes, so that the group exists whichever runs first. */
    if (pid > 0)
        setpgid(pid, pid);
    errno = error;
    return pid;
}

static void forget(struct process *process)
{
    loop_unwatch(process->on_exit);
    process->on_exit = NULL;
    loop_timer_cancel(process->loop, &process->limit);
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
    process->pid = 0;
}

static void on_exit_ready(void *arg)
{
    struct process *process = arg;
    siginfo_t how = {0};
    id_t pid = (id_t)process->pid;
    if (waitid(P_PID, pid, &how, WEXITED | WNOHANG | WNOWAIT) < 0 || how.si_pid == 0)
        return;
    /* Children that it left behind; the group's number is still its own. */
    kill(-process->pid, SIGKILL);
    waitid(P_PID, pid, &how, WEXITED);
    forget(process);
    process->ended(process->arg, &how);
}

static void on_limit(void *arg)
{
    struct process *process = arg;
    process->late = true;
    process_kill(process);
}

int process_init(struct process *process, struct loop *loop,
                 void (*ended)(void *arg, const siginfo_t *how), void *arg)
{
    *process = (struct process){.loop = loop, .pidfd = -1, .ended = ended, .arg = arg};
    return loop_timer_register(loop, &process->limit, on_limit, process);
}

int process_watch(struct process *process, pid_t pid, int64_t limit)
{
    process->pid = pid;
    process->late = false;
    process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process->pidfd >= 0)
        process->on_exit =
            loop_watch(process->loop, process->pidfd, LOOP_READ, on_exit_ready, process);
    if (!process->on_exit) {
        int error = errno;
        process_end(process, 0);
        errno = error;
        return -1;
    }
    if (limit != INT64_MAX)
        loop_timer_set(process->loop, &process->limit, clock_now() + limit);
    return 0;
}

void process_kill(const struct process *process)
{
    if (process->pid <= 0)
        return;
    /* It may have moved itself to another group. */
    kill(-process->pid, SIGKILL);
    kill(process->pid, SIGKILL);
}

/* A process that even SIGKILL can't end now, since the kernel holds it. */
struct straggler {
    pid_t pid;
    int pidfd;
    struct watch *on_exit;
};

static void on_straggler_exit(void *arg)
{
    struct straggler *straggler = arg;
    waitpid(straggler->pid, NULL, WNOHANG);
    loop_unwatch(straggler->on_exit);
    close(straggler->pidfd);
    free(straggler);
}

/* Reaped when it ends at last. Without memory for that it stays a zombie. */
static void reap_later(struct process *process)
{
    struct straggler *straggler = calloc(1, sizeof(*straggler));
    if (!straggler)
        return;
    *straggler = (struct straggler){.pid = process->pid, .pidfd = process->pidfd};
    straggler->on_exit =
        loop_watch(process->loop, straggler->pidfd, LOOP_READ, on_straggler_exit, straggler);
    if (straggler->on_exit)
        process->pidfd = -1;
    else
        free(straggler);
}

bool process_end(struct process *process, int grace)
{
    struct pollfd exits = {.fd = process->pidfd, .events = POLLIN};
    if (process->pid <= 0)
        return true;
    if (grace == 0 || poll(&exits, 1, grace) != 1)
        process_kill(process);
    /* Without a pidfd it was started just now, and has nothing yet that could hold it. */
    bool gone = process->pidfd < 0 || poll(&exits, 1, DIE_MS) == 1;
    if (gone)
        waitpid(process->pid, NULL, 0);
    else
        reap_later(process);
    forget(process);
    return gone;
}

void process_free(struct process *process)
{
    process_end(process, 0);
    loop_timer_unregister(process->loop, &process->limit);
}

int process_wait(pid_t pid, int64_t deadline)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0;
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    int rc = -1;
    for (int64_t left = deadline - clock_now(); pidfd >= 0 && left > 0;
         left = deadline - clock_now()) {
        rc = poll(&poll_fd, 1, (int)(left / 1000000) + 1);
        if (rc > 0 || (rc < 0 && errno != EINTR))
            break;
    }
    if (rc <= 0)
        kill(-pid, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    if (waitpid(pid, &status, 0) != pid || rc <= 0 || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
