/*
 * The life of a listener: confined to its sandbox -> receives its configuration, message by message
 * -> replies, and receives the descriptors of the logs -> reads a share of each log when inotify,
 * the loop or a timer says that there is something, and gives each line to the pipeline -> end of
 * file on the socket: the keeper is gone or has a newer listener.
 */
#include "listener/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/loop.h"
#include "listener/log_stream.h"
#include "listener/packet_stream.h"
#include "listener/pipeline.h"
#include "listener/sandbox.h"

/* How often a file is read that no watch reports on. */
static const int64_t poll_interval = 1 * CLOCK_SECOND;

/* A log: its number is its place in the configuration, which its lines carry to the matcher. */
struct source {
    struct listener *listener;
    struct log_stream stream;
    struct watch *on_ready; /* all but files, which inotify watches */
    /* Of a source of packets, in place of the two before. */
    struct packet_stream packets;
    struct watch *on_packets[PACKET_SOCKETS];
    bool more;   /* it has more than its share: read it again soon */
    bool before; /* it was read from before */
};

/* An interface that a door or source names. */
struct interface {
    uint32_t index; /* 0: there is none of that name now */
    char name[IF_NAMESIZE];
};

struct listener {
    struct loop *loop;
    int socket; /* to the keeper */
    int status; /* of exit */
    struct listener_config setup;
    bool at_work; /* the configuration is complete */
    unsigned count;
    struct source sources[CONFIG_SOURCES_MAX];
    int inotify;
    struct watch *on_inotify;
    struct timer again;  /* some source has more than its share */
    struct timer tidy;   /* some source has a replaced file whose time is over */
    struct timer poll;   /* some source has a file that no watch reports on */
    struct timer losses; /* some source has lost packets that wait to be reported */
    struct timer due;    /* the pipeline has something to report */
    struct pipeline pipeline;
    struct interface interfaces[INTERFACES_MAX];
    unsigned interface_count;
    struct line_moment moment; /* of what is being read */
};

static void stop_serving(struct listener *l, int status)
{
    l->status = status;
    loop_stop(l->loop);
}

static void send_message(void *arg, struct message *message)
{
    struct listener *l = arg;
    message->generation = l->setup.generation;
    if (message_send(l->socket, message, -1, true) != MESSAGE_GOT)
        stop_serving(l, 0);
}

/* --- reading --- */

static unsigned source_number(const struct source *source)
{
    return (unsigned)(source - source->listener->sources);
}

/* Whether the firewall wrote the line. */
static bool on_line(void *arg, const char *line, size_t len)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    return pipeline_line(&l->pipeline, source_number(source), line, len, l->moment) != LINE_FOREIGN;
}

static void on_stream_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    struct message message = {
        .type = MESSAGE_EVENT,
        .u.event = {.kind = kind, .source = source_number(source), .number = number}};
    if (kind == EVENT_GAP || kind == EVENT_TRUNCATED)
        pipeline_gap(&l->pipeline, source_number(source), clock_now());
    send_message(l, &message);
}

static void on_packets_lost(void *arg)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    pipeline_gap(&l->pipeline, source_number(source), l->moment.now);
}

/* What is lost has been taken to the pipeline already. */
static void on_packets_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct source *source = arg;
    struct message message = {
        .type = MESSAGE_EVENT,
        .u.event = {.kind = kind, .source = source_number(source), .number = number}};
    send_message(source->listener, &message);
}

static void set_due(struct listener *l)
{
    int64_t next = pipeline_next(&l->pipeline);
    if (next == INT64_MAX)
        loop_timer_cancel(l->loop, &l->due);
    else if (!timer_is_set(&l->due) || l->due.due != next)
        loop_timer_set(l->loop, &l->due, next);
}

static void on_due(void *arg)
{
    struct listener *l = arg;
    pipeline_due(&l->pipeline, clock_now());
    set_due(l);
}

/* The name of an interface, for doors to ask for; "?" for one that none asks for. */
static const char *interface_name(const struct listener *l, uint32_t index)
{
    for (unsigned i = 0; i < l->interface_count; i++)
        if (l->interfaces[i].index == index)
            return l->interfaces[i].name;
    return "?";
}

