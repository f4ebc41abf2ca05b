/*
 * The life of a listener: started (re-executed, so that it shares no memory with the keeper) ->
 * briefed -> replied: its logs are handed over, and it answers what it is asked -> lost (it died,
 * hangs, doesn't read, or said what no listener says) or ended. Nothing it does makes the keeper
 * wait: it is heard last in each turn of the loop, for a bounded time.
 */
#include "knockd/listener_process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/log_sources.h"
#include "knockd/config_send.h"
#include "knockd/send_queue.h"
#include "lib/clock.h"
#include "lib/limit.h"
#include "lib/log.h"
#include "listener/filter.h"
#include "listener/listener.h"

/* How long a new listener may take to reply, and an old one to go. */
static const int64_t reply_time = 10 * CLOCK_SECOND;
static const int64_t leave_time = 2 * CLOCK_SECOND;

/*
 * How long it may take to answer a ping or a question. Then it gets one more chance, since both
 * processes may have been frozen together; and a few more while there is something of it to read,
 * where the answer may be.
 */
static const int64_t answer_time = 10 * CLOCK_SECOND;
static const int64_t chance_time = 2 * CLOCK_SECOND;
enum { CHANCES_UNREAD = 10 };

/* How much of it is heard in one turn of the loop, and of its last words. */
enum { TURN_RECORDS = 64 };
static const int64_t turn_time = CLOCK_SECOND / 200;
static const int64_t last_words_time = CLOCK_SECOND / 10;

/* How often a second it may have paths looked at at once; more wait, and share one look. */
enum { REOPEN_RATE = 20 };
static const int64_t reopen_pause = CLOCK_SECOND / 4;

/* How long the keeper waits for one that has been told to go, or was killed. */
enum { LEAVE_MS = 100, LEAVE_SANITIZED_MS = 1000, DIE_MS = 1000 };

struct listener_process {
    struct loop *loop;
    const struct config *config;
    uint32_t generation;
    struct listener_process_calls calls;
    struct log_sources *sources;
    struct send_queue send_queue;
    pid_t pid;
    int pidfd;
    int socket;
    struct watch *on_exit;
    struct watch *on_record;
    struct timer patience; /* until it replies, and until it answers */
    struct timer reopen;   /* paths are to be looked at */
    struct limit reopens;
    bool replied;
    bool complained;  /* that it can't be confined */
    bool leaving;     /* its end of the socket is closed */
    bool deaf;        /* it doesn't read what it is told */
    bool kill;        /* it isn't asked to go */
    bool pinged;      /* it owes the answer to this ping */
    uint32_t ping;    /* number of the last one */
    bool asked;       /* it owes the answer to this question */
    uint32_t query;   /* number of the last one */
    int64_t asked_at; /* when */
    unsigned chances; /* that it still has to answer */
};

static void lose(struct listener_process *child)
{
    /* Nothing more of it is heard. Its owner may end it at once: nobody touches it after this. */
    loop_unwatch(child->on_record);
    loop_unwatch(child->on_exit);
    child->on_record = child->on_exit = NULL;
    loop_timer_cancel(child->loop, &child->patience);
    loop_timer_cancel(child->loop, &child->reopen);
    child->calls.lost(child->calls.arg);
}

/* One that isn't to be trusted, or doesn't hear, gets no time to go. */
static void lose_at_once(struct listener_process *child)
{
    child->kill = true;
    lose(child);
}

static void hand_over(void *arg, const struct message *message, int fd)
{
    struct listener_process *child = arg;
    struct message marked = *message;
    marked.generation = child->generation;
    if (send_queue_send(&child->send_queue, &marked, fd) == 0)
        return;
    if (errno != ENOBUFS) {
        log_error("can't hand a log to the listener: out of memory or descriptors");
    } else if (!child->deaf) {
        log_error("listener %d doesn't read: %d messages wait for it; killing it", (int)child->pid,
                  OUTBOX_MAX);
        /* Not from here: who tells it something still uses it. */
        child->deaf = true;
        loop_timer_set(child->loop, &child->patience, clock_now());
    }
}

static void tell(void *arg, const struct message *message)
{
    hand_over(arg, message, -1);
}

