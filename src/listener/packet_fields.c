/*
 * The fields of a packet as a log line has them, from SRC= on: addresses, IP header, then what the
 * log tells of the header of TCP, UDP, ICMP and others.
 */
#include "listener/packet_fields.h"

#include <netinet/in.h>

#include "lib/sequence.h"
#include "listener/scan.h"

/* Longest IP packet: the kernel's limit with segmentation offload (BIG TCP). */
enum { LENGTH_MAX = 8 * 65536 };

/* Where the reading is in the grammar, the same for all items of one packet. */
struct items {
    const char *end;
    bool ulogd;
    bool inner;                     /* the packet that an ICMP error quotes, up to its "]" */
    bool fragment;                  /* a later one: no header of the transport follows */
    struct known_quad *destination; /* NULL: none is kept */
};

/* "KEY=" number. A key that has the blank before it tells that the item in front of it is whole. */
#define FIELD(p, end, key, max, out) scan_number(SCAN(p, end, key), end, max, out)

/* Behind an item that may be the line's last: its blank, or the end of the packet. */
static inline const char *item_end(const char *p, const struct items *it)
{
    if (!p || p == it->end)
        return p;
    if (*p == ' ')
        return p + 1;
    return it->inner && *p == ']' ? p : NULL;
}

#define LAST_FIELD(p, it, key, max, out) item_end(FIELD(p, (it)->end, key, max, out), it)

/* --- from PROTO= on --- */

/* "INCOMPLETE [n bytes] ", in the place of a header that the packet was too short for. ulogd
 * forgets the blank, so UID= or MARK= may abut. */
static bool take_incomplete(const char **p, const struct items *it)
{
    if (!SKIP(p, it->end, "INCOMPLETE"))
        return false;
    if (it->ulogd) {
        *p = scan_blanks(*p, it->end);
        return true;
    }
    uint32_t bytes;
    const char *q = scan_number(SCAN(*p, it->end, " ["), it->end, UINT32_MAX, &bytes);
    *p = item_end(SCAN(q, it->end, " bytes]"), it);
    return true;
}

/* Behind a protocol's name. True when its header follows. A later fragment has none; ulogd calls it
 * incomplete. */
static bool take_header(const char **p, const struct items *it)
{
    *p = item_end(*p, it);
    return *p && !take_incomplete(p, it) && !it->fragment;
}

/* From behind "SPT=" to behind the number of the other port. */
SCAN_OFTEN const char *ports(const char *p, const char *end, struct packet *packet)
{
    uint32_t spt = 0, dpt = 0;
    p = FIELD(scan_number(p, end, 65535, &spt), end, " DPT=", 65535, &dpt);
    packet->spt = (uint16_t)spt;
    packet->dpt = (uint16_t)dpt;
    return p;
}

/* The bare tokens between RES= and URGP=. AE has no bit in what we keep of the flags. */
static const char *tcp_flags(const char *p, const char *end, uint8_t *out)
{
    static const char names[] = "CWR ECE URG ACK PSH RST SYN FIN ";
    *out = 0;
    SKIP(&p, end, "AE ");
    for (int i = 0; i < 8; i++)
        *out |= scan_skip(&p, end, names + (ptrdiff_t)4 * i, 4) ? TCP_CWR >> i : 0;
    return p;
}

/* Behind the number of WINDOW=. Nearly every denied packet is a bare SYN. */
static const char *tcp_end(const char *p, const struct items *it, struct packet *packet)
{
    uint32_t ignored;
    packet->flags = TCP_SYN;
    if (!it->ulogd && SKIP(&p, it->end, " RES=0x00 SYN URGP=0 "))
        return p;
    if (!it->ulogd)
        p = scan_hex(SCAN(p, it->end, " RES=0x"), it->end, 2, 2);
    p = tcp_flags(SCAN(p, it->end, " "), it->end, &packet->flags);
    return LAST_FIELD(p, it, "URGP=", 65535, &ignored);
}

static const char *sequence_numbers(const char *p, const char *end)
{
    uint32_t ignored;
    p = FIELD(p, end, " SEQ=", UINT32_MAX, &ignored);
    return FIELD(p, end, " ACK=", UINT32_MAX, &ignored);
}