static void on_packet(void *arg, struct packet_event *event)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    struct packet *packet = &event->ip.packet;
    packet->in = event->in ? interface_name(l, event->in) : "";
    if (!listener_config_hears(&l->setup.sources[source_number(source)], packet->in))
        return;
    packet->in_len = (uint8_t)strlen(packet->in);
    pipeline_packet(&l->pipeline, source_number(source), event->verdict, event->prefix,
                    event->prefix_len, &event->ip, l->moment.now);
}

static void set_losses(struct listener *l)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < l->count; i++) {
        int64_t due = packet_stream_due(&l->sources[i].packets);
        next = due < next ? due : next;
    }
    if (next < INT64_MAX && (!timer_is_set(&l->losses) || l->losses.due != next))
        loop_timer_set(l->loop, &l->losses, next);
}

static void on_losses(void *arg)
{
    struct listener *l = arg;
    for (unsigned i = 0; i < l->count; i++)
        packet_stream_report(&l->sources[i].packets, clock_now());
    set_losses(l);
}

static bool is_of_packets(const struct source *source)
{
    return source_is_of_packets((enum source_type)source->stream.type);
}

/* One look at the clocks for all that is there: it was all written by now. */
static void look_at_clocks(struct listener *l)
{
    l->moment = (struct line_moment){.now = clock_now(), .wall = clock_wall()};
}

static void read_source(struct source *source)
{
    struct listener *l = source->listener;
    look_at_clocks(l);
    source->more = is_of_packets(source) ? packet_stream_read(&source->packets, l->moment.now)
                                         : log_stream_read(&source->stream, l->moment.now);
    if (source->more)
        loop_timer_set(l->loop, &l->again, l->moment.now);
    if (is_of_packets(source))
        set_losses(l);
    set_due(l);
}

static void on_source_ready(void *arg)
{
    struct source *source = arg;
    read_source(source);
    if (!log_stream_is_open(&source->stream)) {
        loop_unwatch(source->on_ready);
        source->on_ready = NULL;
    }
}

static void on_packets_ready(void *arg)
{
    read_source(arg);
}

static void on_again(void *arg)
{
    struct listener *l = arg;
    for (unsigned i = 0; i < l->count; i++)
        if (l->sources[i].more)
            read_source(&l->sources[i]);
}

static void on_tidy(void *arg)
{
    struct listener *l = arg;
    int64_t next = INT64_MAX;
    look_at_clocks(l);
    for (unsigned i = 0; i < l->count; i++) {
        int64_t due = log_stream_tidy(&l->sources[i].stream, l->moment.now);
        next = due < next ? due : next;
    }
    if (next < INT64_MAX)
        loop_timer_set(l->loop, &l->tidy, next);
    set_due(l);
}

static void on_poll(void *arg)
{
    struct listener *l = arg;
    for (unsigned i = 0; i < l->count; i++) {
        if (!log_stream_is_polled(&l->sources[i].stream))
            continue;
        read_source(&l->sources[i]);
        loop_timer_set(l->loop, &l->poll, l->moment.now + poll_interval);
    }
}

/* --- inotify --- */

/* The file of this watch was written to; -1: it may be any file. */
static void read_written(struct listener *l, int watch)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct source *source = &l->sources[i];
        if (source->stream.type == SOURCE_FILE &&
            (watch < 0 || log_stream_watches(&source->stream, watch)))
            read_source(source);
    }
}

/* Files are watched for IN_MODIFY alone, so every other event is about the path to one. */
static void handle_inotify_event(struct listener *l, const struct inotify_event *event, int *moved)
{
    struct message reopen = {.type = MESSAGE_REOPEN, .u.reopen = {.watch = event->wd}};
    bool lost = event->mask & IN_Q_OVERFLOW;
    if (lost || event->mask & IN_MODIFY)
        read_written(l, event->wd);
    /* A watch that is gone was removed by the keeper, or with what it watched, which another event
     * reports. */
    if (event->mask & (IN_MODIFY | IN_IGNORED))
        return;
    /* A folder in which much happens need be looked at once. */
    if (event->wd != *moved)
        send_message(l, &reopen);
    *moved = event->wd;
}

