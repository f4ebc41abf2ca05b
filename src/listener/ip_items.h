/*
 * The items of a log line from SRC= on, in the order in which nf_log_syslog.c writes them, or
 * ulogd2's util/printpkt.c. Position decides what an item means: LEN=, ID=, SEQ= and ACK occur in
 * several meanings.
 */
#ifndef LISTENER_IP_ITEMS_H
#define LISTENER_IP_ITEMS_H

#include <stdbool.h>

#include "listener/items.h"
#include "listener/logline.h"
#include "listener/packet.h"

/*
 * Reads the items that must fill the text up to `end`. With LINE_PACKET the addresses, length,
 * protocol, ports and flags of *packet are set; its other members are left as they are.
 */
enum line_verdict ip_items(const char *p, const char *end, bool ulogd, struct packet *packet);

/* The items of one packet without what may follow the line's own: for one that an ICMP error
 * quotes. Returns as a step of scan.h does. */
const char *ip_packet(const char *p, struct items *it, struct packet *packet);

#endif
