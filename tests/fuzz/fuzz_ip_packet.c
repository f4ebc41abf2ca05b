/*
 * Captured packets. What is taken for a packet is one that the bytes literally tell of: addresses,
 * ports, lengths and payload stand in them where they must. Written again, as a packet of its own
 * and as the kernel's log line, it is read as the same; with less of it captured nothing else is
 * told, and behind its end nothing counts. Of a capture no more is taken.
 */
#include "fuzz.h"

#include <netinet/in.h>

#include "lib/sequence.h"
#include "listener/ip_packet.h"
#include "listener/packet_fields.h"

static unsigned load16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void store16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static bool is_udp(const struct packet *p)
{
    return p->proto == IPPROTO_UDP || p->proto == IPPROTO_UDPLITE;
}

static bool same(const struct packet *a, const struct packet *b)
{
    return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) && a->length == b->length &&
           a->proto == b->proto && a->has_ports == b->has_ports && a->flags == b->flags &&
           a->spt == b->spt && a->dpt == b->dpt;
}

/* --- where the bytes say so --- */

/* Whether the header of the transport may be at `p`. */
static bool is_header(const struct packet *packet, const uint8_t *p)
{
    return load16(p) == packet->spt && load16(p + 2) == packet->dpt &&
           (is_udp(packet) ? load16(p + 4) == packet->length : p[13] == packet->flags);
}

static void claim_ports(const struct packet *packet, const uint8_t *bytes, size_t len)
{
    bool v4 = packet->src.family == 4;
    size_t size = is_udp(packet) ? 8 : 20, at = v4 ? (size_t)4 * (bytes[0] & 15) : 40;
    CLAIM(is_udp(packet) || packet->proto == IPPROTO_TCP);
    CLAIM(at + size <= len);
    while (!v4 && at + size < len && !is_header(packet, bytes + at))
        at += 4; /* extension headers have multiples of 4 bytes */
    CLAIM(is_header(packet, bytes + at));
    CLAIM(!v4 || (load16(bytes + 6) & 0x1fff) == 0);
}

static void claim_payload(const struct ip_packet *p, const uint8_t *bytes, size_t len)
{
    const struct packet *packet = &p->packet;
    CLAIM(packet->proto == IPPROTO_UDP && packet->has_ports);
    CLAIM(p->payload - bytes >= (packet->src.family == 4 ? 28 : 48));
    CLAIM(p->payload + p->payload_len <= bytes + len);
    CLAIM(p->payload_len + 8 == packet->length);
    CLAIM(is_header(packet, p->payload - 8));
    size_t end = packet->src.family == 4 ? load16(bytes + 2) : 40 + load16(bytes + 4);
    CLAIM((size_t)(p->payload - bytes) + p->payload_len == end);
    CLAIM(packet->src.family == 6 || (load16(bytes + 6) & 0x3fff) == 0);
}

static void claim_literal(const struct ip_packet *p, const uint8_t *bytes, size_t len)
{
    const struct packet *packet = &p->packet;
    bool v4 = bytes[0] >> 4 == 4;
    CLAIM(v4 || bytes[0] >> 4 == 6);
    CLAIM(packet->src.family == (v4 ? 4 : 6) && packet->dst.family == packet->src.family);
    CLAIM(memcmp(packet->src.bytes, bytes + (v4 ? 12 : 8), v4 ? 4 : 16) == 0);
    CLAIM(memcmp(packet->dst.bytes, bytes + (v4 ? 16 : 24), v4 ? 4 : 16) == 0);
    CLAIM(packet->in_len == 0 && !packet->link_group);
    if (!packet->has_ports || !is_udp(packet))
        CLAIM(packet->length == (v4 ? load16(bytes + 2) : 40 + load16(bytes + 4)));
    if (!packet->has_ports)
        CLAIM(packet->spt == 0 && packet->dpt == 0 && packet->flags == 0);
    if (packet->has_ports)
        claim_ports(packet, bytes, len);
    if (p->payload)
        claim_payload(p, bytes, len);
}

/* --- written again --- */

enum { WRITTEN_MAX = 40 + 3 * 8 + 20 + 65536 };

/* The fixed header, for `size` bytes behind it. */
static size_t write_ip(const struct packet *packet, unsigned size, int proto, uint8_t *out)
{
    bool v4 = packet->src.family == 4;
    memset(out, 0, v4 ? 20 : 40);
    out[0] = v4 ? 0x45 : 0x60;
    store16(out + (v4 ? 2 : 4), v4 ? 20 + size : size);
    out[v4 ? 9 : 6] = (uint8_t)proto;
    memcpy(out + (v4 ? 12 : 8), packet->src.bytes, v4 ? 4 : 16);
    memcpy(out + (v4 ? 16 : 24), packet->dst.bytes, v4 ? 4 : 16);
    return v4 ? 20 : 40;
}