static void on_inotify_ready(void *arg)
{
    struct listener *l = arg;
    union {
        struct inotify_event align;
        char bytes[4096];
    } buffer;
    ssize_t got = read(l->inotify, buffer.bytes, sizeof(buffer.bytes));
    int moved = 0;
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const void *)(buffer.bytes + at);
        handle_inotify_event(l, event, &moved);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

/* --- messages of the keeper --- */

/* Takes the descriptor of a log. False when no honest keeper sends that, or memory is short. */
static bool receive_log(struct listener *l, const struct message_fd *message, int fd)
{
    if (message->source >= l->count)
        return false;
    struct source *source = &l->sources[message->source];
    if (is_of_packets(source))
        return false;
    loop_unwatch(source->on_ready);
    source->on_ready = NULL;
    /* What is left of the file before it is read in there. */
    look_at_clocks(l);
    log_stream_open(&source->stream, message, fd, l->moment.now);
    /* What was written while the program, or the other end of the pipe, was away is lost. */
    if (source->before && source->stream.type != SOURCE_FILE)
        pipeline_gap(&l->pipeline, source_number(source), l->moment.now);
    source->before = true;
    if (source->stream.type != SOURCE_FILE) {
        source->on_ready = loop_watch(l->loop, fd, LOOP_READ, on_source_ready, source);
        return source->on_ready != NULL;
    }
    on_tidy(l);
    on_poll(l);
    /* What was written before the watch was armed is read here. */
    read_source(source);
    return true;
}

/* Takes a socket of a source of packets; likewise. */
static bool receive_packets(struct listener *l, const struct message_fd *message, int fd)
{
    if (message->source >= l->count)
        return false;
    struct source *source = &l->sources[message->source];
    if (!is_of_packets(source) || !packet_stream_add(&source->packets, fd))
        return false;
    struct watch **watch = &source->on_packets[source->packets.count - 1];
    *watch = loop_watch(l->loop, fd, LOOP_READ, on_packets_ready, source);
    return *watch != NULL;
}

/* Which interface a name means from now on. */
static bool receive_interface(struct listener *l, const struct message_interface *message)
{
    if (message->slot >= INTERFACES_MAX || message->slot > l->interface_count ||
        message->name[IF_NAMESIZE - 1] != '\0')
        return false;
    struct interface *interface = &l->interfaces[message->slot];
    l->interface_count += message->slot == l->interface_count;
    interface->index = message->index;
    memcpy(interface->name, message->name, IF_NAMESIZE);
    return true;
}

static bool receive_fd(struct listener *l, const struct message_fd *message, int fd)
{
    if (fd < 0)
        return false;
    if (message->kind == FD_PACKETS)
        return receive_packets(l, message, fd);
    if (message->kind == FD_LOG)
        return receive_log(l, message, fd);
    if (message->kind != FD_INOTIFY || l->inotify >= 0)
        return false;
    l->inotify = fd;
    l->on_inotify = loop_watch(l->loop, fd, LOOP_READ, on_inotify_ready, l);
    return l->on_inotify != NULL;
}

static bool init_sources(struct listener *l)
{
    for (; l->count < l->setup.source_count; l->count++) {
        struct source *source = &l->sources[l->count];
        source->listener = l;
        const struct listener_config_source *setup = &l->setup.sources[l->count];
        struct log_stream_calls calls = {on_line, on_stream_event, source};
        if (log_stream_init(&source->stream, setup->type, setup->spec.format, calls) < 0) {
            log_stream_free(&source->stream);
            return false;
        }
        packet_stream_init(&source->packets, setup->type, &setup->spec,
                           (struct packet_stream_calls){on_packet, on_packets_lost,
                                                        on_packets_event, source});
    }
    return true;
}

/* The configuration is complete. False when memory is short. */
static bool go_to_work(struct listener *l)
{
    struct message reply = {.type = MESSAGE_REPLY};
    if (!init_sources(l))
        return false;
    pipeline_init(&l->pipeline, &l->setup, send_message, l, clock_now());
    set_due(l);
    l->at_work = true;
    send_message(l, &reply);
    return true;
}

