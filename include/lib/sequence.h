/* What a knock is made of: ports with their protocol, TCP flags, and how both are written. */
#ifndef LIB_SEQUENCE_H
#define LIB_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of fewer different steps, many port scans open a door. */
enum { STEPS_MAX = 32, STEPS_SAFE = 3 };

/* The most strays between two steps that a door may forgive, and what it does by default where a
 * source brings what the firewall accepts, too. */
enum { STRAYS_MAX = 8, STRAYS_CAPTURED = 2 };

/* So many ports on either side of a step are its decoys: a scan goes there, other traffic hardly. A
 * packet to one of them is never forgiven, and a capture takes them in. */
enum { SEQUENCE_DECOYS = 128 };

/* An address that a capture heard send to more different ports than these, no steps and none that
 * doors open or ignore, in the time of an attempt, is scanning; of a door that forgives more strays
 * in one knock, to more than so many, at most SCAN_PORTS_MOST. */
enum { SCAN_PORTS = 8, SCAN_PORTS_MOST = 32 };

/* One knock: a port of TCP or UDP (IPPROTO_TCP, IPPROTO_UDP). */
struct port_proto {
    uint16_t port;
    uint8_t proto;
};

static inline bool port_proto_equal(struct port_proto a, struct port_proto b)
{
    return a.port == b.port && a.proto == b.proto;
}

struct sequence {
    unsigned count;
    struct port_proto steps[STEPS_MAX];
};

/* The flags of a TCP header, as in RFC 9293, section 3.1. */
enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

/* What a packet's flags must and must not have. Both zero: any packet will do. */
struct flag_match {
    uint8_t set;
    uint8_t clear;
};

/*
 * Reads "port" or "port:proto", proto tcp (when not said) or udp in any case, port 1-65535.
 * On error returns false and points *why to what was expected.
 */
bool port_proto_parse(const char *text, struct port_proto *out, const char **why);

/*
 * Appends the steps of "7000,8000:udp,9000" to `seq`. Blanks around a step don't count.
 * On error returns false and points *why to what was expected.
 */
bool sequence_append(struct sequence *seq, const char *text, const char **why);

/* How many different steps it has: a scan that sends each packet several times needs no more. */
unsigned sequence_different(const struct sequence *seq);

/* Reads "syn,!ack", or "any". On error returns false and points *why to what was expected. */
bool flags_parse(const char *text, struct flag_match *out, const char **why);

bool flags_match(struct flag_match want, uint8_t flags);

/* The name of a protocol as the configuration writes it: "tcp" or "udp". */
const char *proto_name(uint8_t proto);

#endif