/* From behind "SPT=" on. */
SCAN_OFTEN const char *tcp_header(const char *p, const struct items *it, struct packet *packet)
{
    const char *end = it->end;
    uint32_t ignored;
    p = ports(p, end, packet);
    if (!SKIP(&p, end, " WINDOW="))
        p = SCAN(sequence_numbers(p, end), end, " WINDOW=");
    p = tcp_end(scan_number(p, end, 65535, &ignored), it, packet);
    if (p != end && SKIP(&p, end, "OPT (")) {
        const char *cut = SCAN(p, end, "TRUNCATED");
        p = item_end(SCAN(cut ? cut : scan_hex(p, end, 2, 80), end, ")"), it);
    }
    packet->has_ports = p;
    return p;
}

static const char *tcp(const char *p, const struct items *it, struct packet *packet)
{
    packet->proto = IPPROTO_TCP;
    return take_header(&p, it) ? tcp_header(SCAN(p, it->end, "SPT="), it, packet) : p;
}

static const char *udp(const char *p, const struct items *it, int16_t proto, struct packet *packet)
{
    packet->proto = proto;
    if (!take_header(&p, it))
        return p;
    p = ports(SCAN(p, it->end, "SPT="), it->end, packet);
    p = LAST_FIELD(p, it, " LEN=", 65535, &packet->length);
    packet->has_ports = p;
    return p;
}

/* Only ulogd names it. Its ports are no door's business, but must be well-formed. */
static const char *sctp(const char *p, const struct items *it, struct packet *packet)
{
    uint32_t ignored;
    packet->proto = IPPROTO_SCTP;
    if (!it->ulogd || !take_header(&p, it))
        return it->ulogd ? p : NULL;
    p = FIELD(p, it->end, "SPT=", 65535, &ignored);
    return LAST_FIELD(p, it, " DPT=", 65535, &ignored);
}

static const char *ipsec(const char *p, const struct items *it, int16_t proto,
                         struct packet *packet)
{
    packet->proto = proto;
    if (!take_header(&p, it))
        return p;
    return item_end(scan_hex(SCAN(p, it->end, "SPI=0x"), it->end, 1, 8), it);
}

static const char *ip_packet(const char *p, struct items *it, struct packet *packet);

/* "[SRC=...] ": nothing of the packet that the error quotes is used, but it must be one. */
static const char *quoted(const char *p, const struct items *it)
{
    struct items inner = {.end = it->end, .inner = true};
    struct packet scratch;
    if (it->inner)
        return NULL;
    if (!SKIP(&p, it->end, "TRUNCATED"))
        p = ip_packet(p, &inner, &scratch);
    return item_end(SCAN(p, it->end, "]"), it);
}

/* What follows TYPE= and CODE= hangs on the type; ulogd looks at the code instead, by mistake. */
static const char *icmp(const char *p, const struct items *it, int16_t proto, struct packet *packet)
{
    const char *end = it->end;
    uint32_t ignored;
    struct addr gateway;
    packet->proto = proto;
    if (!take_header(&p, it))
        return p;
    p = FIELD(p, end, "TYPE=", 255, &ignored);
    p = LAST_FIELD(p, it, " CODE=", 255, &ignored);
    if (take_incomplete(&p, it))
        return p;
    if (SKIP(&p, end, "ID=")) {
        p = scan_number(p, end, 65535, &ignored);
        return LAST_FIELD(p, it, " SEQ=", 65535, &ignored);
    }
    if (SKIP(&p, end, "PARAMETER="))
        return item_end(scan_number(p, end, 255, &ignored), it);
    if (SKIP(&p, end, "GATEWAY="))
        p = item_end(scan_quad(p, end, gateway.bytes), it);
    if (SKIP(&p, end, "POINTER="))
        p = item_end(scan_hex(p, end, 8, 8), it);
    if (SKIP(&p, end, "["))
        p = quoted(p, it);
    if (SKIP(&p, end, "MTU="))
        p = item_end(scan_number(p, end, UINT32_MAX, &ignored), it);
    return p;
}

/* "PROTO=..." and what that protocol's header tells. */
static const char *transport_items(const char *p, const struct items *it, struct packet *packet)
{
    const char *end = it->end, *q;
    uint32_t number = 0;
    p = SCAN(p, end, "PROTO=");
    if ((q = SCAN(p, end, "TCP")))
        return tcp(q, it, packet);
    if ((q = SCAN(p, end, "UDPLITE")))
        return udp(q, it, IPPROTO_UDPLITE, packet);
    if ((q = SCAN(p, end, "UDP")))
        return udp(q, it, IPPROTO_UDP, packet);
    if ((q = SCAN(p, end, "ICMPv6")))
        return packet->src.family == 6 ? icmp(q, it, IPPROTO_ICMPV6, packet) : NULL;
    if ((q = SCAN(p, end, "ICMP")))
        return packet->src.family == 4 ? icmp(q, it, IPPROTO_ICMP, packet) : NULL;
    if ((q = SCAN(p, end, "AH")))
        return ipsec(q, it, IPPROTO_AH, packet);
    if ((q = SCAN(p, end, "ESP")))
        return ipsec(q, it, IPPROTO_ESP, packet);
    if ((q = SCAN(p, end, "SCTP")))
        return sctp(q, it, packet);
    p = item_end(scan_number(p, end, 255, &number), it);
    packet->proto = p ? (int16_t)number : -1;
    return p;
}

