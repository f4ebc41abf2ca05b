/* Records to a listener that is slow: all arrive, in order, with their descriptors. */
#include "keeper_help.h"

#include <sys/socket.h>

#include "knockd/outbox.h"

enum { COUNT = 3000, EACH_FD = 100 }; /* every EACH_FDth record brings a descriptor */

struct outbox_world {
    struct bench bench;
    struct outbox outbox;
    int ends[2];
    unsigned got;
};

static void make_world(struct outbox_world *w)
{
    bench_make(&w->bench);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, w->ends), 0);
    outbox_init(&w->outbox, w->bench.loop, w->ends[0]);
    w->got = 0;
}

static void end_world(struct outbox_world *w)
{
    const char *none[] = {NULL};
    outbox_free(&w->outbox);
    close(w->ends[0]);
    bench_end(&w->bench, none);
}

/* Sends record `number`; if it is one of those, with the reading end of a pipe that holds it. */
static void send_numbered(struct outbox_world *w, unsigned number)
{
    struct record record = {.type = RECORD_FD, .generation = number};
    int pipes[2] = {-1, -1};
    if (number % EACH_FD == 0) {
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(write(pipes[1], &number, sizeof(number)), sizeof(number));
    }
    assert_int_equal(outbox_send(&w->outbox, &record, pipes[0]), 0);
    /* The outbox has its own by now. */
    if (pipes[0] >= 0) {
        close(pipes[0]);
        close(pipes[1]);
    }
}

/* Takes a few at a time, as a slow listener would. */
static bool take_some(void *arg)
{
    struct outbox_world *w = arg;
    for (int i = 0; i < 70; i++) {
        struct record record;
        unsigned number = 0;
        int fd;
        if (record_receive(w->ends[1], &record, &fd) != RECORD_GOT)
            break;
        assert_int_equal(record.generation, w->got);
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
    struct outbox_world w;
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    /* Else this proves nothing. */
    assert_non_null(w.outbox.first);
    bench_until(&w.bench, take_some, &w);
    assert_null(w.outbox.first);
    close(w.ends[1]);
    end_world(&w);
}

/* What is sent while others wait comes behind them, though there is room just now. */
static void order_is_kept_while_draining(void **state)
{
    (void)state;
    struct outbox_world w;
    make_world(&w);
    unsigned sent = 0;
    while (!w.outbox.first)
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
    struct outbox_world w;
    struct record record;
    int fd;
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    bench_until(&w.bench, take_some, &w);
    send_numbered(&w, 1);
    assert_null(w.outbox.first);
    assert_int_equal(record_receive(w.ends[1], &record, &fd), RECORD_GOT);
    close(w.ends[1]);
    end_world(&w);
}

static bool is_drained(void *arg)
{
    const struct outbox_world *w = arg;
    return !w->outbox.first && !w->outbox.on_room;
}

/* A listener that died with records waiting: they are dropped, and nobody waits for it. */
static void a_dead_listener_takes_nothing(void **state)
{
    (void)state;
    struct outbox_world w;
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    close(w.ends[1]);
    bench_until(&w.bench, is_drained, &w);
    send_numbered(&w, 0);
    assert_null(w.outbox.first);
    end_world(&w);
}

/* Freed with records waiting, it closes their descriptors. */
static void freeing_closes_descriptors(void **state)
{
    (void)state;
    struct outbox_world w;
    make_world(&w);
    int before = open_count();
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    assert_true(open_count() > before);
    outbox_free(&w.outbox);
    assert_int_equal(open_count(), before);
    close(w.ends[1]);
    end_world(&w);
}

static bool has_room(void *arg)
{
    struct outbox_world *w = arg;
    take_some(w);
    return w->outbox.count < OUTBOX_MAX;
}

/* Behind the configuration, however long that is, a bounded number of records may wait. */
static void what_waits_is_bounded(void **state)
{
    (void)state;
    struct outbox_world w;
    struct record record = {.type = RECORD_FD};
    make_world(&w);
    for (unsigned i = 0; i < COUNT; i++)
        send_numbered(&w, i);
    outbox_bound(&w.outbox);
    for (unsigned i = 0; i < OUTBOX_MAX; i++)
        send_numbered(&w, COUNT + i);
    int before = open_count();
    assert_int_equal(outbox_send(&w.outbox, &record, STDIN_FILENO), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(open_count(), before);
    bench_until(&w.bench, has_room, &w);
    send_numbered(&w, COUNT + OUTBOX_MAX);
    outbox_free(&w.outbox);
    assert_int_equal(w.outbox.count, 0);
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
