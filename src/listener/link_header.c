/* Goes behind the header of a link: each link says in its own way which protocol follows. */
#include "listener/link_header.h"

#include <string.h>

enum {
    ETHERTYPE_IP4 = 0x0800,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IP6 = 0x86dd,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
    ETHERTYPE_PPPOE = 0x8864,
    ETHERNET_HEADER = 14,
    VLAN_TAG = 4,
    PPPOE_HEADER = 6,
    PPPOE_SESSION = 0x1100, /* version 1, type 1, code 0 */
    PPP_IP4 = 0x0021,
    PPP_IP6 = 0x0057,
    HDLC_BROADCAST = 0xff03, /* address and control of PPP's framing */
    CISCO_UNICAST = 0x0f00,
    CISCO_BROADCAST = 0x8f00,
    SLL_HEADER = 16,
    SLL2_HEADER = 20,
    SLL_LOOPBACK = 772, /* ARPHRD_LOOPBACK */
    SLL_NETLINK = 824,  /* ARPHRD_NETLINK: its protocol is a family of netlink */
};

/* What is left of the packet, and which IP version the link says it is: 4, 6, or 0, either. */
struct rest {
    const uint8_t *p, *end;
    int version;
};

static unsigned load16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static bool has(const struct rest *rest, size_t size)
{
    return (size_t)(rest->end - rest->p) >= size;
}

static enum line_verdict version_follows(struct rest *rest, int version)
{
    rest->version = version;
    return LINE_PACKET;
}

/* --- PPP --- */

/* The protocol, in one byte where it is odd. */
static enum line_verdict ppp_protocol(struct rest *rest)
{
    if (!has(rest, 1) || (!(rest->p[0] & 1) && !has(rest, 2)))
        return LINE_PARTIAL;
    bool compressed = rest->p[0] & 1;
    unsigned protocol = compressed ? rest->p[0] : load16(rest->p);
    rest->p += compressed ? 1 : 2;
    if (protocol == PPP_IP4 || protocol == PPP_IP6)
        return version_follows(rest, protocol == PPP_IP4 ? 4 : 6);
    return LINE_FOREIGN;
}

/* With framing or without; 0xff begins no protocol that has a byte alone. */
static enum line_verdict ppp(struct rest *rest)
{
    if (has(rest, 1) && rest->p[0] == HDLC_BROADCAST >> 8 && !has(rest, 2))
        return LINE_PARTIAL;
    if (has(rest, 2) && load16(rest->p) == HDLC_BROADCAST)
        rest->p += 2;
    return ppp_protocol(rest);
}

static enum line_verdict ppp_with_direction(struct rest *rest, struct link_packet *out)
{
    if (has(rest, 1) && rest->p[0] <= 1 && !has(rest, 2))
        return LINE_PARTIAL;
    if (has(rest, 2) && rest->p[0] <= 1 && rest->p[1] == (HDLC_BROADCAST & 0xff)) {
        out->direction = rest->p[0] == 1 ? LINK_OUTGOING : LINK_HERE;
        rest->p += 2;
        return ppp_protocol(rest);
    }
    return ppp(rest);
}

static enum line_verdict pppoe(struct rest *rest)
{
    if (!has(rest, PPPOE_HEADER))
        return LINE_PARTIAL;
    if (load16(rest->p) != PPPOE_SESSION)
        return LINE_FOREIGN;
    rest->p += PPPOE_HEADER;
    return ppp_protocol(rest);
}

/* --- Ethernet's protocols --- */

static bool is_vlan(unsigned ethertype)
{
    return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ ||
           ethertype == ETHERTYPE_QINQ_OLD;
}

static enum line_verdict ethertype_follows(struct rest *rest, unsigned ethertype)
{
    for (; is_vlan(ethertype); rest->p += VLAN_TAG) {
        if (!has(rest, VLAN_TAG))
            return LINE_PARTIAL;
        ethertype = load16(rest->p + 2);
    }
    if (ethertype == ETHERTYPE_IP4 || ethertype == ETHERTYPE_IP6)
        return version_follows(rest, ethertype == ETHERTYPE_IP4 ? 4 : 6);
    return ethertype == ETHERTYPE_PPPOE ? pppoe(rest) : LINE_FOREIGN;
}

static enum line_verdict ethernet(struct rest *rest, struct link_packet *out)
{
    if (!has(rest, ETHERNET_HEADER))
        return LINE_PARTIAL;
    out->direction = rest->p[0] & 1 ? LINK_GROUP : LINK_HERE;
    /* Linux gives the frames of loopback addresses of zeros. */
    out->loopback = memcmp(rest->p, (const uint8_t[12]){0}, 12) == 0;
    unsigned ethertype = load16(rest->p + 12);
    rest->p += ETHERNET_HEADER;
    return ethertype_follows(rest, ethertype);
}

