/*
 * What stands before the IP header of a captured packet: the header of its link, with VLAN tags and
 * PPP over Ethernet. Pure and bounds-checked: bytes in, where the IP packet begins out.
 */
#ifndef LISTENER_LINK_HEADER_H
#define LISTENER_LINK_HEADER_H

#include "listener/logline.h"

/* How a capture says what link its packets are of: libpcap's DLT values (pcap-linktype(7)). */
enum link_type {
    LINK_NULL = 0, /* loopback of the BSDs: family in the byte order of that host */
    LINK_ETHERNET = 1,
    LINK_PPP = 9,         /* with HDLC framing or without */
    LINK_RAW = 12,        /* no header: IPv4 or IPv6 */
    LINK_RAW_BSD = 14,    /* the same */
    LINK_PPP_SERIAL = 50, /* with HDLC framing, or Cisco's */
    LINK_PPPOE = 51,
    LINK_RAW_FILE = 101,      /* as files have it */
    LINK_LOOP = 108,          /* LINK_NULL in the byte order of networks */
    LINK_SLL = 113,           /* Linux "cooked", as of `tcpdump -i any` */
    LINK_PPP_DIRECTION = 166, /* LINK_PPP whose first byte is a direction */
    LINK_IP4 = 228,
    LINK_IP6 = 229,
    LINK_SLL2 = 276, /* Linux "cooked" 2 */
};

/* For whom the link says that the packet is. */
enum link_direction {
    LINK_HERE, /* this host, or the link doesn't say */
    LINK_GROUP,
    LINK_OUTGOING,
    LINK_OTHER, /* another host: only seen since the interface was promiscuous */
};

struct link_packet {
    enum link_direction direction;
    bool loopback;     /* it is that of a host with itself */
    const uint8_t *ip; /* points into the bytes */
    size_t ip_len;
};

/* Whether packets of that type can be read. */
bool link_header_knows(int type);

/*
 * Finds the IP packet in `len` captured bytes of a link of `type`. LINE_PACKET: *out is filled.
 * LINE_FOREIGN: another protocol. LINE_PARTIAL: cut within the link's header. LINE_DAMAGED: the
 * link says that it is of the other version of IP.
 */
enum line_verdict link_header_parse(int type, const uint8_t *bytes, size_t len,
                                    struct link_packet *out);

#endif
