/* Packets of NFLOG by netlink messages made here: what the kernel sends, and what it would never.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/config.h"
#include "lib/nflog.h"
#include "listener/packet_stream.h"

enum { SECOND = 1000000000, PACKET = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, SIZE = 4096 };

/* A TCP SYN from 192.0.2.7:40000 to 198.51.100.1:7000. */
static const uint8_t syn[40] = {0x45, 0, 0, 40, 0,   1,  0,   0, 64,   6,    0,    0,
                                192,  0, 2, 7,  198, 51, 100, 1, 0x9c, 0x40, 0x1b, 0x58,
                                0,    0, 0, 1,  0,   0,  0,   0, 0x50, 2,    0xff, 0xff};

/* --- what is sent --- */

struct datagram {
    _Alignas(8) uint8_t bytes[SIZE];
    size_t len, message; /* in all, and where the last message begins */
};

static void *grow(struct datagram *d, size_t size)
{
    void *at = d->bytes + d->len;
    assert_true(d->len + size <= SIZE);
    d->len += NLMSG_ALIGN(size);
    return at;
}

static struct nlmsghdr *last_message(struct datagram *d)
{
    return (void *)(d->bytes + d->message);
}

static void begin_message(struct datagram *d, uint16_t type)
{
    d->message = d->len;
    memset(grow(d, NLMSG_HDRLEN + sizeof(struct nfgenmsg)), 0,
           NLMSG_HDRLEN + sizeof(struct nfgenmsg));
    *last_message(d) =
        (struct nlmsghdr){.nlmsg_type = type, .nlmsg_len = (uint32_t)(d->len - d->message)};
}

static void add(struct datagram *d, uint16_t type, const void *bytes, size_t len)
{
    struct nlattr *attribute = grow(d, NLA_HDRLEN + len);
    *attribute = (struct nlattr){.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + len)};
    memcpy((uint8_t *)attribute + NLA_HDRLEN, bytes, len);
    last_message(d)->nlmsg_len = (uint32_t)(d->len - d->message);
}

static void add_number(struct datagram *d, uint16_t type, uint32_t number)
{
    number = htonl(number);
    add(d, type, &number, sizeof(number));
}

/* A packet as the kernel sends it. */
static void add_packet(struct datagram *d, const char *prefix, uint32_t sequence)
{
    begin_message(d, PACKET);
    add(d, NFULA_PACKET_HDR, "\x08\x00\x01", 4);
    add(d, NFULA_PREFIX, prefix, strlen(prefix) + 1);
    add_number(d, NFULA_IFINDEX_INDEV, 3);
    add(d, NFULA_PAYLOAD, syn, sizeof(syn));
    add_number(d, NFULA_SEQ, sequence);
}

/* --- what is heard --- */

struct heard {
    struct packet_stream stream;
    struct line_spec spec;
    int peer;
    unsigned packets, gaps, said;
    uint64_t lost;
    struct packet_event last;
};

static void on_packet(void *arg, struct packet_event *event)
{
    struct heard *h = arg;
    h->packets++;
    h->last = *event;
}

static void on_gap(void *arg)
{
    ((struct heard *)arg)->gaps++;
}

static void on_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct heard *h = arg;
    assert_int_equal(kind, EVENT_GAP);
    h->said++;
    h->lost += number;
}

static void begin(struct heard *h)
{
    static const char *const prefixes[] = {"[DENY]"};
    int ends[2];
    *h = (struct heard){0};
    h->spec = (struct line_spec){.prefix_count = 1, .prefixes = prefixes};
    packet_stream_init(&h->stream, SOURCE_NFLOG, &h->spec,
                       (struct packet_stream_calls){
                           .packet = on_packet, .gap = on_gap, .event = on_event, .arg = h});
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    h->peer = ends[0];
    assert_true(packet_stream_add(&h->stream, ends[1]));
}

static void end(struct heard *h)
{
    close(h->peer);
    packet_stream_free(&h->stream);
}

static void pass(struct heard *h, const uint8_t *bytes, size_t len, int64_t now)
{
    assert_int_equal(send(h->peer, bytes, len, MSG_DONTWAIT), len);
    assert_false(packet_stream_read(&h->stream, now));
}

static void pass_packet(struct heard *h, uint32_t sequence, int64_t now)
{
    struct datagram d = {0};
    add_packet(&d, "[DENY] ", sequence);
    pass(h, d.bytes, d.len, now);
}

/* --- tests --- */

static void packets_are_heard(void **state)
{
    (void)state;
    struct heard h;
    struct datagram d = {0};
    begin(&h);
    add_packet(&d, "[DENY] ", 0);
    add(&d, NFULA_HWTYPE, "\0\1", 2);
    add(&d, NFULA_HWHEADER, "\1\0\x5e\0\0\1\2\2\2\2\2\2\x08\0", 14);
    pass(&h, d.bytes, d.len, SECOND);
    assert_int_equal(h.packets, 1);
    assert_int_equal(h.last.verdict, LINE_PACKET);
    assert_int_equal(h.last.in, 3);
    assert_int_equal(h.last.ip.packet.proto, IPPROTO_TCP);
    assert_int_equal(h.last.ip.packet.dpt, 7000);
    assert_true(h.last.ip.packet.link_group);

    /* Several messages in one datagram; between them what is about no packet. */
    d = (struct datagram){0};
    add_packet(&d, "[DENY] ", 1);
    begin_message(&d, NLMSG_NOOP);
    begin_message(&d, NLMSG_ERROR);
    begin_message(&d, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG);
    begin_message(&d, NFNL_SUBSYS_QUEUE << 8 | NFULNL_MSG_PACKET);
    add(&d, NFULA_PAYLOAD, syn, sizeof(syn));
    add_packet(&d, "[ACCEPT] ", 2);
    begin_message(&d, NLMSG_DONE);
    pass(&h, d.bytes, d.len, SECOND);
    assert_int_equal(h.packets, 3);
    assert_int_equal(h.last.verdict, LINE_PREFIX);
    assert_int_equal(h.last.prefix_len, 9);
    assert_memory_equal(h.last.prefix, "[ACCEPT] ", 9);
    assert_false(h.last.ip.packet.link_group);
    assert_int_equal(h.gaps, 0);
    end(&h);
}

