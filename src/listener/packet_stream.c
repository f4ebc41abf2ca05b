/*
 * A datagram becomes packets: of a capture it is one, from its IP header on, with the interface in
 * its address; of NFLOG a netlink message for each. What the kernel had to drop between them is
 * told by its counter, or by the gaps in its numbers.
 */
#include "listener/packet_stream.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/capture_ports.h"
#include "lib/nflog.h"

/* Datagrams that one call reads of each socket before other sources get their turn. */
enum { SHARE = 1024 };

/* Losses are reported no more often than this. */
static const int64_t report_pause = INT64_C(1000000000);

void packet_stream_init(struct packet_stream *stream, uint32_t type, const struct line_spec *spec,
                        struct packet_stream_calls calls)
{
    *stream = (struct packet_stream){.type = type, .spec = spec, .calls = calls};
}

void packet_stream_free(struct packet_stream *stream)
{
    while (stream->count > 0)
        close(stream->fds[--stream->count]);
}

bool packet_stream_add(struct packet_stream *stream, int fd)
{
    if (stream->count == PACKET_SOCKETS)
        return false;
    stream->fds[stream->count++] = fd;
    return true;
}

/* --- what was lost --- */

/* A counter that went back tells nothing. */
static void count_lost(struct packet_stream *stream, uint32_t lost)
{
    if (lost == 0 || lost > INT32_MAX)
        return;
    stream->lost += lost;
    stream->calls.gap(stream->calls.arg);
}

static void report_lost(struct packet_stream *stream, int64_t now)
{
    if (stream->lost == 0 || (stream->reported_at && now - stream->reported_at < report_pause))
        return;
    stream->calls.event(stream->calls.arg, EVENT_GAP, stream->lost);
    stream->lost = 0;
    stream->reported_at = now;
}

int64_t packet_stream_due(const struct packet_stream *stream)
{
    return stream->lost > 0 ? stream->reported_at + report_pause : INT64_MAX;
}

void packet_stream_report(struct packet_stream *stream, int64_t now)
{
    report_lost(stream, now);
}

/* --- NFLOG --- */

static void count_missing(struct packet_stream *stream, const struct nflog_packet *packet)
{
    if (!packet->has_sequence)
        return;
    if (stream->has_next)
        count_lost(stream, packet->sequence - stream->next);
    stream->next = packet->sequence + 1;
    stream->has_next = true;
}

static void pass_nflog(struct packet_stream *stream, const struct nflog_packet *packet)
{
    struct packet_event event = {
        .in = packet->in, .prefix = packet->prefix, .prefix_len = packet->prefix_len};
    count_missing(stream, packet);
    event.verdict = ip_packet_parse(packet->bytes, packet->len, &event.ip);
    if (event.verdict == LINE_PACKET &&
        !line_spec_has(stream->spec, packet->prefix, packet->prefix_len))
        event.verdict = LINE_PREFIX;
    event.ip.packet.link_group |= packet->link_group;
    stream->calls.packet(stream->calls.arg, &event);
}

static void pass_nflog_datagram(struct packet_stream *stream, const uint8_t *datagram, size_t len)
{
    struct nflog_packet packet;
    size_t at = 0;
    while (nflog_next(datagram, len, &at, &packet))
        pass_nflog(stream, &packet);
}

/* --- capture --- */

/*
 * What the kernel dropped since it was asked last: packet(7). SO_RXQ_OVFL would say it with each
 * packet, but for one of this host's own TCP, as a container's is, that makes Linux stumble
 * (hardened usercopy, seen in 6.18).
 */
static uint32_t ask_dropped(int fd)
{
    struct tpacket_stats stats = {0};
    socklen_t size = sizeof(stats);
    return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0 ? stats.tp_drops : 0;
}

/* How long the packet is of which less was copied, with PACKET_AUXDATA; SIZE_MAX: it isn't said. */
static size_t whole_length(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct tpacket_auxdata auxdata;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&auxdata, CMSG_DATA(c), sizeof(auxdata));
        return auxdata.tp_len;
    }
    return SIZE_MAX;
}

/* Its filter lets through what is for this host alone, so the link layer sent it to no group. */
static void pass_captured(struct packet_stream *stream, const uint8_t *bytes, size_t len,
                          size_t whole, const struct sockaddr_ll *from)
{
    struct packet_event event = {.in = (uint32_t)from->sll_ifindex};
    event.verdict = ip_packet_captured(bytes, len, whole, &event.ip);
    stream->calls.packet(stream->calls.arg, &event);
}

/* --- reading --- */

/* One datagram. False: there is none. */
static bool read_datagram(struct packet_stream *stream, unsigned socket)
{
    _Alignas(8) uint8_t datagram[NFLOG_DATAGRAM];
    union {
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct sockaddr_ll from = {0};
    struct iovec iov = {.iov_base = datagram, .iov_len = sizeof(datagram)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    bool captured = stream->type == SOURCE_PCAP;
    if (captured) {
        iov.iov_len = CAPTURE_COPIED; /* its filter lets no more through */
        message.msg_name = &from;
        message.msg_namelen = sizeof(from);
    }
    ssize_t got = recvmsg(stream->fds[socket], &message, MSG_DONTWAIT);
    /* ENOBUFS: NFLOG dropped some; the next one's number tells how many. */
    if (got < 0)
        return errno == EINTR || errno == ENOBUFS || errno == ENETDOWN;
    if (captured)
        pass_captured(stream, datagram, (size_t)got, whole_length(&message), &from);
    else
        pass_nflog_datagram(stream, datagram, (size_t)got);
    return true;
}

/* A share of what there is. Where among the packets that wait the lost ones were isn't known: there
 * is a gap before them and one behind. True: there may be more. */
static bool read_share(struct packet_stream *stream, unsigned socket)
{
    uint32_t dropped = stream->type == SOURCE_PCAP ? ask_dropped(stream->fds[socket]) : 0;
    int left = SHARE;
    count_lost(stream, dropped);
    while (left > 0 && read_datagram(stream, socket))
        left--;
    if (dropped > 0)
        stream->calls.gap(stream->calls.arg);
    return left == 0;
}

bool packet_stream_read(struct packet_stream *stream, int64_t now)
{
    bool more = false;
    for (unsigned socket = 0; socket < stream->count; socket++)
        more |= read_share(stream, socket);
    report_lost(stream, now);
    return more;
}
