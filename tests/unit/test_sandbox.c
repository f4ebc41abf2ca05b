/*
 * What a listener can't do any more once it is in its sandbox, and what it still can. Each attempt
 * is a child's: the strict filter kills it, the sanitizers' filter refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <assert.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/message.h"
#include "listener/filter.h"
#include "listener/listener.h"
#include "listener/sandbox.h"

/* Exit statuses of a child. */
enum { SUCCEEDED = 0, NO_SANDBOX = 99, REFUSED = 100 };

/* What they may take, in bytes. */
#define MEMORY (UINT64_C(1) << 30)

static uid_t nobody_uid;
static gid_t nobody_gid;

/* Made before the sandbox, as a listener has or is sent them. */
static struct {
    int file, socket, peer, epoll, timer, inotify, folder;
} fds;

static int set_up(void **state)
{
    (void)state;
    struct passwd *nobody = getpwnam("nobody");
    if (geteuid() != 0 || !nobody)
        return 0;
    nobody_uid = nobody->pw_uid;
    nobody_gid = nobody->pw_gid;
    /* As the keeper makes it. */
    mkdir("/run/knockd", 0755);
    mkdir(SANDBOX_ROOT, 0555);
    int ends[2], number = -1;
    /* No descriptor of the tests' has the keeper's number. */
    while (number < LISTENER_SOCKET)
        if ((number = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
            return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    fds.socket = ends[0];
    fds.peer = ends[1];
    fds.file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    fds.folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fds.epoll = epoll_create1(EPOLL_CLOEXEC);
    fds.timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    fds.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return fds.file < 0 || fds.folder < 0 || fds.epoll < 0 || fds.timer < 0 || fds.inotify < 0;
}

static bool strict(void)
{
    return filter_is_strict();
}

static void need_root(void)
{
    if (nobody_uid != 0)
        return;
    print_message("needs root and the user nobody\n");
    skip();
}

/* Runs `attempt` in a sandbox of its own and returns the child's wait status. */
static int attempt_in_child(bool (*attempt)(const void *arg), const void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* As the keeper leaves it: what a fault says isn't heard. */
        dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDERR_FILENO);
        dup2(fds.socket, LISTENER_SOCKET);
        signal(SIGSEGV, SIG_DFL); /* cmocka's would report it */
        if (sandbox_enter(nobody_uid, nobody_gid, MEMORY) != SANDBOX_DONE)
            _exit(NO_SANDBOX);
        _exit(attempt(arg) ? SUCCEEDED : errno == EPERM ? REFUSED : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

struct forbidden {
    const char *name;
    long number;
    long args[6];
    bool sanitizer; /* the sanitizers' filter refuses it too */
};

static bool call(const void *arg)
{
    const struct forbidden *f = arg;
    return syscall(f->number, f->args[0], f->args[1], f->args[2], f->args[3], f->args[4],
                   f->args[5]) >= 0;
}

#define TEXT(text) ((long)(uintptr_t)(text))

static void forbidden_calls(void **state)
{
    (void)state;
    need_root();
    static char *const none[] = {NULL};
    long no_args = TEXT(none);
    const struct forbidden table[] = {
#ifdef SYS_open
        {"open", SYS_open, {TEXT("/"), O_RDONLY}, true},
        {"creat", SYS_creat, {TEXT("/file"), 0600}, true},
#endif
        {"openat", SYS_openat, {AT_FDCWD, TEXT("/"), O_RDONLY}, true},
        {"openat of a folder's", SYS_openat, {fds.folder, TEXT("etc/passwd"), O_RDONLY}, true},
        {"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, true},
        {"socket AF_UNIX", SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}, true},
        {"execve", SYS_execve, {TEXT("/proc/self/exe"), no_args, no_args}, true},
        {"execveat", SYS_execveat, {fds.file, TEXT(""), no_args, no_args, AT_EMPTY_PATH}, true},
        {"inotify_add_watch", SYS_inotify_add_watch, {fds.inotify, TEXT("/"), IN_CREATE}, true},
        {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}, false},
        {"connect", SYS_connect, {fds.socket, 0, 0}, false},
        {"bind", SYS_bind, {fds.socket, 0, 0}, false},
        {"accept", SYS_accept4, {fds.socket, 0, 0, 0}, false},
        {"clone", SYS_clone, {SIGCHLD}, false},
#ifdef SYS_fork
        {"fork", SYS_fork, {0}, false},
        {"vfork", SYS_vfork, {0}, false},
#endif
        {"clone3", SYS_clone3, {0}, false},
        {"unshare", SYS_unshare, {0x10000000}, false}, /* CLONE_NEWUSER */
        {"ptrace", SYS_ptrace, {PTRACE_TRACEME}, false},
        {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0, 0}, false},
        {"kill", SYS_kill, {1, 0}, false},
        {"tgkill", SYS_tgkill, {1, 1, 0}, false},
        {"tgkill of another", SYS_tgkill, {getppid(), getppid(), SIGABRT}, false},
        {"tgkill with another signal", SYS_tgkill, {0, 0, SIGSTOP}, false},
        {"tkill", SYS_tkill, {1, SIGABRT}, false},
        {"rt_sigaction", SYS_rt_sigaction, {SIGSYS, 0, 0, 8}, false},
        {"pidfd_open", SYS_pidfd_open, {1, 0}, false},
        {"setuid", SYS_setuid, {0}, false},
        {"setresuid", SYS_setresuid, {0, 0, 0}, false},
        {"setgroups", SYS_setgroups, {0, 0}, false},
        {"capset", SYS_capset, {0, 0}, false},
        {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}, false},
        {"chroot", SYS_chroot, {TEXT("/")}, false},
        {"chdir", SYS_chdir, {TEXT("..")}, false},
        {"fchdir", SYS_fchdir, {fds.folder}, false},
        {"mount", SYS_mount, {TEXT("none"), TEXT("/"), TEXT("tmpfs"), 0, 0}, false},
        {"symlinkat", SYS_symlinkat, {TEXT("/"), AT_FDCWD, TEXT("/link")}, false},
        {"unlinkat", SYS_unlinkat, {AT_FDCWD, TEXT("/file"), 0}, false},
        {"mkdirat", SYS_mkdirat, {AT_FDCWD, TEXT("/folder"), 0700}, false},
        {"newfstatat", SYS_newfstatat, {AT_FDCWD, TEXT("/"), 0, 0}, false},
        {"getdents64", SYS_getdents64, {fds.folder, 0, 0}, false},
        {"memfd_create", SYS_memfd_create, {TEXT("memory"), 0}, false},
        {"bpf", SYS_bpf, {0, 0, 0}, false},
        {"io_uring_setup", SYS_io_uring_setup, {1, 0}, false},
        {"write", SYS_write, {fds.socket, TEXT("x"), 1}, false},
        {"sendmsg to another than the keeper", SYS_sendmsg, {fds.peer, 0, 0}, false},
        {"sendto", SYS_sendto, {fds.socket, TEXT("x"), 1, 0, 0, 0}, false},
        {"close of the keeper", SYS_close, {LISTENER_SOCKET}, false},
        {"the same, with more bits",
         SYS_close,
         {LISTENER_SOCKET | (long)(UINT64_C(1) << 40)},
         false},
        {"close of standard error", SYS_close, {STDERR_FILENO}, false},
        {"dup2", SYS_dup3, {fds.peer, LISTENER_SOCKET, 0}, false},
        {"ioctl", SYS_ioctl, {0, 0x5412, TEXT("x")}, false}, /* TIOCSTI */
        {"mmap executable",
         SYS_mmap,
         {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
         false},
        {"mprotect executable",
         SYS_mprotect,
         {TEXT(&fds) & ~4095L, 4096, PROT_READ | PROT_EXEC},
         false},
    };
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        const struct forbidden *f = &table[i];
        if (!strict() && !f->sanitizer)
            continue;
        int status = attempt_in_child(call, f);
        bool right = strict() ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
                              : WIFEXITED(status) && WEXITSTATUS(status) == REFUSED;
        if (!right)
            print_error("%s: wait status 0x%x\n", f->name, status);
        wrong += !right;
    }
    assert_int_equal(wrong, 0);
}

