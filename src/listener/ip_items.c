#include "listener/ip_items.h"

#include "listener/transport.h"

/* Longest IP packet: the kernel's limit with segmentation offload (BIG TCP). */
enum { LENGTH_MAX = 8 * 65536 };

static const char *service(const char *p, const struct items *it)
{
    /* Zeros are what nearly every packet has. */
    if (TAKE(&p, it->end, "TOS=0x00 PREC=0x00 "))
        return p;
    p = SCAN(p, it->end, "TOS=");
    if (!TAKE(&p, it->end, "0x") && !it->ulogd)
        return NULL;
    p = SCAN(scan_hex(p, it->end, 2, 2), it->end, " PREC=0x");
    return SCAN(scan_hex(p, it->end, 2, 2), it->end, " ");
}

static const char *ip4(const char *p, struct items *it, struct packet *packet)
{
    const char *end = it->end;
    uint32_t ignored, offset = 0;
    p = service(FIELD(p, end, "LEN=", LENGTH_MAX, &packet->length), it);
    p = FIELD(FIELD(p, end, "TTL=", 255, &ignored), end, "ID=", 65535, &ignored);
    TAKE(&p, end, "CE ");
    TAKE(&p, end, "DF ");
    TAKE(&p, end, "MF ");
    if (TAKE(&p, end, "FRAG:"))
        p = item_end(scan_number(p, end, 8191, &offset), it);
    it->fragment = offset > 0;
    if (TAKE(&p, end, "TRUNCATED"))
        return item_end(p, it);
    if (TAKE(&p, end, "OPT ("))
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
        TAKE(&p, end, " ");
    p = SCAN(scan_number(p, end, 65535, &offset), end, " ");
    it->fragment |= offset > 0;
    TAKE(&p, end, "INCOMPLETE ");
    p = SCAN(p, end, "ID:");
    if (it->ulogd)
        TAKE(&p, end, " ");
    return item_end(scan_hex(p, end, 8, 8), it);
}

/* Behind "AH " or "ESP ". The closing bracket of ESP abuts, for it ends the packet. */
static const char *security_header(const char *p, const struct items *it)
{
    uint32_t bytes;
    if (SCAN(p, it->end, ")"))
        return p;
    if (TAKE(&p, it->end, "INCOMPLETE ["))
        return SCAN(scan_number(p, it->end, UINT32_MAX, &bytes), it->end, " bytes] ");
    return SCAN(scan_hex(SCAN(p, it->end, "SPI=0x"), it->end, 1, 8), it->end, " ");
}

/* The extension headers. Without --log-ip-options only FRAG: shows, not in brackets. */
static const char *extensions(const char *p, struct items *it)
{
    const char *end = it->end;
    while (p) {
        bool bracket = TAKE(&p, end, "OPT ( ");
        if (TAKE(&p, end, "FRAG:TRUNCATED"))
            return item_end(p, it);
        if (TAKE(&p, end, "FRAG:"))
            p = fragment_header(p, it);
        else if (!bracket)
            return p;
        else if (TAKE(&p, end, "AH ") || TAKE(&p, end, "ESP "))
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
    p = FIELD(p, end, "LEN=", LENGTH_MAX, &packet->length);
    p = FIELD(p, end, "TC=", 255, &ignored);
    p = FIELD(p, end, "HOPLIMIT=", 255, &ignored);
    p = LAST_FIELD(p, it, "FLOWLBL=", 0xfffff, &ignored);
    p = extensions(p, it);
    if (TAKE(&p, end, "TRUNCATED"))
        return item_end(p, it);
    /* A chain that ends in its extension headers (ESP, a later fragment) names no protocol. */
    return SCAN(p, end, "PROTO=") ? transport_items(p, it, packet) : p;
}

const char *ip_packet(const char *p, struct items *it, struct packet *packet)
{
    packet->proto = -1;
    packet->has_ports = false;
    packet->spt = packet->dpt = packet->flags = 0;
    p = SCAN(scan_address(SCAN(p, it->end, "SRC="), it->end, &packet->src), it->end, " ");
    p = SCAN(scan_address(SCAN(p, it->end, "DST="), it->end, &packet->dst), it->end, " ");
    if (!p || packet->src.family != packet->dst.family)
        return NULL;
    if (it->ulogd && SCAN(p, it->end, "PROTO=ARP"))
        return p;
    return packet->src.family == 4 ? ip4(p, it, packet) : ip6(p, it, packet);
}

static const char *owner_and_mark(const char *p, const struct items *it)
{
    const char *end = it->end;
    uint32_t ignored;
    if (TAKE(&p, end, "UID=")) {
        p = item_end(scan_number(p, end, UINT32_MAX, &ignored), it);
        if (it->ulogd ? TAKE(&p, end, "GID=") : (p = SCAN(p, end, "GID=")) != NULL)
            p = item_end(scan_number(p, end, UINT32_MAX, &ignored), it);
    }
    if (!TAKE(&p, end, "MARK="))
        return p;
    if (!TAKE(&p, end, "0x") && !it->ulogd)
        return NULL;
    return item_end(scan_hex(p, end, 1, 8), it);
}

enum line_verdict ip_items(const char *p, const char *end, bool ulogd, struct packet *packet)
{
    struct items it = {.end = end, .ulogd = ulogd};
    const char *truncated = SCAN(p, end, "TRUNCATED");
    if (truncated)
        return item_end(truncated, &it) == end ? LINE_PARTIAL : LINE_DAMAGED;
    if (SCAN(p, end, "ARP HTYPE="))
        return LINE_FOREIGN;
    p = ip_packet(p, &it, packet);
    if (ulogd && SCAN(p, end, "PROTO=ARP"))
        return LINE_FOREIGN;
    return owner_and_mark(p, &it) == end ? LINE_PACKET : LINE_DAMAGED;
}