static bool take_reply(struct listener_process *child)
{
    if (child->replied)
        return false;
    child->replied = true;
    loop_timer_cancel(child->loop, &child->patience);
    log_sources_start(child->sources, (struct handover){hand_over, child});
    child->calls.ready(child->calls.arg);
    return true;
}

/* --- what it owes --- */

static bool owes(const struct listener_process *child)
{
    return child->pinged || child->asked;
}

static void await_answer(struct listener_process *child)
{
    child->chances = 1 + CHANCES_UNREAD;
    if (!child->deaf && !child->leaving)
        loop_timer_set(child->loop, &child->patience, clock_now() + answer_time);
}

static void take_answer(struct listener_process *child)
{
    if (owes(child))
        await_answer(child);
    else if (!child->deaf && !child->leaving)
        loop_timer_cancel(child->loop, &child->patience);
}

static bool take_pong(struct listener_process *child, const struct message_ping *pong)
{
    if (!child->pinged || pong->number != child->ping)
        return false;
    child->pinged = false;
    take_answer(child);
    return true;
}

/* Part of an answer, which must be that to the question asked. */
static bool take_part(struct listener_process *child, const struct message *message)
{
    if (!child->asked || message_answers(message) != child->query)
        return false;
    if (message->type == MESSAGE_ANSWERED) {
        child->asked = false;
        take_answer(child);
    }
    return child->calls.message(child->calls.arg, message);
}

/* --- what it says --- */

static void on_reopen(void *arg)
{
    struct listener_process *child = arg;
    log_sources_reopen(child->sources, -1);
}

/* A look at paths costs system calls, so many looks are made one. */
static bool take_reopen(struct listener_process *child, int32_t watch)
{
    int64_t now = clock_now();
    if (watch < -1)
        return false;
    if (limit_take(&child->reopens, now))
        log_sources_reopen(child->sources, watch);
    else if (!timer_is_set(&child->reopen))
        loop_timer_set(child->loop, &child->reopen, now + reopen_pause);
    return true;
}

static bool take_record(struct listener_process *child, const struct message *message)
{
    /* Before it has its configuration there is one thing that it may say, once. */
    if (!child->replied && !child->complained && message->type == MESSAGE_EVENT &&
        message->u.event.kind == EVENT_SANDBOX) {
        child->complained = true;
        return child->calls.message(child->calls.arg, message);
    }
    if (message->generation != child->generation ||
        (message->type == MESSAGE_EVENT && message->u.event.kind == EVENT_SANDBOX))
        return false;
    if (message->type == MESSAGE_REPLY)
        return take_reply(child);
    if (!child->replied)
        return false;
    if (message_is_answer(message->type))
        return take_part(child, message);
    switch (message->type) {
    case MESSAGE_PONG:
        return take_pong(child, &message->u.ping);
    case MESSAGE_REOPEN:
        return take_reopen(child, message->u.reopen.watch);
    case MESSAGE_EVENT:
        if (!child->calls.message(child->calls.arg, message))
            return false;
        if (message->u.event.kind == EVENT_CLOSED)
            log_sources_closed(child->sources, message->u.event.source);
        return true;
    case MESSAGE_OPEN:
    case MESSAGE_SEALED:
    case MESSAGE_SEEN:
        return child->calls.message(child->calls.arg, message);
    default:
        return false;
    }
}

enum heard { HEARD_ONE, HEARD_NOTHING, HEARD_NONSENSE };

static enum heard hear(struct listener_process *child)
{
    struct message message = {0};
    int fd;
    enum message_result result = message_receive(child->socket, &message, &fd);
    /* A descriptor from below is nothing that anyone asked for. */
    if (fd >= 0) {
        close(fd);
        result = MESSAGE_BAD;
    }
    if (result == MESSAGE_GOT && take_record(child, &message))
        return HEARD_ONE;
    if (result == MESSAGE_GOT || result == MESSAGE_BAD) {
        log_error("listener %d said what no listener says (record type %u); killing it",
                  (int)child->pid, message.type);
        return HEARD_NONSENSE;
    }
    if (result == MESSAGE_END) {
        /* The reason is told by its exit, which must come soon. */
        child->leaving = true;
        loop_timer_set(child->loop, &child->patience, clock_now() + leave_time);
        loop_unwatch(child->on_record);
        child->on_record = NULL;
    }
    return HEARD_NOTHING;
}

