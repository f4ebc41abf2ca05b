/* A packet by its bytes, as a capture or NFLOG has them. Pure. */
#ifndef LISTENER_IP_PACKET_H
#define LISTENER_IP_PACKET_H

#include "listener/logline.h"

struct ip_packet {
    struct packet packet;   /* its interface is the caller's to fill in */
    const uint8_t *payload; /* of a UDP packet that came whole, into its bytes; else NULL */
    uint32_t payload_len;
};

/*
 * Reads a packet that begins at its IP header and of which `len` bytes were captured. LINE_PACKET:
 * *out is filled. LINE_FOREIGN: it is no IP packet. LINE_PARTIAL: too short to name its addresses.
 * LINE_DAMAGED: its headers contradict themselves.
 */
enum line_verdict ip_packet_parse(const uint8_t *bytes, size_t len, struct ip_packet *out);

#endif