/* --- up to PROTO= --- */

/* From behind the number of LEN= to behind "TTL=". */
static const char *service(const char *p, const struct items *it)
{
    /* Zeros are what nearly every packet has. */
    if (SKIP(&p, it->end, " TOS=0x00 PREC=0x00 TTL="))
        return p;
    p = SCAN(p, it->end, " TOS=");
    if (!SKIP(&p, it->end, "0x") && !it->ulogd)
        return NULL;
    p = SCAN(scan_hex(p, it->end, 2, 2), it->end, " PREC=0x");
    return SCAN(scan_hex(p, it->end, 2, 2), it->end, " TTL=");
}

static const char *ip4(const char *p, struct items *it, struct packet *packet)
{
    const char *end = it->end;
    uint32_t ignored, offset = 0;
    p = service(FIELD(p, end, " LEN=", LENGTH_MAX, &packet->length), it);
    p = FIELD(scan_number(p, end, 255, &ignored), end, " ID=", 65535, &ignored);
    p = SCAN(p, end, " ");
    SKIP(&p, end, "CE ");
    SKIP(&p, end, "DF ");
    /* As nearly every packet goes on. */
    if (SKIP(&p, end, "PROTO=TCP SPT=")) {
        packet->proto = IPPROTO_TCP;
        return tcp_header(p, it, packet);
    }
    if (SCAN(p, end, "PROTO="))
        return transport_items(p, it, packet);
    SKIP(&p, end, "MF ");
    if (SKIP(&p, end, "FRAG:"))
        p = item_end(scan_number(p, end, 8191, &offset), it);
    it->fragment = offset > 0;
    if (SKIP(&p, end, "TRUNCATED"))
        return item_end(p, it);
    if (SKIP(&p, end, "OPT ("))
        p = item_end(SCAN(scan_hex(p, end, 2, 80), end, ")"), it);
    /* The kernel says nothing at all of the protocol of AH's later fragments. */
    return it->fragment && !SCAN(p, end, "PROTO=") ? p : transport_items(p, it, packet);
}

/* Behind "FRAG:". ulogd writes "FRAG: n ID: x", and doesn't know of more fragments. */
static const char *fragment_header(const char *p, struct items *it)
{
    const char *end = it->end;
    uint32_t offset = 0;
    if (it->ulogd)
        SKIP(&p, end, " ");
    p = SCAN(scan_number(p, end, 65535, &offset), end, " ");
    it->fragment |= offset > 0;
    SKIP(&p, end, "INCOMPLETE ");
    p = SCAN(p, end, "ID:");
    if (it->ulogd)
        SKIP(&p, end, " ");
    return item_end(scan_hex(p, end, 8, 8), it);
}

/* Behind "AH " or "ESP ". The closing bracket of ESP abuts, for it ends the packet. */
static const char *security_header(const char *p, const struct items *it)
{
    uint32_t bytes;
    if (SCAN(p, it->end, ")"))
        return p;
    if (SKIP(&p, it->end, "INCOMPLETE ["))
        return SCAN(scan_number(p, it->end, UINT32_MAX, &bytes), it->end, " bytes] ");
    return SCAN(scan_hex(SCAN(p, it->end, "SPI=0x"), it->end, 1, 8), it->end, " ");
}

/* The extension headers. Without --log-ip-options only FRAG: shows, not in brackets. */
static const char *extensions(const char *p, struct items *it)
{
    const char *end = it->end;
    while (p) {
        bool bracket = SKIP(&p, end, "OPT ( ");
        if (SKIP(&p, end, "FRAG:TRUNCATED"))
            return item_end(p, it);
        if (SKIP(&p, end, "FRAG:"))
            p = fragment_header(p, it);
        else if (!bracket)
            return p;
        else if (SKIP(&p, end, "AH ") || SKIP(&p, end, "ESP "))
            p = security_header(p, it);
        if (bracket)
            p = item_end(SCAN(p, end, ")"), it);
    }
    return p;
}

