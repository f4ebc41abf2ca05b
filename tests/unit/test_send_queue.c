/* Messages to a listener that is slow: all arrive, in order, with their descriptors. */
#include "keeper_help.h"

#include <sys/socket.h>

#include "knockd/send_queue.h"

enum { COUNT = 3000, EACH_FD = 100 }; /* every EACH_FDth message brings a descriptor */

struct send_queue_world {
    struct bench bench;
    struct send_queue send_queue;
    int ends[2];
    unsigned got;
};

static void make_world(struct send_queue_world *w)
{
    bench_make(&w->bench);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, w->ends), 0);
    send_queue_init(&w->send_queue, w->bench.loop, w->ends[0]);
    w->got = 0;
}

static void end_world(struct send_queue_world *w)
{
    const char *none[] = {NULL};
    send_queue_free(&w->send_queue);
    close(w->ends[0]);
    bench_end(&w->bench, none);
}

/* Sends message `number`; if it is one of those, with the reading end of a pipe that holds it. */
static void send_numbered(struct send_queue_world *w, unsigned number)
{
    struct message message = {.type = MESSAGE_FD, .generation = number};
    int pipes[2] = {-1, -1};
    if (number % EACH_FD == 0) {
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(write(pipes[1], &number, sizeof(number)), sizeof(number));
    }
    assert_int_equal(send_queue_send(&w->send_queue, &message, pipes[0]), 0);
    /* The queue has its own by now. */
    if (pipes[0] >= 0) {
        close(pipes[0]);
        close(pipes[1]);
    }
}

/* Takes a few at a time, as a slow listener would. */
static bool take_some(void *arg)
{
    struct send_queue_world *w = arg;
    for (int i = 0; i < 70; i++) {
        struct message message;
        unsigned number = 0;
        int fd;
        if (message_receive(w->ends[1], &message, &fd) != MESSAGE_GOT)
            break;
        assert_int_equal(message.generation, w->got);
        assert_int_equal(fd >= 0, w->got % EACH_FD == 0);
        if (fd >= 0) {
            assert_int_equal(read(fd, &number, sizeof(number)), sizeof(number));
            assert_int_equal(number, w->got);
            close(fd);
        }
        w->got++;
    }
    return w->got == COUNT;
}

static void a_full_socket_queues(void **state)
{
    (void)state;
    struct send_queue_world w;
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    /* Else this proves nothing. */
    assert_non_null(w.send_queue.first);
    bench_until(&w.bench, take_some, &w);
    assert_null(w.send_queue.first);
    close(w.ends[1]);
    end_world(&w);
}

/* What is sent while others wait comes behind them, though there is room just now. */
static void order_is_kept_while_draining(void **state)
{
    (void)state;
    struct send_queue_world w;
    make_world(&w);
    unsigned sent = 0;
    while (!w.send_queue.first)
        send_numbered(&w, sent++);
    assert_true(sent < COUNT);
    take_some(&w);
    while (sent < COUNT)
        send_numbered(&w, sent++);
    bench_until(&w.bench, take_some, &w);
    close(w.ends[1]);
    end_world(&w);
}

/* Empty again, it sends at once, without the loop. */
static void empty_again_it_sends_at_once(void **state)
{
    (void)state;
    struct send_queue_world w;
    struct message message;
    int fd;
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    bench_until(&w.bench, take_some, &w);
    send_numbered(&w, 1);
    assert_null(w.send_queue.first);
    assert_int_equal(message_receive(w.ends[1], &message, &fd), MESSAGE_GOT);
    close(w.ends[1]);
    end_world(&w);
}

static bool is_drained(void *arg)
{
    const struct send_queue_world *w = arg;
    return !w->send_queue.first && !w->send_queue.on_room;
}

/* A listener that died with messages waiting: they are dropped, and nobody waits for it. */
static void a_dead_listener_takes_nothing(void **state)
{
    (void)state;
    struct send_queue_world w;
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    close(w.ends[1]);
    bench_until(&w.bench, is_drained, &w);
    send_numbered(&w, 0);
    assert_null(w.send_queue.first);
    end_world(&w);
}

/* Freed with messages waiting, it closes their descriptors. */
static void freeing_closes_descriptors(void **state)
{
    (void)state;
    struct send_queue_world w;
    make_world(&w);
    int before = open_count();
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    assert_true(open_count() > before);
    send_queue_free(&w.send_queue);
    assert_int_equal(open_count(), before);
    close(w.ends[1]);
    end_world(&w);
}

static bool has_room(void *arg)
{
    struct send_queue_world *w = arg;
    take_some(w);
    return w->send_queue.count < SEND_QUEUE_MAX;
}

/* Behind the configuration, however long that is, a bounded number of messages may wait. */
static void what_waits_is_bounded(void **state)
{
    (void)state;
    struct send_queue_world w;
    struct message message = {.type = MESSAGE_FD};
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    send_queue_bound(&w.send_queue);
    for (unsigned i = 0; i < SEND_QUEUE_MAX; i++)
        send_numbered(&w, COUNT + i);
    int before = open_count();
    assert_int_equal(send_queue_send(&w.send_queue, &message, STDIN_FILENO), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(open_count(), before);
    bench_until(&w.bench, has_room, &w);
    send_numbered(&w, COUNT + SEND_QUEUE_MAX);
    send_queue_free(&w.send_queue);
    assert_int_equal(w.send_queue.count, 0);
    close(w.ends[1]);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_socket_queues),
        cmocka_unit_test(order_is_kept_while_draining),
        cmocka_unit_test(empty_again_it_sends_at_once),
        cmocka_unit_test(a_dead_listener_takes_nothing),
        cmocka_unit_test(freeing_closes_descriptors),
        cmocka_unit_test(what_waits_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
