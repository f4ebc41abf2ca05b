/*
 * The life of a listener: started (re-executed, so that it shares no memory with the keeper) ->
 * briefed -> replied: its logs are handed over -> lost (it died, or said what no listener says)
 * or ended. Nothing it does makes the keeper wait, but for its last second.
 */
#include "knockd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/sources.h"
#include "knockd/brief.h"
#include "knockd/outbox.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/filter.h"
#include "listener/listener.h"

/* How long a new listener may take to reply, and an old one to go. */
static const int64_t reply_time = 10 * CLOCK_SECOND;
static const int64_t leave_time = 2 * CLOCK_SECOND;
enum { LEAVE_MS = 1000, HEAR_AT_ONCE = 256 };

struct child {
    struct loop *loop;
    const struct config *config;
    uint32_t generation;
    struct child_calls calls;
    struct sources *sources;
    struct outbox outbox;
    pid_t pid;
    int pidfd;
    int socket;
    struct watch *on_exit;
    struct watch *on_record;
    struct timer patience; /* until it replies */
    bool replied;
    bool complained; /* that it can't be confined */
};

static void lose(struct child *child)
{
    /* Nothing more of it is heard. Its owner may end it at once: nobody touches it after this. */
    loop_unwatch(child->on_record);
    loop_unwatch(child->on_exit);
    child->on_record = child->on_exit = NULL;
    loop_timer_cancel(child->loop, &child->patience);
    child->calls.lost(child->calls.arg);
}

static void hand_over(void *arg, const struct record *record, int fd)
{
    struct child *child = arg;
    struct record marked = *record;
    marked.generation = child->generation;
    if (outbox_send(&child->outbox, &marked, fd) < 0)
        log_error("can't hand a log to the listener: out of memory or descriptors");
}

static void tell(void *arg, const struct record *record)
{
    hand_over(arg, record, -1);
}

static bool take_reply(struct child *child)
{
    if (child->replied)
        return false;
    child->replied = true;
    loop_timer_cancel(child->loop, &child->patience);
    sources_start(child->sources, (struct handover){hand_over, child});
    child->calls.ready(child->calls.arg);
    return true;
}

static bool take_record(struct child *child, const struct record *record)
{
    /* Before it has its configuration there is one thing that it may say, once. */
    if (!child->replied && !child->complained && record->type == RECORD_EVENT &&
        record->u.event.kind == EVENT_SANDBOX) {
        child->complained = true;
        return child->calls.record(child->calls.arg, record);
    }
    if (record->generation != child->generation ||
        (record->type == RECORD_EVENT && record->u.event.kind == EVENT_SANDBOX))
        return false;
    switch (record->type) {
    case RECORD_REPLY:
        return take_reply(child);
    case RECORD_REOPEN:
        sources_reopen(child->sources, record->u.reopen.watch);
        return true;
    case RECORD_EVENT:
        if (!child->replied || !child->calls.record(child->calls.arg, record))
            return false;
        if (record->u.event.kind == EVENT_CLOSED)
            sources_closed(child->sources, record->u.event.source);
        return true;
    case RECORD_OPEN:
    case RECORD_SEALED:
    case RECORD_SEEN:
    case RECORD_COUNTERS:
    case RECORD_TALLY:
    case RECORD_OTHER:
    case RECORD_PACKET:
    case RECORD_EFFECT:
    case RECORD_ANSWERED:
        return child->replied && child->calls.record(child->calls.arg, record);
    default:
        return false;
    }
}

enum heard { HEARD_ONE, HEARD_NOTHING, HEARD_NONSENSE };

static enum heard hear(struct child *child)
{
    struct record record = {0};
    int fd;
    enum record_result result = record_receive(child->socket, &record, &fd);
    /* A descriptor from below is nothing that anyone asked for. */
    if (fd >= 0) {
        close(fd);
        result = RECORD_BAD;
    }
    if (result == RECORD_GOT && take_record(child, &record))
        return HEARD_ONE;
    if (result == RECORD_GOT || result == RECORD_BAD) {
        log_error("listener %d said what no listener says (record type %u); ending it",
                  (int)child->pid, record.type);
        return HEARD_NONSENSE;
    }
    if (result == RECORD_END) {
        /* The reason is told by its exit, which must come soon. */
        loop_timer_set(child->loop, &child->patience, clock_now() + leave_time);
        loop_unwatch(child->on_record);
        child->on_record = NULL;
    }
    return HEARD_NOTHING;
}

/* As many as are there, so that what is opened in one moment is recorded in one transaction; but
 * not for ever. */
static void on_record_ready(void *arg)
{
    enum heard heard = HEARD_ONE;
    for (int i = 0; heard == HEARD_ONE && i < HEAR_AT_ONCE; i++)
        heard = hear(arg);
    if (heard == HEARD_NONSENSE)
        lose(arg);
}