static const char *ip6(const char *p, struct items *it, struct packet *packet)
{
    const char *end = it->end;
    uint32_t ignored;
    p = FIELD(p, end, " LEN=", LENGTH_MAX, &packet->length);
    p = FIELD(p, end, " TC=", 255, &ignored);
    p = FIELD(p, end, " HOPLIMIT=", 255, &ignored);
    p = LAST_FIELD(p, it, " FLOWLBL=", 0xfffff, &ignored);
    p = extensions(p, it);
    if (SKIP(&p, end, "TRUNCATED"))
        return item_end(p, it);
    /* A chain that ends in its extension headers (ESP, a later fragment) names no protocol. */
    return SCAN(p, end, "PROTO=") ? transport_items(p, it, packet) : p;
}

static bool is_known(const struct known_quad *known, const char *p, const char *end)
{
    scan_bytes others;
    if (!known || known->len == 0 || end - p < (ptrdiff_t)sizeof(known->text))
        return false;
    others = scan_load16(p) ^ scan_load16(known->text);
    return scan_none(others & scan_load16(known->mask));
}

/* Reads it as scan_address does, and keeps it. */
SCAN_RARE const char *read_known(struct known_quad *known, const char *p, const char *end,
                                 struct addr *out)
{
    const char *after = scan_address(p, end, out);
    if (!known || !after || out->family != 4)
        return after;
    known->len = (uint8_t)(after - p);
    known->address = *out;
    memset(known->mask, 0, sizeof(known->mask));
    memset(known->mask, 0xff, known->len + 1u);
    memcpy(known->text, p, known->len + 1u);
    return after;
}

static const char *destination(const char *p, const struct items *it, struct addr *out)
{
    struct known_quad *known = it->destination;
    if (!p || !is_known(known, p, it->end))
        return read_known(known, p, it->end, out);
    *out = known->address;
    return p + known->len;
}

/* One packet, without what may follow in the line. It is also what an ICMP error quotes. */
static const char *ip_packet(const char *p, struct items *it, struct packet *packet)
{
    packet->proto = -1;
    packet->has_ports = false;
    packet->spt = packet->dpt = packet->flags = 0;
    p = scan_address(SCAN(p, it->end, "SRC="), it->end, &packet->src);
    p = destination(SCAN(p, it->end, " DST="), it, &packet->dst);
    if (!p || packet->src.family != packet->dst.family)
        return NULL;
    if (it->ulogd && SCAN(p, it->end, " PROTO=ARP"))
        return p + 1;
    return packet->src.family == 4 ? ip4(p, it, packet) : ip6(p, it, packet);
}

static const char *owner_and_mark(const char *p, const struct items *it)
{
    const char *end = it->end;
    uint32_t ignored;
    if (SKIP(&p, end, "UID=")) {
        p = item_end(scan_number(p, end, UINT32_MAX, &ignored), it);
        if (it->ulogd ? SKIP(&p, end, "GID=") : (p = SCAN(p, end, "GID=")) != NULL)
            p = item_end(scan_number(p, end, UINT32_MAX, &ignored), it);
    }
    if (!SKIP(&p, end, "MARK="))
        return p;
    if (!SKIP(&p, end, "0x") && !it->ulogd)
        return NULL;
    return item_end(scan_hex(p, end, 1, 8), it);
}

/* What the kernel logs in the place of a packet's items. */
static enum line_verdict no_packet(const char *p, const struct items *it)
{
    const char *truncated = SCAN(p, it->end, "TRUNCATED");
    if (truncated)
        return item_end(truncated, it) == it->end ? LINE_PARTIAL : LINE_DAMAGED;
    return SCAN(p, it->end, "ARP HTYPE=") ? LINE_FOREIGN : LINE_DAMAGED;
}

enum line_verdict packet_fields(const char *p, const char *end, bool ulogd,
                                struct known_quad *destination, struct packet *packet)
{
    struct items it = {.end = end, .ulogd = ulogd, .destination = destination};
    const char *after = ip_packet(p, &it, packet);
    if (after && after == end)
        return LINE_PACKET;
    if (!after)
        return no_packet(p, &it);
    if (ulogd && SCAN(after, end, "PROTO=ARP"))
        return LINE_FOREIGN;
    return owner_and_mark(after, &it) == end ? LINE_PACKET : LINE_DAMAGED;
}