/* Attributes of wrong sizes count as missing. */
static void wrong_sizes(void **state)
{
    (void)state;
    struct heard h;
    struct datagram d = {0};
    begin(&h);
    begin_message(&d, PACKET);
    add(&d, NFULA_PREFIX, "[DENY]", 6); /* not terminated */
    add(&d, NFULA_IFINDEX_INDEV, "\0\0\3", 3);
    add(&d, NFULA_SEQ, "\0", 1);
    add(&d, NFULA_HWTYPE, "\1", 1);
    add(&d, NFULA_HWHEADER, "", 0);
    add(&d, 4711, "x", 1);
    add(&d, NFULA_PAYLOAD, syn, sizeof(syn));
    pass(&h, d.bytes, d.len, SECOND);
    assert_int_equal(h.packets, 1);
    assert_int_equal(h.last.verdict, LINE_PACKET);
    assert_int_equal(h.last.in, 0);
    assert_int_equal(h.last.prefix_len, 6);
    assert_false(h.stream.has_next);

    d = (struct datagram){0};
    begin_message(&d, PACKET);
    add(&d, NFULA_PAYLOAD, "", 0);
    pass(&h, d.bytes, d.len, SECOND);
    assert_int_equal(h.packets, 2);
    assert_int_equal(h.last.verdict, LINE_PARTIAL);
    assert_int_equal(h.last.prefix_len, 0);
    end(&h);
}

/* Cut anywhere, with lengths that lie: nothing behind what came is read, and no packet is made. */
static void cut_datagrams(void **state)
{
    (void)state;
    struct heard h;
    struct datagram d = {0};
    begin(&h);
    add_packet(&d, "[DENY] ", 0);
    for (size_t len = 0; len < d.len; len++)
        pass(&h, d.bytes, len, SECOND);
    assert_int_equal(h.packets, 0);

    static const uint32_t lengths[] = {0, 1, NLMSG_HDRLEN - 1, SIZE, INT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        last_message(&d)->nlmsg_len = lengths[i];
        pass(&h, d.bytes, d.len, SECOND);
    }
    assert_int_equal(h.packets, 0);
    /* Without the family, and with attributes that are longer than the message or than nothing. */
    for (uint16_t len = 0; len < 12; len++) {
        d = (struct datagram){0};
        begin_message(&d, PACKET);
        add(&d, NFULA_PAYLOAD, syn, sizeof(syn));
        ((struct nlattr *)(void *)(d.bytes + NLMSG_HDRLEN + sizeof(struct nfgenmsg)))->nla_len =
            len < 4 ? len : (uint16_t)(UINT16_MAX - len);
        last_message(&d)->nlmsg_len = len % 2 ? NLMSG_HDRLEN : (uint32_t)d.len;
        pass(&h, d.bytes, d.len, SECOND);
        assert_int_equal(h.last.verdict, LINE_PARTIAL);
    }
    end(&h);
}

/* The gap is told of before the packet behind it; the number at most once a second. */
static void losses(void **state)
{
    (void)state;
    struct heard h;
    begin(&h);
    pass_packet(&h, UINT32_MAX - 1, SECOND); /* the first of all: nothing is known to be lost */
    assert_int_equal(h.gaps, 0);
    pass_packet(&h, UINT32_MAX, SECOND);
    pass_packet(&h, 0, SECOND); /* the counter begins over */
    assert_int_equal(h.gaps, 0);
    pass_packet(&h, 11, SECOND);
    assert_int_equal(h.gaps, 1);
    assert_int_equal(h.lost, 10);
    pass_packet(&h, 14, SECOND + 1);
    pass_packet(&h, 17, SECOND + SECOND / 2);
    assert_int_equal(h.gaps, 3);
    assert_int_equal(h.said, 1);
    pass_packet(&h, 18, (int64_t)2 * SECOND);
    assert_int_equal(h.gaps, 3);
    assert_int_equal(h.said, 2);
    assert_int_equal(h.lost, 14);
    /* One that went back tells nothing. */
    pass_packet(&h, 3, (int64_t)4 * SECOND);
    pass_packet(&h, 4, (int64_t)6 * SECOND);
    assert_int_equal(h.gaps, 3);
    assert_int_equal(h.said, 2);
    end(&h);
}

static void has_no_more_sockets_than_it_may(void **state)
{
    (void)state;
    struct heard h;
    begin(&h);
    assert_true(packet_stream_add(&h.stream, dup(h.peer)));
    assert_false(packet_stream_add(&h.stream, h.peer));
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_heard),
        cmocka_unit_test(wrong_sizes),
        cmocka_unit_test(cut_datagrams),
        cmocka_unit_test(losses),
        cmocka_unit_test(has_no_more_sockets_than_it_may),
    };
    if (!nflog_is_built()) {
        puts("1..0 # SKIP built without libnetfilter_log");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
