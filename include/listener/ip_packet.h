/*
 * A captured packet, from its IP header on: the same fields as the kernel's firewall writes of it
 * in a log line (net/netfilter/nf_log_syslog.c), and the payload of a UDP datagram. Pure and
 * bounds-checked: the bytes are an attacker's, and there may be fewer of them than the packet has.
 */
#ifndef LISTENER_IP_PACKET_H
#define LISTENER_IP_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "listener/logline.h"
#include "listener/packet.h"

struct ip_packet {
    struct packet packet;   /* without `in` and link_group, which the link layer knows */
    const uint8_t *payload; /* of a whole UDP datagram; points into the bytes; NULL: none */
    uint32_t payload_len;
};

/*
 * Reads the packet that begins with the `len` bytes; what follows its own length is ignored (the
 * padding of a link). Returns
 *   LINE_PACKET   *out is filled; in_len is 0 and link_group false, for the caller to set. Where
 *                 the header of the transport isn't there whole, or belongs to an earlier
 *                 fragment, there are no ports;
 *   LINE_FOREIGN  neither IPv4 nor IPv6;
 *   LINE_PARTIAL  too short to name its addresses;
 *   LINE_DAMAGED  IPv4 whose lengths contradict each other, which no host takes.
 *
 * There is a payload only where the UDP length says exactly what the IP packet holds and all of it
 * was captured: not of a fragment, nor of a jumbogram.
 */
enum line_verdict ip_packet_parse(const uint8_t *bytes, size_t len, struct ip_packet *out);

#endif
