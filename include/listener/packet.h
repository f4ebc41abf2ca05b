/* A denied packet as its log line describes it: the only thing that leaves the parser. */
#ifndef LISTENER_PACKET_H
#define LISTENER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

struct packet {
    struct addr src;
    struct addr dst;
    uint32_t length; /* IP length; for UDP and UDPLITE the length their own header states */
    int16_t proto;   /* IPPROTO_*; -1 when the line names none */
    uint16_t spt;    /* ports are valid only with has_ports */
    uint16_t dpt;
    uint8_t flags;   /* enum tcp_flag */
    bool has_ports;  /* TCP, UDP or UDPLITE, complete, and no later fragment */
    bool link_group; /* the link layer sent it to a group: broadcast or multicast */
    uint8_t in_len;  /* 0: IN= is empty, the host's own packet */
    const char *in;  /* name of the interface it came by, not terminated, points into the line */
};

/* Longest text of a packet with its NUL: two addresses, and less than 80 bytes of all the rest. */
enum { PACKET_TEXT_SIZE = 2 * ADDR_TEXT_SIZE + 80 };

/*
 * Writes the packet as `knockd -r LOG --packets` shows it, and returns `out`: PROTO SRC SPT DST DPT
 * FLAGS LENGTH, separated by tabs, "-" where absent. PROTO is TCP, UDP, UDPLITE, ICMP, ICMPv6, AH,
 * ESP or a number; FLAGS are like "SYN,ACK", in the kernel's order.
 */
const char *packet_format(const struct packet *packet, char out[PACKET_TEXT_SIZE]);

#endif
