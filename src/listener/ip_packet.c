/*
 * Parses a captured packet: the IP header, extension headers, and the header of the transport. On
 * the way it notes what a host discards the packet for, as ip_rcv, ip6_rcv, tcp_v4_rcv, udp_rcv and
 * their callees do in Linux.
 */
#include "listener/ip_packet.h"

#include <netinet/in.h>
#include <string.h>

enum {
    IP4_HEADER = 20,
    IP4_MORE = 0x2000,
    IP4_OFFSET = 0x1fff,
    IP4_END = 0,
    IP4_NOTHING = 1,
    IP4_LOOSE_ROUTE = 0x83,
    IP4_STRICT_ROUTE = 0x89,
    IP6_HEADER = 40,
    IP6_OFFSET = 0xfff8,
    IP6_MORE = 0x0001,
    IP6_PAD = 0,
    IP6_DISCARD = 0xc0,
    IP6_SEGMENTS_LEFT = 3,
    FRAGMENT_HEADER = 8,
    TCP_HEADER = 20,
    TCP_OFFSET = 12,
    TCP_FLAGS = 13,
    UDP_HEADER = 8,
};

/* What is left of the packet, from the next header on. */
struct rest {
    const uint8_t *p, *end; /* what was captured of it */
    size_t uncaptured;      /* bytes that the packet has behind that */
    bool jumbo;             /* it may have more */
    bool fragment;          /* one of several, the first one too */
    bool later;             /* not the first: no header of the transport follows */
    bool whole_only;        /* no header of the transport is looked for in fragments */
    bool refused;           /* a host discards it */
};

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool has(const struct rest *rest, size_t size)
{
    return (size_t)(rest->end - rest->p) >= size;
}

/* Bytes of the packet from here on. */
static size_t left(const struct rest *rest)
{
    return (size_t)(rest->end - rest->p) + rest->uncaptured;
}

static bool has_transport(const struct rest *rest, size_t header)
{
    return !rest->later && !(rest->fragment && rest->whole_only) && has(rest, header);
}

static void set_end(struct rest *rest, const uint8_t *bytes, size_t len, size_t total)
{
    rest->uncaptured = total > len ? total - len : 0;
    rest->end = bytes + (total < len ? total : len);
}

/* --- transport --- */

static void tcp(struct rest *rest, struct packet *packet)
{
    if (!has_transport(rest, TCP_HEADER))
        return;
    size_t header = (size_t)4 * (rest->p[TCP_OFFSET] >> 4);
    rest->refused |= header < TCP_HEADER || header > left(rest);
    packet->has_ports = true;
    packet->spt = load16(rest->p);
    packet->dpt = load16(rest->p + 2);
    packet->flags = rest->p[TCP_FLAGS];
}

static void udp(struct rest *rest, struct ip_packet *out)
{
    if (!has_transport(rest, UDP_HEADER))
        return;
    struct packet *packet = &out->packet;
    packet->has_ports = true;
    packet->spt = load16(rest->p);
    packet->dpt = load16(rest->p + 2);
    packet->length = load16(rest->p + 4);
    if (packet->proto != IPPROTO_UDP)
        return;
    rest->refused |= packet->length < UDP_HEADER || packet->length > left(rest);
    if (rest->uncaptured > 0 || rest->jumbo || rest->fragment ||
        packet->length != rest->end - rest->p)
        return;
    out->payload = rest->p + UDP_HEADER;
    out->payload_len = packet->length - UDP_HEADER;
}

static void transport(struct rest *rest, int proto, struct ip_packet *out)
{
    out->packet.proto = (int16_t)proto;
    if (proto == IPPROTO_TCP)
        tcp(rest, &out->packet);
    if (proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE)
        udp(rest, out);
}

/* --- IPv4 --- */

/* The sum of a right header is that of nothing but ones. */
static bool is_checksum_right(const uint8_t *header, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2)
        sum += load16(header + i);
    while (sum > UINT16_MAX)
        sum = (sum & UINT16_MAX) + (sum >> 16);
    return sum == UINT16_MAX;
}

/* Whether the options contradict themselves, or say by which hosts the packet has to go. */
static bool is_option4_refused(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != IP4_END) {
        size_t size = *p == IP4_NOTHING ? 1 : end - p < 2 ? 0 : p[1];
        bool route = *p == IP4_LOOSE_ROUTE || *p == IP4_STRICT_ROUTE;
        if (route || size == 0 || (*p != IP4_NOTHING && size < 2) || size > (size_t)(end - p))
            return true;
        p += size;
    }
    return false;
}

static enum line_verdict ip4(const uint8_t *bytes, size_t len, struct rest *rest,
                             struct ip_packet *out)
{
    if (len < IP4_HEADER)
        return LINE_PARTIAL;
    size_t header = (size_t)4 * (bytes[0] & 0xf), total = load16(bytes + 2);
    uint16_t fragment = load16(bytes + 6);
    struct packet *packet = &out->packet;
    packet->src.family = packet->dst.family = 4;
    memcpy(packet->src.bytes, bytes + 12, 4);
    memcpy(packet->dst.bytes, bytes + 16, 4);
    packet->length = (uint32_t)total;
    if (header < IP4_HEADER || total < header)
        return LINE_DAMAGED;
    rest->fragment = fragment & (IP4_MORE | IP4_OFFSET);
    rest->later = fragment & IP4_OFFSET;
    set_end(rest, bytes, len, total);
    rest->p = len < header ? rest->end : bytes + header;
    rest->refused = len >= header && (!is_checksum_right(bytes, header) ||
                                      is_option4_refused(bytes + IP4_HEADER, bytes + header));
    /* The kernel names no protocol of the later fragments of AH. */
    if (!rest->later || bytes[9] != IPPROTO_AH)
        transport(rest, bytes[9], out);
    return LINE_PACKET;
}