static size_t write_transport(const struct ip_packet *p, uint8_t *out)
{
    const struct packet *packet = &p->packet;
    memset(out, 0, 20);
    store16(out, packet->spt);
    store16(out + 2, packet->dpt);
    if (!is_udp(packet)) {
        out[12] = 0x50;
        out[13] = packet->flags;
        return 20;
    }
    store16(out + 4, packet->length);
    if (p->payload)
        memcpy(out + 8, p->payload, p->payload_len);
    /* Without a payload one byte of it is missing, or there is one too many. */
    return 8 + (p->payload ? p->payload_len : packet->length == 8);
}

/* A packet with ports; `extensions` of IPv6 before the transport. */
static size_t write_whole(const struct ip_packet *p, unsigned extensions, uint8_t *out)
{
    static const uint8_t kinds[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING};
    size_t header = p->packet.src.family == 4 ? 20 : 40, at = header;
    for (unsigned i = 0; i < extensions; i++, at += 8) {
        memset(out + at, 0, 8);
        out[at] = i + 1 < extensions ? kinds[i + 1] : (uint8_t)p->packet.proto;
    }
    at += write_transport(p, out + at);
    write_ip(&p->packet, (unsigned)(at - header), extensions ? kinds[0] : p->packet.proto, out);
    return at;
}

/* A packet without ports: of which nothing but the IP header was captured. */
static size_t write_header(const struct packet *packet, uint8_t *out)
{
    bool v4 = packet->src.family == 4;
    int proto = packet->proto != -1 ? packet->proto : v4 ? IPPROTO_AH : IPPROTO_ESP;
    size_t len = write_ip(packet, packet->length - (v4 ? 20 : 40), proto, out);
    if (v4 && packet->proto == -1)
        out[7] = 1; /* a later fragment */
    return len;
}

static void claim_written(const struct ip_packet *p)
{
    uint8_t *written = malloc(WRITTEN_MAX);
    CLAIM(written);
    for (unsigned extensions = 0; extensions <= (p->packet.src.family == 6 ? 3 : 0); extensions++) {
        struct ip_packet again;
        size_t header = p->packet.src.family == 4 ? 20 : 40;
        size_t len = p->packet.has_ports ? write_whole(p, extensions, written)
                                         : write_header(&p->packet, written);
        if (len - header > 65535 - 20)
            break; /* longer with a header of ours than a packet can be */
        CLAIM(ip_packet_parse(written, len, &again) == LINE_PACKET);
        if (!p->packet.has_ports || is_udp(&p->packet))
            CLAIM(same(&p->packet, &again.packet));
        again.packet.length = p->packet.length;
        CLAIM(same(&p->packet, &again.packet));
        CLAIM(!p->payload == !again.payload);
        CLAIM(!p->payload || (p->payload_len == again.payload_len &&
                              memcmp(p->payload, again.payload, p->payload_len) == 0));
    }
    free(written);
}

/* --- as the kernel's log has it --- */

static int log_transport(const struct packet *packet, char *out, size_t size)
{
    static const char names[8][5] = {"CWR ", "ECE ", "URG ", "ACK ",
                                     "PSH ", "RST ", "SYN ", "FIN "};
    char flags[8 * 4 + 1] = "";
    if (is_udp(packet))
        return snprintf(out, size, "SPT=%u DPT=%u LEN=%u ", packet->spt, packet->dpt,
                        packet->length);
    for (int i = 0; i < 8; i++)
        if (packet->flags & 0x80 >> i)
            strcat(flags, names[i]);
    return snprintf(out, size, "SPT=%u DPT=%u WINDOW=1 RES=0x00 %sURGP=0 ", packet->spt,
                    packet->dpt, flags);
}

static int log_proto(const struct packet *packet, char *out, size_t size)
{
    static const struct {
        int proto, family;
        const char *name;
    } named[] = {
        {IPPROTO_TCP, 0, "TCP"},   {IPPROTO_UDP, 0, "UDP"},       {IPPROTO_UDPLITE, 0, "UDPLITE"},
        {IPPROTO_ICMP, 4, "ICMP"}, {IPPROTO_ICMPV6, 6, "ICMPv6"}, {IPPROTO_AH, 4, "AH"},
        {IPPROTO_ESP, 4, "ESP"},
    };
    int used;
    if (packet->proto == -1)
        return 0;
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        if (named[i].proto != packet->proto ||
            (named[i].family && named[i].family != packet->src.family))
            continue;
        used = snprintf(out, size, "PROTO=%s ", named[i].name);
        if (packet->has_ports)
            return used + log_transport(packet, out + used, size - (size_t)used);
        return used + snprintf(out + used, size - (size_t)used, "INCOMPLETE [0 bytes] ");
    }
    return snprintf(out, size, "PROTO=%d ", packet->proto);
}