/*
 * Hears what is there, so that what is opened in one moment is recorded in one transaction: at most
 * `most` records, and none after `time` ns. Returns what came of the last one.
 */
static enum heard hear_some(struct listener_process *child, int most, int64_t time)
{
    int64_t until = clock_now() + time;
    enum heard heard = hear(child);
    for (int i = 1; heard == HEARD_ONE && i < most && clock_now() < until; i++)
        heard = hear(child);
    return heard;
}

static void on_record_ready(void *arg)
{
    if (hear_some(arg, TURN_RECORDS, turn_time) == HEARD_NONSENSE)
        lose_at_once(arg);
}

static void on_exit_ready(void *arg)
{
    struct listener_process *child = arg;
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return;
    /* Its last words may say why. */
    if (child->on_record)
        hear_some(child, INT_MAX, last_words_time);
    if (info.si_code == CLD_EXITED)
        log_error("listener %d exited with status %d", (int)child->pid, info.si_status);
    else
        log_error("listener %d was killed by signal %d (%s)%s", (int)child->pid, info.si_status,
                  strsignal(info.si_status),
                  info.si_status == SIGSYS ? ": it tried what its sandbox forbids" : "");
    lose(child);
}

/*
 * It has owed an answer for too long. Whether it gets another chance: the answer may be there, when
 * the keeper, too, was kept from its work.
 */
static bool gets_chance(struct listener_process *child, enum heard heard)
{
    bool first = child->chances == 1 + CHANCES_UNREAD;
    if (child->chances == 0 || (!first && heard != HEARD_ONE))
        return false;
    child->chances--;
    loop_timer_set(child->loop, &child->patience, clock_now() + chance_time);
    return true;
}

/* Whether it is lost. */
static bool is_overdue(struct listener_process *child)
{
    enum heard heard = hear_some(child, TURN_RECORDS, turn_time);
    if (heard == HEARD_NONSENSE)
        return true;
    if (!owes(child) || child->leaving || gets_chance(child, heard))
        return false;
    log_error("listener %d hangs: it hasn't answered for more than %lld s; killing it",
              (int)child->pid, (long long)(answer_time / CLOCK_SECOND));
    return true;
}

static void on_impatience(void *arg)
{
    struct listener_process *child = arg;
    bool at_work = child->replied && !child->deaf && !child->leaving;
    if (at_work && !is_overdue(child))
        return;
    if (!at_work && !child->deaf)
        log_error("listener %d doesn't answer; killing it", (int)child->pid);
    lose_at_once(child);
}

/* Becomes the listener. Only what it needs is left open: its socket, and nothing to write to. */
static _Noreturn void become_listener(int socket, uid_t uid, gid_t gid, uint64_t memory)
{
    char uid_text[16], gid_text[16], memory_text[24], program[] = "knockd: listener",
                                                      option[] = "--listener";
    snprintf(uid_text, sizeof(uid_text), "%u", uid);
    snprintf(gid_text, sizeof(gid_text), "%u", gid);
    snprintf(memory_text, sizeof(memory_text), "%llu", (unsigned long long)memory);
    char *argv[] = {program, option, uid_text, gid_text, memory_text, NULL}, *none[] = {NULL};
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

static int spawn(struct listener_process *child, uid_t uid, gid_t gid, uint64_t memory)
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
        become_listener(ends[1], uid, gid, memory);
    }
    close(ends[1]);
    if (child->pid < 0)
        return -1;
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->pidfd < 0)
        return -1;
    child->on_exit = loop_watch(child->loop, child->pidfd, LOOP_READ, on_exit_ready, child);
    child->on_record =
        loop_watch(child->loop, child->socket, LOOP_READ | LOOP_LATE, on_record_ready, child);
    return child->on_exit && child->on_record ? 0 : -1;
}

static int register_timers(struct loop *loop, struct listener_process *child)
{
    if (loop_timer_register(loop, &child->patience, on_impatience, child) < 0)
        return -1;
    if (loop_timer_register(loop, &child->reopen, on_reopen, child) == 0)
        return 0;
    loop_timer_unregister(loop, &child->patience);
    return -1;
}