/* --- IPv6 --- */

static bool is_extension(int proto)
{
    return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
           proto == IPPROTO_AH || proto == IPPROTO_ESP || proto == IPPROTO_DSTOPTS;
}

/* The size of the extension header at rest->p, two bytes of which are there. 0: nothing that
 * follows can be read, since the header itself can't, or isn't in this fragment. */
static size_t extension_size(struct rest *rest, int proto)
{
    if (proto == IPPROTO_ESP || rest->later)
        return 0;
    if (proto == IPPROTO_AH)
        return (size_t)4 * (rest->p[1] + 2);
    if (proto != IPPROTO_FRAGMENT)
        return (size_t)8 * (rest->p[1] + 1);
    if (!has(rest, FRAGMENT_HEADER))
        return 0;
    uint16_t offset = load16(rest->p + 2);
    rest->fragment |= offset & (IP6_OFFSET | IP6_MORE);
    rest->later |= offset & IP6_OFFSET;
    return FRAGMENT_HEADER;
}

/* Whether the options contradict themselves, or one is to be understood or discarded with the
 * packet: of those, hosts understand none by default. */
static bool is_option6_refused(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        size_t size = *p == IP6_PAD ? 1 : end - p < 2 ? 0 : 2U + p[1];
        if (*p & IP6_DISCARD || size == 0 || size > (size_t)(end - p))
            return true;
        p += size;
    }
    return false;
}

/* Whether the extension header of `size` bytes makes a host discard the packet. */
static bool is_extension_refused(const uint8_t *p, size_t size, int proto, bool first)
{
    if (proto == IPPROTO_ROUTING)
        return p[IP6_SEGMENTS_LEFT] > 0;
    if (proto == IPPROTO_HOPOPTS && !first)
        return true;
    return (proto == IPPROTO_HOPOPTS || proto == IPPROTO_DSTOPTS) &&
           is_option6_refused(p + 2, p + size);
}

/* Goes behind the extension headers. Returns the protocol that follows, -1 when they end before. */
static int skip_extensions(struct rest *rest, int proto)
{
    for (bool first = true; is_extension(proto); first = false) {
        size_t size = has(rest, 2) ? extension_size(rest, proto) : 0;
        if (size == 0)
            return -1;
        bool there = has(rest, size);
        rest->refused |= there && is_extension_refused(rest->p, size, proto, first);
        proto = rest->p[0];
        rest->p = there ? rest->p + size : rest->end;
    }
    return proto;
}

/* A payload length of 0 before a hop-by-hop header is a jumbogram's, which states it elsewhere. */
static void set_end6(struct rest *rest, const uint8_t *bytes, size_t len)
{
    uint16_t payload = load16(bytes + 4);
    rest->jumbo = payload == 0 && bytes[6] == IPPROTO_HOPOPTS;
    set_end(rest, bytes, len, rest->jumbo ? len : (size_t)IP6_HEADER + payload);
}

static enum line_verdict ip6(const uint8_t *bytes, size_t len, struct rest *rest,
                             struct ip_packet *out)
{
    if (len < IP6_HEADER)
        return LINE_PARTIAL;
    struct packet *packet = &out->packet;
    packet->src.family = packet->dst.family = 6;
    memcpy(packet->src.bytes, bytes + 8, 16);
    memcpy(packet->dst.bytes, bytes + 24, 16);
    packet->length = (uint32_t)IP6_HEADER + load16(bytes + 4);
    rest->p = bytes + IP6_HEADER;
    set_end6(rest, bytes, len);
    /* A longer packet than any link carries. */
    rest->refused = rest->jumbo;
    transport(rest, skip_extensions(rest, bytes[6]), out);
    return LINE_PACKET;
}

/* --- all --- */

static enum line_verdict parse(const uint8_t *bytes, size_t len, struct rest *rest,
                               struct ip_packet *out)
{
    *out = (struct ip_packet){.packet.proto = -1, .packet.in = ""};
    if (len == 0)
        return LINE_PARTIAL;
    switch (bytes[0] >> 4) {
    case 4:
        return ip4(bytes, len, rest, out);
    case 6:
        return ip6(bytes, len, rest, out);
    default:
        return LINE_FOREIGN;
    }
}

enum line_verdict ip_packet_parse(const uint8_t *bytes, size_t len, struct ip_packet *out)
{
    struct rest rest = {.whole_only = false};
    return parse(bytes, len, &rest, out);
}

enum line_verdict ip_packet_captured(const uint8_t *bytes, size_t len, size_t whole,
                                     struct ip_packet *out)
{
    struct rest rest = {.whole_only = true};
    enum line_verdict verdict = parse(bytes, len, &rest, out);
    if (verdict != LINE_PACKET)
        return verdict;
    size_t total = len + rest.uncaptured;
    if (rest.refused || total > whole) {
        out->payload = NULL;
        return LINE_DAMAGED;
    }
    return LINE_PACKET;
}
