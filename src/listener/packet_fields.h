/*
 * The fields of a packet in a log line, from SRC= on, in the order in which nf_log_syslog.c writes
 * them, or ulogd2's util/printpkt.c. Position decides what a field means: LEN=, ID=, SEQ= and ACK
 * occur in several meanings. Pure.
 */
#ifndef LISTENER_PACKET_FIELDS_H
#define LISTENER_PACKET_FIELDS_H

#include "listener/line_cache.h"

/*
 * Reads the fields, which must fill the text up to `end`. With LINE_PACKET the addresses, length,
 * protocol, ports and flags of *packet are set; its other members are left as they are.
 * `destination` is the last one that was read, which spares to read it again, and changes nothing
 * else; NULL: none is kept.
 */
enum line_verdict packet_fields(const char *p, const char *end, bool ulogd,
                                struct known_quad *destination, struct packet *packet);

#endif
