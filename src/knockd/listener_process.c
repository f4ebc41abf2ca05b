/*
 * The life of a listener process: started (re-executed, so that it shares no memory with the
 * keeper) and sent its configuration -> replied: its logs are handed over, and it answers questions
 * and pings -> lost (it died, hangs, doesn't read, or sent what no listener sends) or ended.
 * Nothing it does makes the keeper wait: it is received from last in each turn of the loop, for a
 * bounded time.
 */
#include "knockd/listener_process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keeper/process.h"
#include "knockd/config_send.h"
#include "knockd/local_zone.h"
#include "knockd/send_queue.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/filter.h"
#include "listener/listener.h"

/* How long a new listener may take to reply, and an old one to exit. */
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

/* How much of it is received in one turn of the loop, and of its last words. */
enum { TURN_MESSAGES = 64 };
static const int64_t turn_time = CLOCK_SECOND / 200;
static const int64_t last_words_time = CLOCK_SECOND / 10;

/* How long the keeper waits for one whose socket was closed. */
enum { LEAVE_MS = 100, LEAVE_SANITIZED_MS = 5000 };

/* How far apart a listener is told the time zone, at the least. */
static const int64_t zone_apart = 10 * CLOCK_SECOND;

struct listener_process {
    struct loop *loop;
    struct listener_process_calls calls;
    struct inbound inbound; /* what it says, and which answers it owes */
    struct send_queue send_queue;
    struct process process;
    pid_t pid; /* for messages: also when it has ended */
    int socket;
    struct watch *on_message;
    struct timer patience; /* until it replies, and until it answers */
    struct timer zone;     /* until what it knows of the time zone may be wrong */
    int64_t zone_told;     /* when it was told that last */
    bool lost;             /* its owner was told so */
    bool leaving;          /* its end of the socket is closed */
    bool deaf;             /* it doesn't read what it is sent */
    bool kill;             /* it gets no time to exit */
    int64_t asked_at;      /* when the last question was asked */
    unsigned chances;      /* that it still has to answer */
};

static void lose(struct listener_process *l)
{
    /* Nothing more of it is received. Its owner may end it at once: nobody touches it after this.
     */
    loop_unwatch(l->on_message);
    l->on_message = NULL;
    l->lost = true;
    loop_timer_cancel(l->loop, &l->patience);
    l->calls.lost(l->calls.arg);
}

/* One that isn't to be trusted, or doesn't read, gets no time to exit. */
static void lose_at_once(struct listener_process *l)
{
    l->kill = true;
    lose(l);
}

/* --- what it is sent --- */

static void send_with_fd(void *arg, const struct message *message, int fd)
{
    struct listener_process *l = arg;
    struct message marked = *message;
    marked.generation = l->inbound.generation;
    if (send_queue_send(&l->send_queue, &marked, fd) == 0)
        return;
    if (errno != ENOBUFS) {
        log_error("can't hand a log to the listener: out of memory or descriptors");
    } else if (!l->deaf) {
        log_error("listener %d doesn't read: %d messages wait for it; killing it", (int)l->pid,
                  SEND_QUEUE_MAX);
        /* Not from here: the caller still uses it. */
        l->deaf = true;
        loop_timer_set(l->loop, &l->patience, clock_now());
    }
}

static void send_message(void *arg, const struct message *message)
{
    send_with_fd(arg, message, -1);
}

static bool judges_times(const struct config *config)
{
    bool judges = false;
    for (unsigned i = 0; i < config->source_count; i++)
        judges |= config->sources[i].max_age > 0;
    return judges;
}

static void send_zone(void *arg)
{
    struct listener_process *l = arg;
    if (!judges_times(l->inbound.authorize->config) || l->deaf || l->leaving)
        return;
    struct message message = {.type = MESSAGE_ZONE, .u.zone = local_zone(time(NULL))};
    send_message(l, &message);
    l->zone_told = clock_now();
    loop_timer_set(l->loop, &l->zone, l->zone_told + LOCAL_ZONE_HOLDS * CLOCK_SECOND);
}

/* A line that isn't of now: the clock or the zone may have been set. However many a listener tells
 * of, it is told once in a while. */
static void send_zone_again(struct listener_process *l)
{
    if (clock_now() - l->zone_told >= zone_apart)
        send_zone(l);
}

/* --- which answers it owes --- */

static bool owes(const struct listener_process *l)
{
    return l->inbound.pinged || l->inbound.asked;
}

static void await_answer(struct listener_process *l)
{
    l->chances = 1 + CHANCES_UNREAD;
    if (!l->deaf && !l->leaving)
        loop_timer_set(l->loop, &l->patience, clock_now() + answer_time);
}

