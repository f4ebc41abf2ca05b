/*
 * The kernel firewall's log line (net/netfilter/nf_log_syslog.c), and ulogd2's imitation of it,
 * behind whatever header a collector put before it. Pure: bytes in, packet and verdict out. The
 * text is an attacker's: the header must be the kernel's and every item must stand where the kernel
 * writes it.
 */
#ifndef LISTENER_LOGLINE_H
#define LISTENER_LOGLINE_H

#include <stddef.h>

#include "listener/packet.h"

struct log_header;

enum { PREFIX_MAX = 127 }; /* characters of a prefix: 29 by iptables LOG, 127 by nft */

enum log_format {
    LOG_KERNEL, /* any header of syslog, journalctl or dmesg */
    LOG_KMSG,   /* a record of /dev/kmsg: "prio,seq,usec,flags;text" */
    LOG_ULOGD,  /* ulogd2 LOGEMU: a time, a host, no "kernel:" */
};

/*
 * How the lines of one source look. A prefix is matched literally where the message begins, without
 * blanks at either end, and "IN=" must follow. Without any, the text is free up to the first "IN="
 * at the message's start or behind a blank; if none is, up to the first that abuts ("testIN=").
 */
struct line_spec {
    enum log_format format;
    unsigned prefix_count; /* 0: any prefix will do */
    const char *const *prefixes;
};

/* Whether `prefix`, of `len` bytes and without a line around it, is one of the spec's. */
bool line_spec_has(const struct line_spec *spec, const char *prefix, size_t len);

enum line_verdict {
    LINE_PACKET,  /* *packet is filled */
    LINE_FOREIGN, /* not the kernel's, or not about an IP packet */
    LINE_PREFIX,  /* a packet's line, but with a prefix that isn't ours */
    LINE_DAMAGED, /* ours, but cut, garbled, or not of the grammar */
    LINE_PARTIAL, /* ours and whole, but the packet was too short to name its addresses */
};

/*
 * Reads one line of `len` bytes, without its newline (a CR before it doesn't count). Returns what
 * it is. *packet is valid only with LINE_PACKET, else unspecified; its `in` points into `line`.
 */
enum line_verdict logline_parse(const struct line_spec *spec, const char *line, size_t len,
                                struct packet *packet);

/* The first part of it: what stands before the items of link and packet. LINE_PACKET: *header,
 * *items, where they begin, and the interface of *packet are set. */
enum line_verdict logline_head(const struct line_spec *spec, const char *line, size_t len,
                               struct log_header *header, struct packet *packet,
                               const char **items);

/* The second: the link's header, which needn't be there. Returns where the packet's items begin, or
 * NULL. They are the third part, packet_fields. */
const char *logline_link(const char *items, const char *end, struct packet *packet);

/* The length of the line without a CR at its end. */
static inline size_t logline_length(const char *line, size_t len)
{
    return len > 0 && line[len - 1] == '\r' ? len - 1 : len;
}

/*
 * The prefix of a line of a packet, for an administrator who wonders why none is ours. Points
 * into `line`, with the blanks that follow it; *prefix_len may be 0. NULL when the line is of
 * none.
 */
const char *logline_prefix(enum log_format format, const char *line, size_t len,
                           size_t *prefix_len);

#endif