static void claim_logged(const struct packet *packet)
{
    char line[512], src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];
    bool v4 = packet->src.family == 4;
    struct packet logged = {0};
    int used =
        snprintf(line, sizeof(line), "SRC=%s DST=%s LEN=%u %s%s", addr_format(&packet->src, src),
                 addr_format(&packet->dst, dst), packet->length,
                 v4 ? "TOS=0x00 PREC=0x00 TTL=1 ID=1 " : "TC=0 HOPLIMIT=1 FLOWLBL=0 ",
                 v4 && packet->proto == -1 ? "FRAG:1 " : "");
    used += log_proto(packet, line + used, sizeof(line) - (size_t)used);
    CLAIM(packet_fields(line, line + used, false, NULL, &logged) == LINE_PACKET);
    CLAIM(same(packet, &logged));
}

/* --- more and less of it --- */

static void claim_less(const struct ip_packet *whole, const uint8_t *bytes, size_t len)
{
    struct ip_packet part;
    uint8_t *copy = malloc(len + 1);
    CLAIM(copy);
    memcpy(copy + 1, bytes, len);
    enum line_verdict verdict = ip_packet_parse(copy + 1, len, &part);
    free(copy);
    CLAIM(verdict == LINE_PACKET || verdict == LINE_PARTIAL);
    if (verdict == LINE_PARTIAL)
        return;
    CLAIM(part.packet.proto == whole->packet.proto || part.packet.proto == -1);
    CLAIM(!part.packet.has_ports || same(&part.packet, &whole->packet));
    CLAIM(!part.payload || part.payload_len == whole->payload_len);
}

/* The padding of a link; a jumbogram has no end that is read. */
static void claim_padded(const struct ip_packet *whole, const uint8_t *bytes, size_t len)
{
    size_t total = bytes[0] >> 4 == 4 ? load16(bytes + 2) : 40 + load16(bytes + 4);
    if (len < total || (total == 40 && bytes[6] == IPPROTO_HOPOPTS))
        return;
    struct ip_packet padded;
    uint8_t *copy = malloc(total + 46);
    CLAIM(copy);
    memset(copy, 0xa5, total + 46);
    memcpy(copy, bytes, total);
    CLAIM(ip_packet_parse(copy, total + 46, &padded) == LINE_PACKET);
    CLAIM(same(&whole->packet, &padded.packet));
    CLAIM(!whole->payload == !padded.payload && whole->payload_len == padded.payload_len);
    free(copy);
}

/* --- captured --- */

/* What is taken of a capture is what is taken of NFLOG, but for the ports of fragments; and it is
 * nothing that a host discards, as far as its fixed headers tell. */
static void claim_captured(const uint8_t *bytes, size_t len, size_t whole)
{
    struct ip_packet captured, logged;
    if (ip_packet_captured(bytes, len, whole, &captured) != LINE_PACKET) {
        CLAIM(!captured.payload);
        return;
    }
    CLAIM(ip_packet_parse(bytes, len, &logged) == LINE_PACKET);
    const struct packet *packet = &captured.packet;
    bool v4 = packet->src.family == 4;
    CLAIM(addr_equal(&packet->src, &logged.packet.src) && packet->proto == logged.packet.proto);
    CLAIM(!captured.payload || captured.payload == logged.payload);
    CLAIM((v4 ? load16(bytes + 2) : 40 + load16(bytes + 4)) <= whole);
    if (v4 && len >= 4U * (bytes[0] & 15)) {
        uint64_t sum = 0;
        for (size_t i = 0; i < 4U * (bytes[0] & 15); i += 2)
            sum += load16(bytes + i);
        CLAIM(sum > 0 && sum % UINT16_MAX == 0);
    }
    if (!packet->has_ports)
        return;
    CLAIM(same(packet, &logged.packet));
    CLAIM(!v4 || (load16(bytes + 6) & 0x3fff) == 0);
    CLAIM(packet->proto != IPPROTO_UDP || (packet->length >= 8 && packet->length <= whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip_packet packet;
    if (size == 0)
        return 0;
    /* The first byte says how much of the packet isn't there. */
    size_t len = size - 1, less = data[0];
    uint8_t *bytes = malloc(len + 1);
    CLAIM(bytes);
    memcpy(bytes, data + 1, len);
    claim_captured(bytes, len, len + less);
    if (ip_packet_parse(bytes, len, &packet) == LINE_PACKET) {
        claim_literal(&packet, bytes, len);
        claim_written(&packet);
        claim_logged(&packet.packet);
        claim_less(&packet, bytes, less < len ? len - less : 0);
        claim_padded(&packet, bytes, len);
    } else {
        CLAIM(!packet.payload);
    }
    free(bytes);
    return 0;
}
