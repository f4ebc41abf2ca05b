#include "listener/transport.h"

#include <netinet/in.h>

#include "lib/sequence.h"
#include "listener/ip_items.h"

/* "INCOMPLETE [n bytes] ", in the place of a header that the packet was too short for. ulogd
 * forgets the blank, so UID= or MARK= may abut. */
static bool take_incomplete(const char **p, const struct items *it)
{
    if (!TAKE(p, it->end, "INCOMPLETE"))
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

static const char *ports(const char *p, const char *end, struct packet *packet)
{
    uint32_t spt = 0, dpt = 0;
    p = FIELD(FIELD(p, end, "SPT=", 65535, &spt), end, "DPT=", 65535, &dpt);
    packet->spt = (uint16_t)spt;
    packet->dpt = (uint16_t)dpt;
    return p;
}

/* The bare tokens between RES= and URGP=. AE has no bit in what we keep of the flags. */
static const char *tcp_flags(const char *p, const char *end, uint8_t *out)
{
    static const char names[] = "CWR ECE URG ACK PSH RST SYN FIN ";
    *out = 0;
    TAKE(&p, end, "AE ");
    for (int i = 0; i < 8; i++)
        *out |= scan_take(&p, end, names + (ptrdiff_t)4 * i, 4) ? TCP_CWR >> i : 0;
    return p;
}

/* Behind WINDOW=. Nearly every denied packet is a bare SYN. */
static const char *tcp_end(const char *p, const struct items *it, struct packet *packet)
{
    uint32_t ignored;
    packet->flags = TCP_SYN;
    if (!it->ulogd && TAKE(&p, it->end, "RES=0x00 SYN URGP=0 "))
        return p;
    if (!it->ulogd)
        p = SCAN(scan_hex(SCAN(p, it->end, "RES=0x"), it->end, 2, 2), it->end, " ");
    p = tcp_flags(p, it->end, &packet->flags);
    return LAST_FIELD(p, it, "URGP=", 65535, &ignored);
}

static const char *tcp(const char *p, const struct items *it, struct packet *packet)
{
    const char *end = it->end;
    packet->proto = IPPROTO_TCP;
    if (!take_header(&p, it))
        return p;
    uint32_t ignored;
    p = ports(p, end, packet);
    if (TAKE(&p, end, "SEQ=")) {
        p = SCAN(scan_number(p, end, UINT32_MAX, &ignored), end, " ");
        p = FIELD(p, end, "ACK=", UINT32_MAX, &ignored);
    }
    p = tcp_end(FIELD(p, end, "WINDOW=", 65535, &ignored), it, packet);
    if (TAKE(&p, end, "OPT (")) {
        const char *cut = SCAN(p, end, "TRUNCATED");
        p = item_end(SCAN(cut ? cut : scan_hex(p, end, 2, 80), end, ")"), it);
    }
    packet->has_ports = p;
    return p;
}

static const char *udp(const char *p, const struct items *it, int16_t proto, struct packet *packet)
{
    packet->proto = proto;
    if (!take_header(&p, it))
        return p;
    p = LAST_FIELD(ports(p, it->end, packet), it, "LEN=", 65535, &packet->length);
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
    return LAST_FIELD(p, it, "DPT=", 65535, &ignored);
}

static const char *ipsec(const char *p, const struct items *it, int16_t proto,
                         struct packet *packet)
{
    packet->proto = proto;
    if (!take_header(&p, it))
        return p;
    return item_end(scan_hex(SCAN(p, it->end, "SPI=0x"), it->end, 1, 8), it);
}

/* "[SRC=...] ": nothing of the packet that the error quotes is used, but it must be one. */
static const char *quoted(const char *p, const struct items *it)
{
    struct items inner = {.end = it->end, .inner = true};
    struct packet scratch;
    if (it->inner)
        return NULL;
    if (!TAKE(&p, it->end, "TRUNCATED"))
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
    p = LAST_FIELD(p, it, "CODE=", 255, &ignored);
    if (take_incomplete(&p, it))
        return p;
    if (TAKE(&p, end, "ID=")) {
        p = SCAN(scan_number(p, end, 65535, &ignored), end, " ");
        return LAST_FIELD(p, it, "SEQ=", 65535, &ignored);
    }
    if (TAKE(&p, end, "PARAMETER="))
        return item_end(scan_number(p, end, 255, &ignored), it);
    if (TAKE(&p, end, "GATEWAY="))
        p = item_end(scan_quad(p, end, gateway.bytes), it);
    if (TAKE(&p, end, "POINTER="))
        p = item_end(scan_hex(p, end, 8, 8), it);
    if (TAKE(&p, end, "["))
        p = quoted(p, it);
    if (TAKE(&p, end, "MTU="))
        p = item_end(scan_number(p, end, UINT32_MAX, &ignored), it);
    return p;
}

/* "PROTO=..." and what that protocol's header tells. */
const char *transport_items(const char *p, const struct items *it, struct packet *packet)
{
    const char *end = it->end, *q;
    uint32_t number;
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
