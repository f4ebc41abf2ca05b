/*
 * What collectors put round a message of the kernel: priority, time, host, tag, uptime. The header
 * must be one that they write, from the line's first byte on. "kernel:" is never searched for: text
 * of other programs in the same file is anybody's to choose.
 *
 *   LOG_KERNEL  [<PRI>] [time] [address] [host [host]] [facility.level] tag ["[" uptime "]"
 * [caller]] tag: "kernel:" or "kernel[]:"; blanks or tabs between the items <PRI>"1" time host
 * "kernel - " msgid data [message]         (RFC 5424; PRI below 8)
 *               [<PRI> or "kern  :level : "] dmesg's time [caller] [host tag]
 *               "kern  :level : "                                           (dmesg -x -t)
 *               time: "Nov 23 14:28:52", its year nowhere, before it, behind the day or behind the
 *               clock, with or without the day of the week; ISO 8601 with T or a blank, with Z, an
 *               offset or no zone; "Mon 2026-11-23 14:28:52 UTC"; seconds since 1970; the clock of
 *               all of them with or without a fraction
 *               dmesg's time: "[" uptime "]", "[" uptime " <" delta ">]", "[<" delta ">]",
 *               "[" +delta "]", "[Mon Nov 23 14:28:52 2026]" with any delta, "[Nov23 14:28]", in
 *               whatever language, or "2026-11-23T14:28:52,123456+00:00"
 *   LOG_KMSG    prio "," seq "," usec "," flags ["," more] ";" (Documentation/ABI/testing/dev-kmsg)
 *   LOG_ULOGD   time host
 *
 * A byte order mark may stand before it. LOG_KMSG proves that the kernel wrote the line. LOG_ULOGD
 * proves nothing, should other programs write to the same file: there a configured prefix is what
 * keeps their text out.
 */
#ifndef LISTENER_LOG_HEADER_H
#define LISTENER_LOG_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/host_name.h"
#include "listener/logline.h"

/* Where the parts of a date and time stand in the line; NULL: the time has no such part. */
struct log_header_time {
    const char *year;      /* four digits */
    const char *month;     /* two digits, or a name of `month_len` bytes. In the time of dmesg the
                              day of the week may stand before it, both in any language */
    const char *day;       /* one or two digits, a blank in front of them perhaps */
    const char *clock;     /* "14:28:52", with a fraction perhaps */
    const char *minute;    /* "14:28", in the place of a clock */
    const char *zone;      /* "Z", "+00:00", "+0000", "+00", or a name */
    const char *unix_time; /* "1795444132.123456", in the place of all others */
    size_t month_len, zone_len;
};

struct log_header {
    const char *message; /* the kernel's own text, blanks before it stripped */
    const char *tagged;  /* where the message begins if the host and "kernel:" behind an uptime are
                            journalctl's, and not the message's own; NULL: there are none */
    const char *end;     /* where the text ends */
    const char *timestamp; /* the collector's time as it stands in the line; NULL: none */
    const char *uptime;    /* "1234.567890", in LOG_KMSG microseconds; NULL: none */
    const char *host;  /* who wrote the line, as a syslog header or ulogd has it; NULL: not said.
                          Of two names the one nearer to the message */
    const char *delta; /* "1.234567" since the line before, with a sign perhaps; NULL: none */
    size_t timestamp_len, uptime_len, delta_len, host_len;
    struct log_header_time time; /* the parts of `timestamp` */
};

/* False when the line isn't one that a collector writes of the kernel's messages. Everything in
 * *out points into `line`. */
bool log_header_parse(enum log_format format, const char *line, size_t len, struct log_header *out);

/* Copies the name of the host that the line's header has; "" when it has none. */
void log_header_host(enum log_format format, const char *line, size_t len,
                     char out[HOST_NAME_SIZE]);

#endif