/* It owes one answer less. */
static void renew_patience(struct listener_process *l)
{
    if (owes(l))
        await_answer(l);
    else if (!l->deaf && !l->leaving)
        loop_timer_cancel(l->loop, &l->patience);
}

void listener_process_query(struct listener_process *l, uint32_t query, const struct addr *address)
{
    struct message message = {.type = MESSAGE_QUERY, .u.query = {.query = query}};
    assert(!l->inbound.asked);
    if (address)
        message.u.query.address = *address;
    if (!owes(l))
        await_answer(l);
    l->inbound.asked = true;
    l->inbound.query = query;
    l->inbound.asked_why = address != NULL;
    l->asked_at = clock_now();
    send_message(l, &message);
}

bool listener_process_may_ask(const struct listener_process *l)
{
    return l->inbound.replied && !l->inbound.asked;
}

bool listener_process_owes_since(const struct listener_process *l, int64_t then)
{
    return l->inbound.asked && l->asked_at <= then;
}

void listener_process_ping(struct listener_process *l)
{
    if (!l->inbound.replied || l->inbound.pinged)
        return;
    if (!owes(l))
        await_answer(l);
    l->inbound.ping++;
    l->inbound.pinged = true;
    struct message message = {.type = MESSAGE_PING, .u.ping.number = l->inbound.ping};
    send_message(l, &message);
}

bool listener_process_answers(const struct listener_process *l)
{
    return !l->inbound.pinged && !l->deaf && !l->leaving;
}

/* --- what it says --- */

static void hand_over_logs(struct listener_process *l)
{
    loop_timer_cancel(l->loop, &l->patience);
    log_sources_start(l->inbound.sources, (struct handover){send_with_fd, l});
    l->calls.ready(l->calls.arg);
}

/* Its exit status tells why it closed the socket, and must come soon. */
static void await_exit(struct listener_process *l)
{
    l->leaving = true;
    loop_timer_set(l->loop, &l->patience, clock_now() + leave_time);
    loop_unwatch(l->on_message);
    l->on_message = NULL;
}

static enum inbound_result receive(struct listener_process *l)
{
    struct message message;
    enum inbound_result result = inbound_receive(&l->inbound, l->socket, &message);
    if (result == INBOUND_REPLIED)
        hand_over_logs(l);
    else if (result == INBOUND_ANSWERED)
        renew_patience(l);
    else if (result == INBOUND_SERVED && message.type == MESSAGE_EVENT &&
             message.u.event.kind == EVENT_STALE)
        send_zone_again(l);
    else if (result == INBOUND_END)
        await_exit(l);
    else if (result == INBOUND_BAD)
        log_error("listener %d said what no listener says (message type %u); killing it",
                  (int)l->pid, message.type);
    return result;
}

/*
 * Receives what is there, so that what is opened in one moment is recorded in one transaction: at
 * most `most` messages, and none after `time` ns. Returns what came of the last one.
 */
static enum inbound_result receive_some(struct listener_process *l, int most, int64_t time)
{
    int64_t until = clock_now() + time;
    enum inbound_result result = receive(l);
    for (int i = 1; result >= INBOUND_SERVED && i < most && clock_now() < until; i++)
        result = receive(l);
    return result;
}

static void on_message_ready(void *arg)
{
    if (receive_some(arg, TURN_MESSAGES, turn_time) == INBOUND_BAD)
        lose_at_once(arg);
}

static void on_ended(void *arg, const siginfo_t *how)
{
    struct listener_process *l = arg;
    if (l->lost)
        return;
    /* Its last words may say why. */
    if (l->on_message)
        receive_some(l, INT_MAX, last_words_time);
    if (how->si_code == CLD_EXITED)
        log_error("listener %d exited with status %d", (int)l->pid, how->si_status);
    else
        log_error("listener %d was killed by signal %d (%s)%s", (int)l->pid, how->si_status,
                  strsignal(how->si_status),
                  how->si_status == SIGSYS ? ": it tried what its sandbox forbids" : "");
    lose(l);
}

/*
 * It has owed an answer for too long. Whether it gets another chance: the answer may be there, when
 * the keeper, too, was kept from its work.
 */
static bool gets_chance(struct listener_process *l, enum inbound_result last)
{
    bool first = l->chances == 1 + CHANCES_UNREAD;
    if (l->chances == 0 || (!first && last < INBOUND_SERVED))
        return false;
    l->chances--;
    loop_timer_set(l->loop, &l->patience, clock_now() + chance_time);
    return true;
}