static void on_exit_ready(void *arg)
{
    struct child *child = arg;
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return;
    /* Its last words may say why. */
    while (child->on_record && hear(child) == HEARD_ONE)
        ;
    if (info.si_code == CLD_EXITED)
        log_error("listener %d exited with status %d", (int)child->pid, info.si_status);
    else
        log_error("listener %d was killed by signal %d (%s)%s", (int)child->pid, info.si_status,
                  strsignal(info.si_status),
                  info.si_status == SIGSYS ? ": it tried what its sandbox forbids" : "");
    lose(child);
}

static void on_impatience(void *arg)
{
    struct child *child = arg;
    log_error("listener %d doesn't answer; ending it", (int)child->pid);
    lose(child);
}

/* Becomes the listener. Only what it needs is left open: its socket, and nothing to write to. */
static _Noreturn void become_listener(int socket, uid_t uid, gid_t gid)
{
    char uid_text[16], gid_text[16], program[] = "knockd: listener", option[] = "--listener";
    snprintf(uid_text, sizeof(uid_text), "%u", uid);
    snprintf(gid_text, sizeof(gid_text), "%u", gid);
    char *argv[] = {program, option, uid_text, gid_text, NULL}, *none[] = {NULL};
    sigset_t empty;
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* What a terminal sends to the keeper's group is the keeper's business. */
    setpgid(0, 0);
    /* A sanitizer must be able to say what it found. */
    bool quiet = strcmp(filter_profile(), "strict") == 0;
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; quiet && null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null >= 0 && dup2(socket, LISTENER_SOCKET) >= 0 && close_range(4, ~0U, 0) == 0)
        execve("/proc/self/exe", argv, quiet ? none : environ);
    _exit(127);
}

static int spawn(struct child *child, uid_t uid, gid_t gid)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    child->socket = ends[0];
    child->pid = fork();
    if (child->pid == 0) {
        /* dup2 onto itself would leave it close-on-exec. */
        if (ends[1] == LISTENER_SOCKET)
            fcntl(ends[1], F_SETFD, 0);
        become_listener(ends[1], uid, gid);
    }
    close(ends[1]);
    if (child->pid < 0)
        return -1;
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->pidfd < 0)
        return -1;
    child->on_exit = loop_watch(child->loop, child->pidfd, LOOP_READ, on_exit_ready, child);
    child->on_record = loop_watch(child->loop, child->socket, LOOP_READ, on_record_ready, child);
    return child->on_exit && child->on_record ? 0 : -1;
}

struct child *child_start(struct loop *loop, const struct config *config, const struct once *once,
                          uint32_t generation, uid_t uid, gid_t gid, struct child_calls calls,
                          struct report *report)
{
    struct sources *sources = sources_open(loop, config, report);
    if (!sources)
        return NULL;
    struct child *child = calloc(1, sizeof(*child));
    if (!child || loop_timer_register(loop, &child->patience, on_impatience, child) < 0) {
        report_error(report, (struct config_pos){config->path, 0}, "out of memory");
        sources_close(sources);
        free(child);
        return NULL;
    }
    child->loop = loop;
    child->config = config;
    child->generation = generation;
    child->calls = calls;
    child->sources = sources;
    child->socket = child->pidfd = -1;
    if (spawn(child, uid, gid) < 0) {
        report_error(report, (struct config_pos){config->path, 0}, "can't start a listener: %s",
                     strerror(errno));
        child_end(child);
        return NULL;
    }
    outbox_init(&child->outbox, loop, child->socket);
    brief_send(config, once, log_debugging(), tell, child);
    loop_timer_set(loop, &child->patience, clock_now() + reply_time);
    log_debug("listener %d started, generation %u", (int)child->pid, generation);
    return child;
}

void child_query(struct child *child, uint32_t query, const struct addr *address)
{
    struct record record = {.type = RECORD_QUERY, .u.query = {.query = query}};
    if (address)
        record.u.query.address = *address;
    tell(child, &record);
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

/* It holds nothing that could be lost, so it isn't waited for longer than a second. */
static void reap(struct child *child)
{
    struct pollfd exits = {.fd = child->pidfd, .events = POLLIN};
    if (child->pidfd < 0 || poll(&exits, 1, LEAVE_MS) != 1)
        kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
}

void child_end(struct child *child)
{
    if (!child)
        return;
    loop_unwatch(child->on_exit);
    loop_unwatch(child->on_record);
    outbox_free(&child->outbox);
    loop_timer_unregister(child->loop, &child->patience);
    if (child->socket >= 0)
        close(child->socket);
    if (child->pid > 0)
        reap(child);
    if (child->pidfd >= 0)
        close(child->pidfd);
    sources_close(child->sources);
    free(child);
}
