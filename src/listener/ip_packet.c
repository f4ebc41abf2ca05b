/* Parses a captured packet: the IP header, extension headers, and the header of the transport. */
#include "listener/ip_packet.h"

#include <netinet/in.h>
#include <string.h>

#include "lib/sequence.h"

enum {
    IP4_HEADER = 20,
    IP4_MORE = 0x2000,
    IP4_OFFSET = 0x1fff,
    IP6_HEADER = 40,
    IP6_OFFSET = 0xfff8,
    IP6_MORE = 0x0001,
    FRAGMENT_HEADER = 8,
    TCP_HEADER = 20,
    TCP_FLAGS = 13,
    UDP_HEADER = 8,
};

/* What is left of the packet, from the next header on. */
struct rest {
    const uint8_t *p, *end; /* what was captured of it */
    bool cut;               /* the packet has more */
    bool fragment;          /* one of several, the first one too */
    bool later;             /* not the first: no header of the transport follows */
};

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool has(const struct rest *rest, size_t size)
{
    return (size_t)(rest->end - rest->p) >= size;
}

static void set_end(struct rest *rest, const uint8_t *bytes, size_t len, size_t total)
{
    rest->cut = total > len;
    rest->end = bytes + (total < len ? total : len);
}

/* --- transport --- */

static void tcp(const struct rest *rest, struct packet *packet)
{
    if (rest->later || !has(rest, TCP_HEADER))
        return;
    packet->has_ports = true;
    packet->spt = load16(rest->p);
    packet->dpt = load16(rest->p + 2);
    packet->flags = rest->p[TCP_FLAGS];
}

static void udp(const struct rest *rest, struct ip_packet *out)
{
    if (rest->later || !has(rest, UDP_HEADER))
        return;
    struct packet *packet = &out->packet;
    packet->has_ports = true;
    packet->spt = load16(rest->p);
    packet->dpt = load16(rest->p + 2);
    packet->length = load16(rest->p + 4);
    bool whole = !rest->cut && !rest->fragment && packet->length == rest->end - rest->p;
    if (packet->proto != IPPROTO_UDP || !whole)
        return;
    out->payload = rest->p + UDP_HEADER;
    out->payload_len = packet->length - UDP_HEADER;
}

static void transport(const struct rest *rest, int proto, struct ip_packet *out)
{
    out->packet.proto = (int16_t)proto;
    if (proto == IPPROTO_TCP)
        tcp(rest, &out->packet);
    if (proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE)
        udp(rest, out);
}

/* --- IPv4 --- */

static enum line_verdict ip4(const uint8_t *bytes, size_t len, struct ip_packet *out)
{
    if (len < IP4_HEADER)
        return LINE_PARTIAL;
    size_t header = (size_t)4 * (bytes[0] & 0xf), total = load16(bytes + 2);
    uint16_t fragment = load16(bytes + 6);
    if (header < IP4_HEADER || total < header)
        return LINE_DAMAGED;
    struct packet *packet = &out->packet;
    packet->src.family = packet->dst.family = 4;
    memcpy(packet->src.bytes, bytes + 12, 4);
    memcpy(packet->dst.bytes, bytes + 16, 4);
    packet->length = (uint32_t)total;
    struct rest rest = {.fragment = fragment & (IP4_MORE | IP4_OFFSET),
                        .later = fragment & IP4_OFFSET};
    set_end(&rest, bytes, len, total);
    rest.p = len < header ? rest.end : bytes + header;
    /* The kernel names no protocol of the later fragments of AH. */
    if (!rest.later || bytes[9] != IPPROTO_AH)
        transport(&rest, bytes[9], out);
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

/* Goes behind the extension headers. Returns the protocol that follows, -1 when they end before. */
static int skip_extensions(struct rest *rest, int proto)
{
    while (is_extension(proto)) {
        size_t size = has(rest, 2) ? extension_size(rest, proto) : 0;
        if (size == 0)
            return -1;
        proto = rest->p[0];
        rest->p = has(rest, size) ? rest->p + size : rest->end;
    }
    return proto;
}

/* A payload length of 0 before a hop-by-hop header is a jumbogram's, which states it elsewhere. */
static void set_end6(struct rest *rest, const uint8_t *bytes, size_t len)
{
    uint16_t payload = load16(bytes + 4);
    bool jumbo = payload == 0 && bytes[6] == IPPROTO_HOPOPTS;
    set_end(rest, bytes, len, jumbo ? len : (size_t)IP6_HEADER + payload);
    rest->cut |= jumbo;
}

static enum line_verdict ip6(const uint8_t *bytes, size_t len, struct ip_packet *out)
{
    if (len < IP6_HEADER)
        return LINE_PARTIAL;
    struct packet *packet = &out->packet;
    packet->src.family = packet->dst.family = 6;
    memcpy(packet->src.bytes, bytes + 8, 16);
    memcpy(packet->dst.bytes, bytes + 24, 16);
    packet->length = (uint32_t)IP6_HEADER + load16(bytes + 4);
    struct rest rest = {.p = bytes + IP6_HEADER};
    set_end6(&rest, bytes, len);
    transport(&rest, skip_extensions(&rest, bytes[6]), out);
    return LINE_PACKET;
}

enum line_verdict ip_packet_parse(const uint8_t *bytes, size_t len, struct ip_packet *out)
{
    *out = (struct ip_packet){.packet.proto = -1, .packet.in = ""};
    if (len == 0)
        return LINE_PARTIAL;
    switch (bytes[0] >> 4) {
    case 4:
        return ip4(bytes, len, out);
    case 6:
        return ip6(bytes, len, out);
    default:
        return LINE_FOREIGN;
    }
}