/* Whether it is lost. */
static bool is_overdue(struct listener_process *l)
{
    enum inbound_result last = receive_some(l, TURN_MESSAGES, turn_time);
    if (last == INBOUND_BAD)
        return true;
    if (!owes(l) || l->leaving || gets_chance(l, last))
        return false;
    log_error("listener %d hangs: it hasn't answered for more than %lld s; killing it", (int)l->pid,
              (long long)(answer_time / CLOCK_SECOND));
    return true;
}

static void on_impatience(void *arg)
{
    struct listener_process *l = arg;
    bool at_work = l->inbound.replied && !l->deaf && !l->leaving;
    if (at_work && !is_overdue(l))
        return;
    if (!at_work && !l->deaf)
        log_error("listener %d doesn't answer; killing it", (int)l->pid);
    lose_at_once(l);
}

/* --- its start --- */

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
    bool quiet = filter_is_strict();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; quiet && null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null >= 0 && dup2(socket, LISTENER_SOCKET) >= 0 && close_range(4, ~0U, 0) == 0)
        execve("/proc/self/exe", argv, quiet ? none : environ);
    _exit(127);
}

static int spawn(struct listener_process *l, uid_t uid, gid_t gid, uint64_t memory)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    l->socket = ends[0];
    l->pid = fork();
    if (l->pid == 0) {
        /* dup2 onto itself would leave it close-on-exec. */
        if (ends[1] == LISTENER_SOCKET)
            fcntl(ends[1], F_SETFD, 0);
        become_listener(ends[1], uid, gid, memory);
    }
    close(ends[1]);
    if (l->pid < 0)
        return -1;
    if (process_watch(&l->process, l->pid, INT64_MAX) < 0)
        return -1;
    l->on_message = loop_watch(l->loop, l->socket, LOOP_READ | LOOP_LATE, on_message_ready, l);
    return l->on_message ? 0 : -1;
}

static struct listener_process *listener_process_new(struct loop *loop)
{
    struct listener_process *l = calloc(1, sizeof(*l));
    if (!l || process_init(&l->process, loop, on_ended, l) < 0) {
        free(l);
        return NULL;
    }
    if (loop_timer_register(loop, &l->patience, on_impatience, l) < 0 ||
        loop_timer_register(loop, &l->zone, send_zone, l) < 0) {
        loop_timer_unregister(loop, &l->patience);
        process_free(&l->process);
        free(l);
        return NULL;
    }
    l->loop = loop;
    l->socket = -1;
    return l;
}

struct listener_process *
listener_process_start(struct loop *loop, const struct authorize *authorize,
                       const struct nflog_groups *groups, uint32_t generation, uid_t uid, gid_t gid,
                       struct listener_process_calls calls, struct report *report)
{
    const struct config *config = authorize->config;
    struct log_sources *sources = log_sources_open(loop, config, authorize->once, groups, report);
    if (!sources)
        return NULL;
    struct listener_process *l = listener_process_new(loop);
    if (!l) {
        report_error(report, (struct config_pos){config->path, 0}, "out of memory");
        log_sources_close(sources);
        return NULL;
    }
    l->calls = calls;
    l->inbound = (struct inbound){.authorize = authorize,
                                  .sources = sources,
                                  .calls = calls.messages,
                                  .generation = generation};
    if (spawn(l, uid, gid, config_send_memory(config, authorize->once)) < 0) {
        report_error(report, (struct config_pos){config->path, 0}, "can't start a listener: %s",
                     strerror(errno));
        listener_process_end(l);
        return NULL;
    }
    send_queue_init(&l->send_queue, loop, l->socket);
    config_send(config, authorize->once, log_debugging(), send_message, l);
    send_zone(l);
    send_queue_bound(&l->send_queue);
    loop_timer_set(loop, &l->patience, clock_now() + reply_time);
    log_debug("listener %d started, generation %u", (int)l->pid, generation);
    return l;
}

pid_t listener_process_pid(const struct listener_process *l)
{
    return l->pid;
}

/* --- its end --- */

/* It holds nothing that could be lost. One that a sanitizer watches gets time for its report. */
static void end_process(struct listener_process *l)
{
    bool strict = filter_is_strict();
    int grace = l->kill ? 0 : strict ? LEAVE_MS : LEAVE_SANITIZED_MS;
    if (!process_end(&l->process, grace))
        log_error("listener %d was killed and doesn't end: the kernel holds it, for example in a "
                  "read that never returns",
                  (int)l->pid);
    process_free(&l->process);
}

void listener_process_end(struct listener_process *l)
{
    if (!l)
        return;
    loop_unwatch(l->on_message);
    send_queue_free(&l->send_queue);
    loop_timer_unregister(l->loop, &l->patience);
    loop_timer_unregister(l->loop, &l->zone);
    if (l->socket >= 0)
        close(l->socket);
    end_process(l);
    log_sources_close(l->inbound.sources);
    free(l);
}
