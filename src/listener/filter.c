/*
 * The system call filter of the listener, and what it rests on.
 *
 * The listener's own code calls few functions of libraries once it is confined. A list of them is
 * tests/data/listener-calls.txt; a test fails when one comes that isn't there, and another runs the
 * listener's unit tests under this filter. What each of them asks of the kernel, in the C libraries
 * of Debian 11 to 13 (glibc 2.31 to 2.41) and in musl 1.2:
 *
 *   malloc, calloc, realloc, strdup, free
 *       brk and mmap for more, mremap for a large block that grows, munmap and madvise for what is
 *       given back; musl's allocator also mprotect, to open pages that it reserved. glibc asks for
 *       the number of processors (sched_getaffinity; in old versions a file under /sys) before it
 *       makes a second arena, which it does when the first can't grow: sandbox.c forbids a second
 *       one. What it wants of getrandom it has asked for before the filter is loaded.
 *   clock_gettime
 *       none, where the kernel's vDSO knows the machine's clock; else clock_gettime itself, and in
 *       musl gettimeofday when that fails. libev may use gettimeofday or time.
 *   libev
 *       epoll_*, read, close, clock_gettime; timerfd_settime is our own. A log that is closed here
 *       but open elsewhere stays in the old epoll set, from which libev gets rid of it by a new one
 *       (epoll_create1). Without memory it ends the process by abort().
 *   recvmsg, sendmsg, read, pread, lseek, close
 *       themselves; 32-bit machines have their own names for some. sendmsg goes to the keeper
 * alone: by a capture's socket it would send packets of any kind, by NFLOG's it would talk to the
 *       kernel. So no other descriptor may come to have the keeper's number or that of standard
 *       error, and neither can be closed.
 *   getsockopt
 *       itself: what a capture's socket has dropped, and nothing else.
 *   assert, and what compilers and C libraries put in for broken memory (stack protector, fortified
 *   functions, malloc's own checks)
 *       a line to standard error (/dev/null, for a listener), then abort(): signal masks and
 * tgkill, or in musl tkill. They are allowed for SIGABRT to ourselves alone, so that such a fault
 * is reported as what it is and not as an attempt to break out. memchr, memcmp, strlen, inet_pton
 * and their like, bsearch, SipHash of libsodium, libmnl's reading of netlink messages none.
 *
 * What isn't used, since it would need more: qsort (glibc asks for the size of the machine's
 * memory, by sysinfo or /proc/meminfo, from 1 KiB on), local time (reads files), stdio, random
 * numbers.
 */
#include "listener/filter.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "listener/listener.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* No path, and no new descriptor but by SCM_RIGHTS and epoll's own. Names that this machine doesn't
 * have are left out by libseccomp. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(_llseek),
    SCMP_SYS(recvmsg),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_settime64),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* abort() */
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
};

/* What a sanitizer build is refused, so that its tests can still see a difference. */
static const int refused[] = {
    SCMP_SYS(open),   SCMP_SYS(openat), SCMP_SYS(openat2),  SCMP_SYS(creat),
    SCMP_SYS(socket), SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(inotify_add_watch),
};

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = seccomp_rule_add(filter, action, calls[i], 0);
    return rc;
}

/* Memory, but none that could be executed. */
static int allow_memory(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(*calls); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return rc;
}

/* That argument number `arg` is `value`. */
static struct scmp_arg_cmp equals(unsigned arg, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value};
}

/* Messages to the keeper, and to nobody else. */
static int allow_keeper(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1,
                            equals(0, LISTENER_SOCKET));
}

/* What a capture has lost. */
static int allow_statistics(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2, equals(1, SOL_PACKET),
                            equals(2, PACKET_STATISTICS));
}

/*
 * Closing descriptors above the keeper's, which is number 3: some bit from the third on is set. The
 * kernel looks at 32 bits of the number, so a comparison of all 64 could be deceived.
 */
static int allow_close(scmp_filter_ctx filter)
{
    int rc = 0;
    for (unsigned bit = 2; rc == 0 && bit < 31; bit++) {
        const struct scmp_arg_cmp is_set = {.arg = 0,
                                            .op = SCMP_CMP_MASKED_EQ,
                                            .datum_a = UINT64_C(1) << bit,
                                            .datum_b = UINT64_C(1) << bit};
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(close), 1, is_set);
    }
    return rc;
}

/* The end by our own fault: a message to standard error, and SIGABRT. */
static int allow_abort(scmp_filter_ctx filter)
{
    static const int writes[] = {SCMP_SYS(write), SCMP_SYS(writev)};
    const scmp_datum_t process = (scmp_datum_t)getpid(), thread = (scmp_datum_t)syscall(SYS_gettid);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(writes) / sizeof(*writes); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, writes[i], 1, equals(0, STDERR_FILENO));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 3, equals(0, process),
                              equals(1, thread), equals(2, SIGABRT));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tkill), 2, equals(0, thread),
                              equals(1, SIGABRT));
    /* So that it kills. */
    return rc != 0 ? rc
                   : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction), 1,
                                      equals(0, SIGABRT));
}

static int fill_strict(scmp_filter_ctx filter)
{
    int rc = add_all(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));
    if (rc == 0)
        rc = allow_memory(filter);
    if (rc == 0)
        rc = allow_keeper(filter);
    if (rc == 0)
        rc = allow_statistics(filter);
    if (rc == 0)
        rc = allow_close(filter);
    return rc == 0 ? allow_abort(filter) : rc;
}

static int fill_sanitizer(scmp_filter_ctx filter)
{
    return add_all(filter, SCMP_ACT_ERRNO(EPERM), refused, sizeof(refused) / sizeof(*refused));
}

void *filter_make(uint32_t otherwise)
{
    scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_ALLOW : otherwise);
    int rc = !filter ? -ENOMEM : SANITIZED ? fill_sanitizer(filter) : fill_strict(filter);
    if (rc == 0)
        return filter;
    if (filter)
        seccomp_release(filter);
    errno = -rc;
    return NULL;
}

int filter_load(void)
{
    scmp_filter_ctx filter = filter_make(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -1;
    int rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc < 0)
        errno = -rc;
    return rc < 0 ? -1 : 0;
}

const char *filter_profile(void)
{
    return filter_is_strict() ? "strict" : "sanitizer";
}

bool filter_is_strict(void)
{
    return !SANITIZED;
}
