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
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "listener/reader.h"

enum { MS = 1000000 };

struct world {
    struct loop *loop;
    struct listener_config setup;
    struct reader reader;
    unsigned opened;
};

static void tell(void *arg, struct message *message)
{
    struct world *w = arg;
    w->opened += message->type == MESSAGE_OPEN;
}

static void take(struct world *w, const struct message *message,
                 enum listener_config_result expected)
{
    assert_int_equal(listener_config_receive(&w->setup, message), expected);
}

/* One file as source, and a door of two steps within `timeout`. */
static struct world *make_world(int64_t timeout)
{
    static struct world world;
    struct world *w = &world;
    memset(w, 0, sizeof(*w));
    const struct message config = {
        .type = MESSAGE_CONFIG,
        .u.config = {.sources = 1, .doors = 1, .plain = 1, .max_sources = 16}};
    const struct message source = {.type = MESSAGE_SOURCE,
                                   .u.source = {SOURCE_FILE, FORMAT_KERNEL}};
    const struct message door = {
        .type = MESSAGE_DOOR,
        .u.door = {.sequence = {2, {{7000, IPPROTO_TCP}, {8000, IPPROTO_TCP}}},
                   .timeout = timeout,
                   .flags = {TCP_SYN, TCP_ACK},
                   .strict = 1}};
    take(w, &config, LISTENER_CONFIG_MORE);
    take(w, &source, LISTENER_CONFIG_MORE);
    take(w, &door, LISTENER_CONFIG_MORE);
    take(w, &(struct message){.type = MESSAGE_START}, LISTENER_CONFIG_COMPLETE);
    w->loop = loop_new();
    assert_non_null(w->loop);
    assert_int_equal(reader_register(&w->reader, w->loop), 0);
    assert_true(reader_begin(&w->reader, &w->setup, tell, w));
    return w;
}

static void end_world(struct world *w)
{
    reader_free(&w->reader);
    listener_config_free(&w->setup);
    loop_free(w->loop);
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

static bool hand_over(struct world *w, uint32_t kind, uint32_t source, int fd)
{
    const struct message_fd message = {.kind = kind, .source = source, .watch = -1};
    return reader_take_fd(&w->reader, &message, fd);
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
        struct world *w = make_world(rows[i].timeout);
        int old = make_file();
        log_packet(old, 7000);
        assert_true(hand_over(w, FD_LOG, 0, old));
        nanosleep(&(struct timespec){.tv_nsec = 40 * MS}, NULL);
        log_packet(old, 8000);
        assert_int_equal(w->opened, 0);
        assert_true(hand_over(w, FD_LOG, 0, make_file()));
        assert_int_equal(w->opened, rows[i].opened);
        end_world(w);
    }
}

static void refuses_what_no_keeper_sends(void **state)
{
    (void)state;
    struct world *w = make_world(CLOCK_SECOND);
    int file = make_file(), first = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
        second = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_false(hand_over(w, FD_LOG, 0, -1));
    assert_false(hand_over(w, FD_LOG, 1, file));
    assert_false(hand_over(w, 0, 0, file));
    assert_true(hand_over(w, FD_INOTIFY, 0, first));
    assert_false(hand_over(w, FD_INOTIFY, 0, second));
    close(file);
    close(second);
    end_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_before_the_rotation_has_its_own_time),
        cmocka_unit_test(refuses_what_no_keeper_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