/* Cisco's framing has Ethernet's protocols behind an address of its own. */
static enum line_verdict ppp_serial(struct rest *rest)
{
    if (!has(rest, 2))
        return LINE_PARTIAL;
    unsigned framing = load16(rest->p);
    rest->p += 2;
    if (framing == HDLC_BROADCAST)
        return ppp_protocol(rest);
    if (framing != CISCO_UNICAST && framing != CISCO_BROADCAST)
        return LINE_FOREIGN;
    if (!has(rest, 2))
        return LINE_PARTIAL;
    unsigned protocol = load16(rest->p);
    rest->p += 2;
    return ethertype_follows(rest, protocol);
}

/* --- Linux cooked --- */

static enum link_direction sll_direction(unsigned type)
{
    static const enum link_direction directions[] = {LINK_HERE, LINK_GROUP, LINK_GROUP, LINK_OTHER,
                                                     LINK_OUTGOING};
    return type < sizeof(directions) / sizeof(*directions) ? directions[type] : LINK_OTHER;
}

static enum line_verdict sll(struct rest *rest, struct link_packet *out)
{
    if (!has(rest, SLL_HEADER))
        return LINE_PARTIAL;
    unsigned hardware = load16(rest->p + 2), ethertype = load16(rest->p + 14);
    out->direction = sll_direction(load16(rest->p));
    out->loopback = hardware == SLL_LOOPBACK;
    rest->p += SLL_HEADER;
    return hardware == SLL_NETLINK ? LINE_FOREIGN : ethertype_follows(rest, ethertype);
}

static enum line_verdict sll2(struct rest *rest, struct link_packet *out)
{
    if (!has(rest, SLL2_HEADER))
        return LINE_PARTIAL;
    unsigned hardware = load16(rest->p + 8), ethertype = load16(rest->p);
    out->direction = sll_direction(rest->p[10]);
    out->loopback = hardware == SLL_LOOPBACK;
    rest->p += SLL2_HEADER;
    return hardware == SLL_NETLINK ? LINE_FOREIGN : ethertype_follows(rest, ethertype);
}

/* --- loopback --- */

/* A family as some system numbers it, in either byte order. */
static enum line_verdict loopback(struct rest *rest, struct link_packet *out)
{
    out->loopback = true;
    if (!has(rest, 4))
        return LINE_PARTIAL;
    unsigned high = load16(rest->p), low = load16(rest->p + 2), family = high ? rest->p[0] : low;
    bool one_byte = high ? low == 0 && rest->p[1] == 0 : low < 256;
    rest->p += 4;
    if (!one_byte)
        return LINE_FOREIGN;
    switch (family) {
    case 2:
        return version_follows(rest, 4);
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* macOS */
        return version_follows(rest, 6);
    default:
        return LINE_FOREIGN;
    }
}

/* --- all --- */

static enum line_verdict go_behind(int type, struct rest *rest, struct link_packet *out)
{
    switch ((enum link_type)type) {
    case LINK_NULL:
    case LINK_LOOP:
        return loopback(rest, out);
    case LINK_ETHERNET:
        return ethernet(rest, out);
    case LINK_PPP:
        return ppp(rest);
    case LINK_PPP_SERIAL:
        return ppp_serial(rest);
    case LINK_PPP_DIRECTION:
        return ppp_with_direction(rest, out);
    case LINK_PPPOE:
        return pppoe(rest);
    case LINK_SLL:
        return sll(rest, out);
    case LINK_SLL2:
        return sll2(rest, out);
    case LINK_RAW:
    case LINK_RAW_BSD:
    case LINK_RAW_FILE:
        return version_follows(rest, 0);
    case LINK_IP4:
        return version_follows(rest, 4);
    case LINK_IP6:
        return version_follows(rest, 6);
    }
    return LINE_FOREIGN;
}

bool link_header_knows(int type)
{
    struct rest nothing = {.version = 0};
    struct link_packet ignored;
    return go_behind(type, &nothing, &ignored) != LINE_FOREIGN;
}

enum line_verdict link_header_parse(int type, const uint8_t *bytes, size_t len,
                                    struct link_packet *out)
{
    struct rest rest = {.p = bytes, .end = bytes + len};
    *out = (struct link_packet){.direction = LINK_HERE};
    enum line_verdict verdict = go_behind(type, &rest, out);
    if (verdict != LINE_PACKET)
        return verdict;
    if (rest.version && has(&rest, 1) && rest.p[0] >> 4 != rest.version)
        return LINE_DAMAGED;
    out->ip = rest.p;
    out->ip_len = (size_t)(rest.end - rest.p);
    return LINE_PACKET;
}
