/* What comes back for the packets of a knock is counted, and changes nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "knock/replies.h"
#include "knock/round_port.h"
#include "knock/send.h"
#include "lib/clock.h"

enum { WAIT_MS = 5000 };

/* A socket at a port of 127.0.0.1, or [::1], where nothing listens unless it is TCP's listen(). */
static int take_port(int family, int type, struct knock_target *out)
{
    const char *why;
    assert_true(knock_target_resolve(family == AF_INET ? "127.0.0.1" : "::1", family, out, &why));
    int fd = socket(family, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &out->address.any, out->length), 0);
    assert_int_equal(getsockname(fd, &out->address.any, &out->length), 0);
    return fd;
}

/* The port of a socket that is closed again. */
static struct knock_target closed_port(int family, int type)
{
    struct knock_target target;
    close(take_port(family, type, &target));
    return target;
}

static uint16_t port_of(const struct knock_target *target)
{
    return ntohs(target->address.any.sa_family == AF_INET6 ? target->address.ip6.sin6_port
                                                           : target->address.ip4.sin_port);
}

/* Collects until as much came back, or too long. */
static void collect(struct replies *replies, const unsigned *counter, unsigned wanted)
{
    int64_t until = clock_now() + WAIT_MS * (CLOCK_SECOND / 1000);
    while (*counter < wanted && clock_now() < until) {
        replies_collect(replies);
        knock_pause(1);
    }
    assert_true(*counter >= wanted);
}

static void counts_what_came_back(void **state)
{
    (void)state;
    static const int families[] = {AF_INET, AF_INET6};
    for (unsigned i = 0; i < 2; i++) {
        struct source source = {0};
        struct replies replies;
        if (families[i] == AF_INET6 && access("/proc/net/if_inet6", F_OK) < 0)
            continue;
        struct knock_target udp = closed_port(families[i], SOCK_DGRAM);
        struct knock_target tcp = closed_port(families[i], SOCK_STREAM);
        replies_open(&replies, &udp, true);
        struct port_proto by_udp = {.port = port_of(&udp), .proto = IPPROTO_UDP};
        struct port_proto by_tcp = {.port = port_of(&tcp), .proto = IPPROTO_TCP};
        assert_int_equal(knock_send(&source, &udp, by_udp, &replies), 0);
        assert_int_equal(knock_send(&source, &tcp, by_tcp, &replies), 0);
        collect(&replies, &replies.answers.rejected, 1);
        collect(&replies, &replies.answers.reset, 1);
        assert_int_equal(replies.answers.rejection, ICMP_KIND_PORT);
        assert_int_equal(replies.answers.unreachable, 0);
        replies_close(&replies);
        assert_int_equal(replies.count, 0);
        assert_int_equal(replies.answers.rejected, 1);
    }
}

/* Every other packet is answered by an error, at once: none of the rest is lost, none comes twice.
 */
static void no_error_fails_the_next_packet(void **state)
{
    (void)state;
    enum { PACKETS = 200 };
    struct source source = {0};
    struct replies replies;
    struct round_port round_port;
    struct knock_target to, closed = closed_port(AF_INET, SOCK_DGRAM);
    int receiver = take_port(AF_INET, SOCK_DGRAM, &to);
    replies_open(&replies, &to, true);
    const char *why;
    assert_true(knock_target_resolve("127.0.0.1", AF_INET, &source.own, &why));
    assert_int_equal(round_port_open(&round_port, &to, &source, IPPROTO_UDP, &replies), 0);
    for (unsigned i = 0; i < PACKETS; i++) {
        uint8_t number = (uint8_t)i, got;
        struct carrier_packet packet = {.proto = IPPROTO_UDP, .length = 1};
        packet.port = port_of(&closed);
        assert_int_equal(round_port_send(&round_port, &packet, &number), 0);
        packet.port = port_of(&to);
        assert_int_equal(round_port_send(&round_port, &packet, &number), 0);
        struct pollfd ready = {.fd = receiver, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        assert_int_equal(recv(receiver, &got, 1, 0), 1);
        assert_int_equal(got, number);
    }
    assert_int_equal(recv(receiver, &(uint8_t){0}, 1, MSG_DONTWAIT), -1);
    round_port_collect(&round_port);
    round_port_close(&round_port);
    assert_in_range(replies.answers.rejected, 1, PACKETS);
    replies_close(&replies);
    close(receiver);
}

/* A connection that a service takes is reset, and its socket given back. */
static void resets_connections(void **state)
{
    (void)state;
    struct source source = {0};
    struct replies replies;
    struct knock_target to;
    int service = take_port(AF_INET, SOCK_STREAM, &to);
    assert_int_equal(listen(service, 4), 0);
    replies_open(&replies, &to, true);
    struct port_proto step = {.port = port_of(&to), .proto = IPPROTO_TCP};
    assert_int_equal(knock_send(&source, &to, step, &replies), 0);
    int64_t until = clock_now() + WAIT_MS * (CLOCK_SECOND / 1000);
    while (replies.count > 0 && clock_now() < until)
        replies_collect(&replies);
    assert_int_equal(replies.count, 0);
    assert_int_equal(replies.answers.reset, 0);
    close(service);
}

/* However many have sent, the last are kept, and TCP's only for their time. */
static void keeps_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct source source = {0};
    struct replies replies;
    struct knock_target to;
    int receiver = take_port(AF_INET, SOCK_DGRAM, &to);
    struct port_proto step = {.port = port_of(&to), .proto = IPPROTO_UDP};
    replies_open(&replies, &to, false);
    for (unsigned i = 0; i < REPLIES_MAX + 10; i++)
        assert_int_equal(knock_send(&source, &to, step, &replies), 0);
    assert_int_equal(replies.count, REPLIES_MAX);
    replies_collect(&replies);
    assert_int_equal(replies.count, REPLIES_MAX);
    replies_close(&replies);
    assert_int_equal(replies.count, 0);
    close(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_came_back),
        cmocka_unit_test(no_error_fails_the_next_packet),
        cmocka_unit_test(resets_connections),
        cmocka_unit_test(keeps_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests_name("knock_replies", tests, NULL, NULL);
}
