/* Writes a packet as text, for `knockd -r LOG --packets`. */
#include "listener/packet.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/sequence.h"

/* ICMP of the other family is a number like any other. */
static const char *proto_text(int proto, int family, char number[8])
{
    bool other = (proto == IPPROTO_ICMP && family == 6) || (proto == IPPROTO_ICMPV6 && family == 4);
    if (other) {
        snprintf(number, 8, "%d", proto);
        return number;
    }
    switch (proto) {
    case -1:
        return "-";
    case IPPROTO_TCP:
        return "TCP";
    case IPPROTO_UDP:
        return "UDP";
    case IPPROTO_UDPLITE:
        return "UDPLITE";
    case IPPROTO_ICMP:
        return "ICMP";
    case IPPROTO_ICMPV6:
        return "ICMPv6";
    case IPPROTO_AH:
        return "AH";
    case IPPROTO_ESP:
        return "ESP";
    default:
        snprintf(number, 8, "%d", proto);
        return number;
    }
}

static const char *port_text(const struct packet *packet, uint16_t port, char number[8])
{
    if (!packet->has_ports)
        return "-";
    snprintf(number, 8, "%u", port);
    return number;
}

/* Room for all eight names with their commas. */
enum { FLAGS_SIZE = 8 * 4 };

static const char *flags_text(uint8_t flags, char out[FLAGS_SIZE])
{
    static const char names[8][4] = {"CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"};
    char *p = out;
    for (int i = 0; i < 8; i++) {
        if (!(flags & 0x80 >> i))
            continue;
        if (p > out)
            *p++ = ',';
        memcpy(p, names[i], 3);
        p += 3;
    }
    if (p == out)
        *p++ = '-';
    *p = '\0';
    return out;
}

const char *packet_format(const struct packet *packet, char out[PACKET_TEXT_SIZE])
{
    char proto[8], spt[8], dpt[8], flags[FLAGS_SIZE], src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];
    snprintf(out, PACKET_TEXT_SIZE, "%s\t%s\t%s\t%s\t%s\t%s\t%u",
             proto_text(packet->proto, packet->src.family, proto), addr_format(&packet->src, src),
             port_text(packet, packet->spt, spt), addr_format(&packet->dst, dst),
             port_text(packet, packet->dpt, dpt), flags_text(packet->flags, flags), packet->length);
    return out;
}
