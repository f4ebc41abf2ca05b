/*
 * knockd -r LOG: what a log would have opened, or which packets it holds. Runs nothing and needs no
 * privilege; the configuration is read as far as it tells of sources and doors.
 *
 * Output, one line each, and nothing else:
 *   LOGTIME open|extend DOOR ADDRESS    LOGTIME as timestamp_format writes it: what log_clock.h
 * shows,
 *                                       "-" before any time
 *   NAME VALUE                          the counters, all of them, at the end; their names are in
 *                                       the table in replay.c
 * or, of packets, what packet_format writes.
 */
#ifndef KNOCKD_REPLAY_H
#define KNOCKD_REPLAY_H

#include <stdint.h>
#include <stdio.h>

#include "knockd/options.h"

/* Does what the options say, and returns the exit status; what went wrong is on stderr. */
int replay_run(const struct options *options);

/* What a log may leave to the place where it is read. */
struct replay_here {
    int64_t today; /* ns since 1970 by the local clock: settles years that aren't named */
    const char *const *months; /* the names of all twelve in `dmesg -T`; NULL: English */
};

/* The same at that place, and into a file of the caller's choice. */
int replay_log(const struct options *options, const struct replay_here *here, FILE *out);

#endif
