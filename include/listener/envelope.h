/*
 * What collectors put round a message of the kernel: priority, time, host, tag, uptime. The header
 * must be one that they write, from the line's first byte on. "kernel:" is never searched for: text
 * of other programs in the same file is anybody's to choose.
 *
 *   LOG_KERNEL  [<PRI>] [time] [host [host]] [facility.level] "kernel:" ["[" uptime "]" [caller]]
 *               [<PRI>] "[" uptime "]" [caller], or "[" date "]"           (dmesg)
 *               time: "Nov 23 14:28:52", "Mon Nov 23 14:28:52 2026" (OpenWrt), both with or
 *               without a fraction, or ISO 8601 with Z or an offset
 *   LOG_KMSG    prio "," seq "," usec "," flags ["," more] ";" (Documentation/ABI/testing/dev-kmsg)
 *   LOG_ULOGD   time host
 *
 * LOG_KMSG proves that the kernel wrote the line. LOG_ULOGD proves nothing, should other programs
 * write to the same file: there a configured prefix is what keeps their text out.
 */
#ifndef LISTENER_ENVELOPE_H
#define LISTENER_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "listener/logline.h"

struct envelope {
    const char *message; /* the kernel's own text, blanks before it stripped */
    const char *end;     /* where the text ends */
    const char *stamp;   /* the collector's time as it stands in the line; NULL: none */
    const char *uptime;  /* "1234.567890", in LOG_KMSG microseconds; NULL: none */
    size_t stamp_len, uptime_len;
};

/* False when the line isn't one that a collector writes of the kernel's messages. Everything in
 * *out points into `line`. */
bool envelope_open(enum log_format format, const char *line, size_t len, struct envelope *out);

#endif
