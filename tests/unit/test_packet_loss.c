/*
 * What a source of packets lost: attempts learn of it before the packet that comes next, the log
 * once a second. A UDP socket stands for a capture's: both have the kernel's count of what it
 * dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/config.h"
#include "listener/packet_stream.h"

#define SECOND INT64_C(1000000000)

enum { SIZE = 1000 };

/* A letter a call: a packet, a gap, an event. */
static char heard[4096];
static uint64_t lost;

static void hear(char letter)
{
    size_t used = strlen(heard);
    assert_true(used + 1 < sizeof(heard));
    heard[used] = letter;
}

static void on_packet(void *arg, struct packet_event *event)
{
    (void)arg, (void)event;
    hear('p');
}

static void on_gap(void *arg)
{
    (void)arg;
    hear('g');
}

static void on_event(void *arg, enum event_kind kind, uint64_t number)
{
    (void)arg;
    assert_int_equal(kind, EVENT_GAP);
    lost += number;
    hear('e');
}

/* A socket that counts what it drops; *sender sends to it. */
static int open_receiver(int *sender)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(to);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, room = 1;
    *sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && *sender >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &size), 0);
    assert_int_equal(connect(*sender, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void send_packets(int sender, unsigned count)
{
    static const char bytes[SIZE];
    while (count-- > 0)
        assert_int_equal(send(sender, bytes, SIZE, 0), SIZE);
}

static void assert_heard(const char *expected)
{
    assert_string_equal(heard, expected);
    memset(heard, 0, sizeof(heard));
}

static void losses_come_before_what_follows(void **state)
{
    (void)state;
    static const struct line_spec spec;
    struct packet_stream stream;
    int sender, fd = open_receiver(&sender);
    packet_stream_init(&stream, SOURCE_PCAP, &spec,
                       (struct packet_stream_calls){on_packet, on_gap, on_event, NULL});
    assert_true(packet_stream_add(&stream, fd));

    send_packets(sender, 1);
    packet_stream_read(&stream, SECOND);
    assert_heard("p");
    /* Few fit; none of these was sent after a loss. */
    send_packets(sender, 50);
    packet_stream_read(&stream, SECOND);
    size_t fitted = strlen(heard);
    assert_in_range(fitted, 1, 49);
    assert_int_equal(strspn(heard, "p"), fitted);
    memset(heard, 0, sizeof(heard));
    send_packets(sender, 1);
    packet_stream_read(&stream, SECOND);
    assert_heard("gpe");
    assert_int_equal(lost, 50 - fitted);
    send_packets(sender, 1);
    packet_stream_read(&stream, SECOND);
    assert_heard("p");
    /* The next loss is told of later, but known at once. */
    send_packets(sender, 50);
    packet_stream_read(&stream, SECOND + SECOND / 2);
    memset(heard, 0, sizeof(heard));
    send_packets(sender, 1);
    packet_stream_read(&stream, SECOND + SECOND / 2);
    assert_heard("gp");
    packet_stream_read(&stream, 2 * SECOND);
    assert_heard("e");
    assert_int_equal(lost, 2 * (50 - fitted));
    packet_stream_free(&stream);
    close(sender);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_come_before_what_follows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
