/*
 * The life of a listener: sandboxed -> told its configuration, record by record -> replies, is
 * handed the logs -> for each line: parse, match, ask the keeper to open -> end of file on the
 * socket: the keeper is gone or has a newer listener.
 */
#include "listener/listener.h"

#include <errno.h>
#include <sys/prctl.h>

#include "listener/reader.h"
#include "listener/sandbox.h"

struct listener {
    struct loop *loop;
    struct listener_config setup;
    struct reader reader;
    bool at_work; /* the configuration is complete */
    int status;
};

static void end(struct listener *l, int status)
{
    l->status = status;
    loop_stop(l->loop);
}

static void tell(void *arg, struct message *message)
{
    struct listener *l = arg;
    message->generation = l->setup.generation;
    if (message_send(LISTENER_SOCKET, message, -1, true) != MESSAGE_GOT)
        end(l, 0);
}

static bool go_to_work(struct listener *l)
{
    struct message message = {.type = MESSAGE_REPLY};
    l->at_work = reader_begin(&l->reader, &l->setup, tell, l);
    if (l->at_work)
        tell(l, &message);
    return l->at_work;
}

/* The keeper asks, or wants to know whether this process is at work still. */
static bool answer(struct listener *l, const struct message *message)
{
    struct message pong = {.type = MESSAGE_PONG, .u.ping = message->u.ping};
    if (message->type == MESSAGE_QUERY)
        reader_query(&l->reader, &message->u.query);
    else if (message->type == MESSAGE_PING)
        tell(l, &pong);
    else
        return false;
    return true;
}

static bool take_record(struct listener *l, const struct message *message, int fd)
{
    if (l->at_work && message->generation != l->setup.generation)
        return false;
    if (l->at_work && message->type == MESSAGE_FD)
        return reader_take_fd(&l->reader, &message->u.fd, fd);
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
    enum message_result result = message_receive(LISTENER_SOCKET, &message, &fd);
    if (result == MESSAGE_NONE)
        return;
    if (result == MESSAGE_END)
        end(l, 0);
    else if (result == MESSAGE_BAD || !take_record(l, &message, fd))
        end(l, 1);
}

static void free_all(struct listener *l)
{
    reader_free(&l->reader);
    listener_config_free(&l->setup);
    loop_free(l->loop);
}

/* The keeper knows what to say; here there is nobody left to say it to. */
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
    struct listener l = {0};
    prctl(PR_SET_NAME, "knockd-listener");
    /* What needs system calls that the sandbox forbids comes first. */
    l.loop = loop_new();
    if (!l.loop || reader_register(&l.reader, l.loop) < 0)
        return 1;
    enum sandbox_step failed = sandbox_enter(uid, gid, memory);
    if (failed != SANDBOX_DONE)
        return report_failure(failed);
    struct watch *on_socket = loop_watch(l.loop, LISTENER_SOCKET, LOOP_READ, on_socket_ready, &l);
    if (!on_socket)
        return 1;
    loop_run(l.loop);
    loop_unwatch(on_socket);
    free_all(&l);
    return l.status;
}