/* The keeper asks, or wants to know whether this process is at work still. */
static bool answer(struct listener *l, const struct message *message)
{
    struct message pong = {.type = MESSAGE_PONG, .u.ping = message->u.ping};
    if (message->type == MESSAGE_QUERY)
        pipeline_query(&l->pipeline, &message->u.query);
    else if (message->type == MESSAGE_PING)
        send_message(l, &pong);
    else if (message->type == MESSAGE_INTERFACE)
        return receive_interface(l, &message->u.interface);
    else if (message->type == MESSAGE_ZONE)
        l->pipeline.zone = message->u.zone;
    else
        return false;
    return true;
}

/* False when no honest keeper sends that, or memory is short. */
static bool handle_message(struct listener *l, const struct message *message, int fd)
{
    if (l->at_work && message->generation != l->setup.generation)
        return false;
    if (l->at_work && message->type == MESSAGE_FD)
        return receive_fd(l, &message->u.fd, fd);
    if (fd >= 0)
        return false;
    if (l->at_work)
        return answer(l, message);
    enum listener_config_result result = listener_config_receive(&l->setup, message);
    return result == LISTENER_CONFIG_MORE || (result == LISTENER_CONFIG_COMPLETE && go_to_work(l));
}

static void on_socket_ready(void *arg)
{
    struct listener *l = arg;
    struct message message;
    int fd;
    enum message_result result = message_receive(l->socket, &message, &fd);
    if (result == MESSAGE_NONE)
        return;
    if (result == MESSAGE_END)
        stop_serving(l, 0);
    else if (result == MESSAGE_BAD || !handle_message(l, &message, fd))
        stop_serving(l, 1);
}

/* --- life --- */

static bool register_timers(struct listener *l)
{
    return loop_timer_register(l->loop, &l->again, on_again, l) == 0 &&
           loop_timer_register(l->loop, &l->tidy, on_tidy, l) == 0 &&
           loop_timer_register(l->loop, &l->poll, on_poll, l) == 0 &&
           loop_timer_register(l->loop, &l->losses, on_losses, l) == 0 &&
           loop_timer_register(l->loop, &l->due, on_due, l) == 0;
}

static void free_all(struct listener *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        loop_unwatch(l->sources[i].on_ready);
        log_stream_free(&l->sources[i].stream);
        for (int j = 0; j < PACKET_SOCKETS; j++)
            loop_unwatch(l->sources[i].on_packets[j]);
        packet_stream_free(&l->sources[i].packets);
    }
    loop_unwatch(l->on_inotify);
    if (l->inotify >= 0)
        close(l->inotify);
    loop_timer_unregister(l->loop, &l->again);
    loop_timer_unregister(l->loop, &l->tidy);
    loop_timer_unregister(l->loop, &l->poll);
    loop_timer_unregister(l->loop, &l->losses);
    loop_timer_unregister(l->loop, &l->due);
    listener_config_free(&l->setup);
}

int listener_serve(struct loop *loop, int socket)
{
    struct listener l = {.loop = loop, .socket = socket, .inotify = -1};
    if (!register_timers(&l))
        return 1;
    struct watch *on_socket = loop_watch(loop, socket, LOOP_READ, on_socket_ready, &l);
    if (!on_socket)
        return 1;
    loop_run(loop);
    loop_unwatch(on_socket);
    free_all(&l);
    return l.status;
}

/* The keeper knows what to report; a listener that failed has no other way to report it. */
static int report_failure(enum sandbox_step step)
{
    struct message message = {
        .type = MESSAGE_EVENT,
        .u.event = {.kind = EVENT_SANDBOX, .door = step, .number = (uint64_t)errno},
    };
    message_send(LISTENER_SOCKET, &message, -1, true);
    return 1;
}

int listener_main(uid_t uid, gid_t gid, uint64_t memory)
{
    prctl(PR_SET_NAME, "knockd-listener");
    /* What needs system calls that the sandbox forbids comes first. */
    struct loop *loop = loop_new();
    if (!loop)
        return 1;
    enum sandbox_step failed = sandbox_enter(uid, gid, memory);
    int status =
        failed == SANDBOX_DONE ? listener_serve(loop, LISTENER_SOCKET) : report_failure(failed);
    loop_free(loop);
    return status;
}
