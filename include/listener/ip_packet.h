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
 *   LINE_DAMAGED  IPv4 whose lengths contradict each other, which no host takes; the addresses
 *                 are in *out.
 *
 * There is a payload only where the UDP length says exactly what the IP packet holds and all of it
 * was captured: not of a fragment, nor of a jumbogram.
 */
enum line_verdict ip_packet_parse(const uint8_t *bytes, size_t len, struct ip_packet *out);

/*
 * The same of a packet that was captured before the host had looked at it: of its `whole` bytes on
 * the wire `len` are there (SIZE_MAX: that isn't known). What a host discards, and the firewall
 * therefore mostly doesn't see, is LINE_DAMAGED, too, with its fields in *out:
 *   IPv4: a wrong checksum of the header, options that contradict themselves, source routes;
 *   IPv6: a jumbogram, options that contradict themselves or that are to be understood, a routing
 *   header that isn't done, hop-by-hop options anywhere but first;
 *   both: longer than what came; a TCP header of less than 20 bytes or more than there are; a UDP
 *   length of less than 8 bytes or more than there are.
 * The header of a transport isn't looked for in the first fragment either: the firewall sees the
 * packet when it is whole, which this one may never be. Not looked at are the checksums of TCP and
 * UDP, which the interface may have left to others, the addresses, which the matcher judges, and a
 * TTL or hop limit of 0, which a host that is the packet's destination takes.
 */
enum line_verdict ip_packet_captured(const uint8_t *bytes, size_t len, size_t whole,
                                     struct ip_packet *out);

#endif
