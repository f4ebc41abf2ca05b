/*
 * knockd -r LOG: prints what a log would have opened, or which packets it holds. Runs nothing and
 * needs no privilege; of the configuration it needs sources and doors.
 *
 * Output, one line each, and nothing else:
 *   LOGTIME open|extend DOOR ADDRESS    LOGTIME as timestamp_format writes it, "-" before any time
 *   NAME VALUE                          the counters, all of them, at the end; replay.c has the
 *                                       table of their names
 * or, for each packet, what packet_format writes.
 */
#ifndef KNOCKD_REPLAY_H
#define KNOCKD_REPLAY_H

#include <stdint.h>
#include <stdio.h>

#include "knockd/options.h"

/* Replays the log of the options, and returns the exit status. Errors are on stderr. */
int replay_run(const struct options *options);

/* What a log doesn't say, and the place where it is read does. */
struct replay_here {
    int64_t today; /* ns since 1970 by the local clock: settles years that aren't named */
    const char *const *months; /* the names of all twelve in `dmesg -T`; NULL: English */
};

/* The same at that place, and with `out` in place of standard output. */
int replay_log(const struct options *options, const struct replay_here *here, FILE *out);

#endif
