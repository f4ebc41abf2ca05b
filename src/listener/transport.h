/*
 * The second half of a packet's items, from PROTO= on: what the log tells of the header of TCP,
 * UDP, ICMP and others, as nf_log_syslog.c or ulogd2's util/printpkt.c write it. Pure.
 */
#ifndef LISTENER_TRANSPORT_H
#define LISTENER_TRANSPORT_H

#include "listener/items.h"
#include "listener/packet.h"

/* Reads it, and sets protocol, ports and flags of *packet, for UDP its length; returns as a step of
 * scan.h does. */
const char *transport_items(const char *p, const struct items *it, struct packet *packet);

#endif