static bool reads(const void *arg)
{
    (void)arg;
    char magic[4];
    return read(fds.file, magic, 4) == 4 && memcmp(magic, "\177ELF", 4) == 0 &&
           pread(fds.file, magic, 3, 1) == 3 && memcmp(magic, "ELF", 3) == 0 &&
           lseek(fds.file, 0, SEEK_END) > 0;
}

static bool waits(const void *arg)
{
    (void)arg;
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    uint64_t expirations;
    return epoll_ctl(fds.epoll, EPOLL_CTL_ADD, fds.timer, &event) == 0 &&
           timerfd_settime(fds.timer, 0, &soon, NULL) == 0 &&
           epoll_wait(fds.epoll, &event, 1, 5000) == 1 &&
           read(fds.timer, &expirations, sizeof(expirations)) == sizeof(expirations) &&
           epoll_ctl(fds.epoll, EPOLL_CTL_DEL, fds.timer, NULL) == 0;
}

/* More than one arena's worth, small and large, grown, shrunk and given back. */
static bool allocates(const void *arg)
{
    (void)arg;
    enum { SMALL = 100000, LARGE = 128 << 20 };
    static void *small[SMALL];
    for (int i = 0; i < SMALL; i++)
        if (!(small[i] = malloc(64 + (size_t)i % 4096)))
            return false;
    char *large = calloc(1, LARGE);
    char *larger = large ? realloc(large, 2 * (size_t)LARGE) : NULL;
    if (!larger)
        return false;
    memset(larger, 1, 2 * (size_t)LARGE);
    free(larger);
    for (int i = 0; i < SMALL; i++)
        free(small[i]);
    return true;
}

/* A record up, and one with a descriptor down. */
static bool talks(const void *arg)
{
    (void)arg;
    struct message message = {.type = MESSAGE_REPLY}, back;
    int fd = -1;
    return message_send(LISTENER_SOCKET, &message, -1, true) == MESSAGE_GOT &&
           message_receive(LISTENER_SOCKET, &back, &fd) == MESSAGE_GOT && back.type == MESSAGE_FD &&
           fd >= 0 && close(fd) == 0;
}

