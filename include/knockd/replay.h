/*
 * knockd -r LOG: what a log would have opened, or which packets it holds. Runs nothing and needs no
 * privilege; the configuration is read as far as it tells of sources and doors.
 *
 * Output, one line each, and nothing else:
 *   LOGTIME open|extend DOOR ADDRESS    LOGTIME as stamp_format writes it: the latest time that a
 *                                       packet's line has stated so far, "-" before any
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

/* The same on a day (ns since 1970 by the local clock) and into a file of the caller's choice. */
int replay_log(const struct options *options, int64_t today, FILE *out);

#endif
