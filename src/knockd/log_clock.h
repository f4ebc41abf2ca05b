/*
 * The clock of a log, for a replay: the latest time of its lines so far. A line may be late, and
 * the clock doesn't go back for it. But a step back of more than a minute is a step of the clock
 * that the log was written by, a change of zone, or a start of the machine: the clock follows it.
 * Pure.
 */
#ifndef KNOCKD_LOG_CLOCK_H
#define KNOCKD_LOG_CLOCK_H

#include "listener/timestamp.h"

struct log_clock {
    struct timestamps timestamps; /* before the first line: timestamps_init */
    struct timestamp now;         /* what it shows */
    int64_t elapsed; /* ns that went by since the log's first line, a step back counting as none */
    unsigned steps;  /* back, so far: an attempt that began before one of them is over */
    unsigned boots;  /* those among them by which the machine was started */
};

/* Follows the time of a line that logline_parse found to be a packet's. */
void log_clock_pass(struct log_clock *clock, enum log_format format, const char *line, size_t len);

/* Follows the time of a packet of a capture; zone TIMESTAMP_NONE: it has none. */
void log_clock_follow(struct log_clock *clock, const struct timestamp *timestamp);

/*
 * The same as log_clock_pass for any other line. Only lines that dmesg may have printed count:
 * their times may be relative to the line before, and some of them show a start of the machine.
 */
void log_clock_pass_other(struct log_clock *clock, enum log_format format, const char *line,
                          size_t len);

/* As timestamps_settle: what it shows has its year then. */
void log_clock_settle(struct log_clock *clock);

#endif