struct listener_process *listener_process_start(struct loop *loop, const struct config *config,
                                                const struct one_time *once, uint32_t generation,
                                                uid_t uid, gid_t gid,
                                                struct listener_process_calls calls,
                                                struct report *report)
{
    struct log_sources *sources = log_sources_open(loop, config, report);
    if (!sources)
        return NULL;
    struct listener_process *child = calloc(1, sizeof(*child));
    if (!child || register_timers(loop, child) < 0) {
        report_error(report, (struct config_pos){config->path, 0}, "out of memory");
        log_sources_close(sources);
        free(child);
        return NULL;
    }
    child->loop = loop;
    child->config = config;
    child->generation = generation;
    child->calls = calls;
    child->sources = sources;
    child->socket = child->pidfd = -1;
    child->reopens = limit_make(REOPEN_RATE, REOPEN_RATE, clock_now());
    if (spawn(child, uid, gid, config_send_memory(config, once)) < 0) {
        report_error(report, (struct config_pos){config->path, 0}, "can't start a listener: %s",
                     strerror(errno));
        listener_process_end(child);
        return NULL;
    }
    send_queue_init(&child->send_queue, loop, child->socket);
    config_send_send(config, once, log_debugging(), tell, child);
    send_queue_bound(&child->send_queue);
    loop_timer_set(loop, &child->patience, clock_now() + reply_time);
    log_debug("listener %d started, generation %u", (int)child->pid, generation);
    return child;
}

void listener_process_query(struct listener_process *child, uint32_t query,
                            const struct addr *address)
{
    struct message message = {.type = MESSAGE_QUERY, .u.query = {.query = query}};
    assert(!child->asked);
    if (address)
        message.u.query.address = *address;
    if (!owes(child))
        await_answer(child);
    child->asked = true;
    child->query = query;
    child->asked_at = clock_now();
    tell(child, &message);
}

bool listener_process_may_ask(const struct listener_process *child)
{
    return child->replied && !child->asked;
}

bool listener_process_owes_since(const struct listener_process *child, int64_t then)
{
    return child->asked && child->asked_at <= then;
}

void listener_process_ping(struct listener_process *child)
{
    struct message message = {.type = MESSAGE_PING, .u.ping.number = child->ping + 1};
    if (!child->replied || child->pinged)
        return;
    if (!owes(child))
        await_answer(child);
    child->ping++;
    child->pinged = true;
    tell(child, &message);
}

bool listener_process_answers(const struct listener_process *child)
{
    return !child->pinged && !child->deaf && !child->leaving;
}

pid_t listener_process_pid(const struct listener_process *child)
{
    return child->pid;
}

/* --- its end --- */

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
static void reap_later(struct listener_process *child)
{
    struct straggler *straggler = calloc(1, sizeof(*straggler));
    log_error("listener %d was killed and doesn't end: the kernel holds it, for example in a read "
              "that never returns",
              (int)child->pid);
    if (!straggler)
        return;
    *straggler = (struct straggler){.pid = child->pid, .pidfd = child->pidfd};
    child->pidfd = -1;
    straggler->on_exit =
        loop_watch(child->loop, straggler->pidfd, LOOP_READ, on_straggler_exit, straggler);
    if (straggler->on_exit)
        return;
    close(straggler->pidfd);
    free(straggler);
}

/* It holds nothing that could be lost. One that a sanitizer watches gets time to be judged. */
static void reap(struct listener_process *child)
{
    struct pollfd exits = {.fd = child->pidfd, .events = POLLIN};
    bool strict = strcmp(filter_profile(), "strict") == 0;
    if (child->kill || child->pidfd < 0 ||
        poll(&exits, 1, strict ? LEAVE_MS : LEAVE_SANITIZED_MS) != 1)
        kill(child->pid, SIGKILL);
    if (child->pidfd >= 0 && poll(&exits, 1, DIE_MS) != 1)
        reap_later(child);
    else
        waitpid(child->pid, NULL, 0);
}

void listener_process_end(struct listener_process *child)
{
    if (!child)
        return;
    loop_unwatch(child->on_exit);
    loop_unwatch(child->on_record);
    send_queue_free(&child->send_queue);
    loop_timer_unregister(child->loop, &child->patience);
    loop_timer_unregister(child->loop, &child->reopen);
    if (child->socket >= 0)
        close(child->socket);
    if (child->pid > 0)
        reap(child);
    if (child->pidfd >= 0)
        close(child->pidfd);
    log_sources_close(child->sources);
    free(child);
}
