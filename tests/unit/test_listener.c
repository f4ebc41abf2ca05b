/* What a listener makes of the descriptors that the keeper hands over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "lib/loop.h"
#include "lib/message.h"
#include "listener/listener.h"

enum { MS = 1000000 };

/* What is to follow when the listener has handled what was sent before the ping. */
enum ping { PING_LAST, PING_LATER };

/* The keeper's side. */
struct world {
    struct loop *loop;
    int keeper, listener; /* the ends of the socket */
    unsigned opened;      /* doors that the listener asked for */
    struct timer later;   /* some time after PING_LATER */
    int old, next;        /* files, for `rotate` */
};

static void send_fd(struct world *w, const struct message *message, int fd)
{
    assert_int_equal(message_send(w->keeper, message, fd, false), MESSAGE_GOT);
    if (fd >= 0)
        close(fd);
}

/* One file as source, and a door of two steps within `timeout`. */
static struct world make_world(int64_t timeout)
{
    struct world w = {.loop = loop_new()};
    int ends[2];
    const struct message messages[] = {
        {.type = MESSAGE_CONFIG,
         .u.config = {.sources = 1, .doors = 1, .plain = 1, .max_sources = 16}},
        {.type = MESSAGE_SOURCE, .u.source = {.type = SOURCE_FILE, .format = FORMAT_KERNEL}},
        {.type = MESSAGE_DOOR,
         .u.door = {.sequence = {2, {{7000, IPPROTO_TCP}, {8000, IPPROTO_TCP}}},
                    .timeout = timeout,
                    .flags = {TCP_SYN, TCP_ACK},
                    .strict = 1}},
        {.type = MESSAGE_START}};
    assert_non_null(w.loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    w.keeper = ends[0];
    w.listener = ends[1];
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++)
        send_fd(&w, &messages[i], -1);
    return w;
}

static void on_keeper_ready(void *arg)
{
    struct world *w = arg;
    struct message message;
    int fd;
    while (message_receive(w->keeper, &message, &fd) == MESSAGE_GOT) {
        w->opened += message.type == MESSAGE_OPEN;
        if (message.type != MESSAGE_PONG)
            continue;
        if (message.u.ping.number == PING_LAST)
            loop_stop(w->loop);
        else
            loop_timer_set(w->loop, &w->later, clock_now() + 40 * MS);
    }
}

/* Serves the keeper until it has an answer to its last ping. Returns the listener's exit status. */
static int serve(struct world *w)
{
    struct watch *watch = loop_watch(w->loop, w->keeper, LOOP_READ, on_keeper_ready, w);
    assert_non_null(watch);
    int status = listener_serve(w->loop, w->listener);
    loop_unwatch(watch);
    close(w->keeper);
    close(w->listener);
    loop_free(w->loop);
    return status;
}

static int make_file(void)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void log_packet(int fd, unsigned port)
{
    assert_true(dprintf(fd,
                        "Nov 25 09:00:00 gate kernel: [DENY] IN=eth0 OUT= MAC= SRC=192.0.2.9 "
                        "DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=TCP SPT=%u "
                        "DPT=%u WINDOW=64240 RES=0x00 SYN URGP=0 \n",
                        port + 1, port) > 0);
}

static void hand_over(struct world *w, uint32_t kind, uint32_t source, int fd)
{
    const struct message message = {.type = MESSAGE_FD,
                                    .u.fd = {.kind = kind, .source = source, .watch = -1}};
    send_fd(w, &message, fd);
}

static void ping(struct world *w, enum ping number)
{
    send_fd(w, &(struct message){.type = MESSAGE_PING, .u.ping.number = number}, -1);
}

static void rotate(void *arg)
{
    struct world *w = arg;
    log_packet(w->old, 8000);
    hand_over(w, FD_LOG, 0, w->next);
    ping(w, PING_LAST);
}

/* What is left of a file is read when another takes its place, and belongs to that moment. */
static void a_step_before_the_rotation_has_its_own_time(void **state)
{
    (void)state;
    static const struct {
        int64_t timeout;
        unsigned opened;
    } rows[] = {{100 * CLOCK_SECOND, 1}, {20 * MS, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w = make_world(rows[i].timeout);
        w.old = make_file();
        w.next = make_file();
        log_packet(w.old, 7000);
        hand_over(&w, FD_LOG, 0, dup(w.old));
        assert_int_equal(loop_timer_register(w.loop, &w.later, rotate, &w), 0);
        ping(&w, PING_LATER);
        assert_int_equal(serve(&w), 0);
        assert_int_equal(w.opened, rows[i].opened);
        close(w.old);
    }
}

static void refuses_what_no_keeper_sends(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind, source;
        bool file, inotify; /* what comes with it */
        int times, status;
    } rows[] = {
        {FD_LOG, 0, true, false, 1, 0},     {FD_LOG, 0, false, false, 1, 1},
        {FD_LOG, 1, true, false, 1, 1},     {0, 0, true, false, 1, 1},
        {FD_INOTIFY, 0, false, true, 1, 0}, {FD_INOTIFY, 0, false, true, 2, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w = make_world(CLOCK_SECOND);
        for (int j = 0; j < rows[i].times; j++)
            hand_over(&w, rows[i].kind, rows[i].source,
                      rows[i].file      ? make_file()
                      : rows[i].inotify ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK)
                                        : -1);
        ping(&w, PING_LAST);
        int status = serve(&w);
        if (status != rows[i].status)
            fail_msg("row %zu: status %d", i, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_before_the_rotation_has_its_own_time),
        cmocka_unit_test(refuses_what_no_keeper_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