static void allowed_calls(void **state)
{
    (void)state;
    need_root();
    static const struct {
        const char *name;
        bool (*attempt)(const void *arg);
    } table[] = {{"read", reads}, {"wait", waits}, {"malloc", allocates}, {"talk", talks}};
    struct message message = {.type = MESSAGE_FD, .u.fd = {.kind = FD_LOG}};
    assert_int_equal(message_send(fds.peer, &message, fds.file, false), MESSAGE_GOT);
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        int status = attempt_in_child(table[i].attempt, NULL);
        if (status != 0)
            print_error("%s: wait status 0x%x\n", table[i].name, status);
        wrong += status != 0;
    }
    assert_int_equal(wrong, 0);
}

static void never_root(void **state)
{
    (void)state;
    need_root();
    static const struct {
        uid_t uid;
        gid_t gid;
    } table[] = {{0, 65534}, {65534, 0}, {0, 0}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
            _exit(sandbox_enter(table[i].uid, table[i].gid, MEMORY) == SANDBOX_USER &&
                          errno == EINVAL
                      ? SUCCEEDED
                      : 1);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

/* Without privilege it fails, and says at which step; it never goes on half confined. */
static bool enter_again(const void *arg)
{
    (void)arg;
    return true;
}

static void fails_without_privilege(void **state)
{
    (void)state;
    need_root();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(nobody_gid) < 0 || setuid(nobody_uid) < 0)
            _exit(NO_SANDBOX);
        _exit(sandbox_enter(nobody_uid, nobody_gid, MEMORY) == SANDBOX_CHROOT ? SUCCEEDED : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* With it, the same goes well. */
    assert_int_equal(attempt_in_child(enter_again, NULL), 0);
}

static void a_keeper_outlives_its_listener(void **state)
{
    (void)state;
    static const struct {
        int keeper, listener;
    } table[] = {{-1000, 0}, {-500, 0}, {-50, 50}, {0, 100}, {200, 300}, {950, 1000}, {1000, 1000}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_int_equal(sandbox_oom_score(table[i].keeper), table[i].listener);
}

static bool is_locked_down(const void *arg)
{
    (void)arg;
    int bits = prctl(PR_GET_SECUREBITS);
    return (bits & SECBIT_NOROOT) && (bits & SECBIT_NOROOT_LOCKED) &&
           (bits & SECBIT_NO_CAP_AMBIENT_RAISE) && (bits & SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) &&
           prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) == 0 &&
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* The filter would forbid to look. */
static void nothing_can_come_back(void **state)
{
    (void)state;
    need_root();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(sandbox_drop(nobody_uid, nobody_gid, MEMORY) == SANDBOX_DONE && is_locked_down(NULL)
                  ? SUCCEEDED
                  : 1);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Faults of our own end by SIGABRT, and not as if they were attempts to break out. */
static bool asserts(const void *arg)
{
    assert(!arg);
    return true;
}

static bool frees_twice(const void *arg)
{
    void *volatile memory = malloc(2000);
    (void)arg;
    free(memory);
    free(memory);
    return true;
}

static bool aborts(const void *arg)
{
    (void)arg;
    abort();
}

static void faults_abort(void **state)
{
    (void)state;
    need_root();
    static const struct {
        const char *name;
        bool (*attempt)(const void *arg);
    } table[] = {{"assert", asserts}, {"free", frees_twice}, {"abort", aborts}};
    for (size_t i = 0; strict() && i < sizeof(table) / sizeof(*table); i++) {
        int status = attempt_in_child(table[i].attempt, "");
        /* musl's malloc ends by SIGSEGV. */
        if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGABRT && WTERMSIG(status) != SIGSEGV))
            fail_msg("%s: wait status 0x%x", table[i].name, status);
    }
}

/* At the limit malloc fails, and asks the kernel for nothing new. */
static bool runs_out(const void *arg)
{
    (void)arg;
    size_t got = 0;
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        for (void *memory; (memory = malloc(size)); got += size)
            *(volatile char *)memory = 1;
    void *large = calloc(1, (size_t)MEMORY);
    return !large && got > MEMORY / 2 && got < MEMORY;
}

static void memory_is_limited(void **state)
{
    (void)state;
    need_root();
    if (strict())
        assert_int_equal(attempt_in_child(runs_out, NULL), 0);
}

static void steps_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= SANDBOX_STEPS; i++) {
        assert_non_null(sandbox_step_name(i));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(sandbox_step_name(i), sandbox_step_name(j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_calls),
        cmocka_unit_test(allowed_calls),
        cmocka_unit_test(never_root),
        cmocka_unit_test(fails_without_privilege),
        cmocka_unit_test(steps_have_names),
        cmocka_unit_test(a_keeper_outlives_its_listener),
        cmocka_unit_test(nothing_can_come_back),
        cmocka_unit_test(faults_abort),
        cmocka_unit_test(memory_is_limited),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
