/*
 * Runs a unit test under the listener's own filter, when it is linked into it: before main, the
 * process forks; the child goes on with the test and has the filter from then on, the parent judges
 * each system call that the filter doesn't allow. What a test itself does (files of its own, pipes,
 * children, its report) is let through; anything else is a fault of the listener, which would have
 * killed it: it is named, and the test has failed.
 *
 * Messages and closing are a test's own by any descriptor: of the listener, only the keeper's
 * number is its business, and test_sandbox.c holds it to that.
 *
 * A call with a path is let through by its path only: a library that opens /etc/localtime or
 * /proc/meminfo is found, though the test opens files as well.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/message.h"
#include "listener/filter.h"
#include "listener/listener.h"

/* Where the files of tests are; and what a test that counts its descriptors looks at. */
static const char *const places[] = {"/tmp/", "tests/data/", "/proc/self/fd", "/dev/null"};

/* What tests do by themselves, without a path. None of it is what a C library does on its own in
 * the functions that the listener uses; getrandom is mkdtemp's. */
static const int harmless[] = {
    SCMP_SYS(write),          SCMP_SYS(writev),
    SCMP_SYS(pwrite64),       SCMP_SYS(ftruncate),
    SCMP_SYS(fstat),          SCMP_SYS(rt_sigaction),
    SCMP_SYS(pipe2),          SCMP_SYS(socketpair),
    SCMP_SYS(fcntl),          SCMP_SYS(dup),
    SCMP_SYS(dup2),           SCMP_SYS(dup3),
    SCMP_SYS(inotify_init1),  SCMP_SYS(memfd_create),
    SCMP_SYS(sendto),         SCMP_SYS(recvfrom),
    SCMP_SYS(poll),           SCMP_SYS(ppoll),
    SCMP_SYS(nanosleep),      SCMP_SYS(clock_nanosleep),
    SCMP_SYS(timerfd_create), SCMP_SYS(getdents64),
    SCMP_SYS(getrandom),      SCMP_SYS(ioctl),
    SCMP_SYS(geteuid),        SCMP_SYS(getuid),
    SCMP_SYS(sendmsg),        SCMP_SYS(close),
};

/* Calls with a path, and which argument it is. An empty path means a descriptor. */
static const struct {
    int call;
    int argument;
} with_path[] = {
    {SCMP_SYS(open), 0},      {SCMP_SYS(openat), 1},  {SCMP_SYS(mkdir), 0},
    {SCMP_SYS(mkdirat), 1},   {SCMP_SYS(unlink), 0},  {SCMP_SYS(unlinkat), 1},
    {SCMP_SYS(rmdir), 0},     {SCMP_SYS(rename), 0},  {SCMP_SYS(renameat), 1},
    {SCMP_SYS(stat), 0},      {SCMP_SYS(lstat), 0},   {SCMP_SYS(newfstatat), 1},
    {SCMP_SYS(truncate), 0},  {SCMP_SYS(symlink), 0}, {SCMP_SYS(inotify_add_watch), 1},
    {SCMP_SYS(renameat2), 1}, {SCMP_SYS(access), 0},
};

static bool is_harmless(int call)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (harmless[i] == call)
            return true;
    return false;
}

/* Reads the text at `address` of the process; what can't be read is no text. */
static void read_text(pid_t pid, uint64_t address, char *out, size_t size)
{
    struct iovec here = {out, size - 1}, there = {(void *)(uintptr_t)address, size - 1};
    ssize_t got;
    /* A text at the end of the memory is shorter than what is asked for. */
    do {
        got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        here.iov_len = there.iov_len /= 2;
    } while (got < 0 && errno == EFAULT && there.iov_len > 0);
    out[got > 0 ? got : 0] = '\0';
}

/* Whether the call has a path among the tests' own. Copies it to `path`, "" if it has none. */
static bool is_at_home(const struct seccomp_notif *asked, char *path, size_t size)
{
    *path = '\0';
    for (size_t i = 0; i < sizeof(with_path) / sizeof(*with_path); i++) {
        if (with_path[i].call != asked->data.nr)
            continue;
        read_text((pid_t)asked->pid, asked->data.args[with_path[i].argument], path, size);
        for (size_t j = 0; j < sizeof(places) / sizeof(*places); j++)
            if (strncmp(path, places[j], strlen(places[j])) == 0)
                return true;
        return *path == '\0';
    }
    return false;
}

static void accuse(const struct seccomp_notif *asked, const char *path)
{
    char *name = seccomp_syscall_resolve_num_arch(asked->data.arch, asked->data.nr);
    fprintf(stderr, "the listener's filter would have killed it: %s (system call %d) %s\n",
            name ? name : "?", asked->data.nr, path);
    free(name);
}

/* Answers one question. False: the test has failed. */
static bool judge(int questions, struct seccomp_notif *asked, struct seccomp_notif_resp *answer)
{
    char path[256];
    memset(asked, 0, sizeof(*asked));
    if (seccomp_notify_receive(questions, asked) != 0)
        return true; /* who asked is gone */
    bool good = is_harmless(asked->data.nr) || is_at_home(asked, path, sizeof(path));
    if (!good) {
        accuse(asked, path);
        kill((pid_t)asked->pid, SIGKILL);
        return false;
    }
    *answer =
        (struct seccomp_notif_resp){.id = asked->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    seccomp_notify_respond(questions, answer);
    return true;
}

/* Until the test has ended; exits as it did. */
static _Noreturn void watch_over(pid_t test, int questions)
{
    struct seccomp_notif *asked;
    struct seccomp_notif_resp *answer;
    struct pollfd ready = {.fd = questions, .events = POLLIN};
    int status = 0;
    bool good = seccomp_notify_alloc(&asked, &answer) == 0;
    while (good && waitpid(test, &status, WNOHANG) == 0)
        if (poll(&ready, 1, 50) > 0 && ready.revents & POLLIN)
            good = judge(questions, asked, answer);
    if (!good) {
        kill(test, SIGKILL);
        waitpid(test, &status, 0);
    }
    if (good && WIFSIGNALED(status))
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    _exit(good && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "can't put the test under the filter: %s: %s\n", what, strerror(errno));
    _exit(1);
}

/* The record's kind doesn't matter, it takes the descriptor along: from the one number that may
 * send without being asked. */
static void become_confined(int supervisor)
{
    if (dup2(supervisor, LISTENER_SOCKET) < 0)
        give_up("dup2");
    if (supervisor != LISTENER_SOCKET)
        close(supervisor);
    scmp_filter_ctx filter = filter_make(SCMP_ACT_NOTIFY);
    struct message message = {.type = MESSAGE_REPLY};
    if (!filter || seccomp_load(filter) < 0)
        give_up("seccomp");
    message_send(LISTENER_SOCKET, &message, seccomp_notify_fd(filter), true);
    close(LISTENER_SOCKET);
    seccomp_release(filter);
}

__attribute__((constructor)) static void confine(void)
{
    int ends[2], questions = -1;
    struct message message;
    if (!filter_is_strict()) {
        puts("1..0 # SKIP a build with sanitizers confines its listener less");
        exit(0);
    }
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1); /* as sandbox.c does */
#endif
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        give_up("socketpair");
    pid_t test = fork();
    if (test < 0)
        give_up("fork");
    if (test == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        become_confined(ends[1]);
        return;
    }
    close(ends[1]);
    struct pollfd told = {.fd = ends[0], .events = POLLIN};
    poll(&told, 1, 10000);
    if (message_receive(ends[0], &message, &questions) != MESSAGE_GOT || questions < 0)
        give_up("no filter came");
    close(ends[0]);
    watch_over(test, questions);
}
