/*
 * The clock of a log that is read, for a replay: the latest time that a line showed so far. Lines
 * come late, and it doesn't go back for that; but a step back of more than a minute is one of the
 * clock that the log was written by, of the zone, or a start of the machine, and is followed.
 * Nobody asks for most of the times, so of lines that differ in the digits of their clocks alone
 * the latest is kept as text. Pure.
 */
#ifndef LISTENER_LOG_CLOCK_H
#define LISTENER_LOG_CLOCK_H

#include "listener/pattern.h"
#include "listener/timestamp.h"

/* As much of a line is kept as holds any time: of fixed size, since that is copied at once. */
enum { LOG_CLOCK_TEXT = 64 };

struct log_clock {
    struct timestamps timestamps; /* before the first line: timestamps_init */
    struct timestamp now;
    int64_t elapsed; /* ns */
    unsigned steps;  /* back, so far: what was under way before one of them is over */
    unsigned boots;  /* those among them by which the machine was started */
    struct line_pattern
        alike; /* the beginning of a line, up to behind its time, with any digits there */
    char latest[LOG_CLOCK_TEXT]; /* of those that fit the one with the latest time */
    enum log_format format;
    bool unread; /* `now` doesn't know of it yet */
};

/* Takes note of the time of a line that logline_parse took for a packet's. */
void log_clock_pass(struct log_clock *clock, enum log_format format, const char *line, size_t len);

/*
 * The same for any other line. Only those that dmesg may have printed count: their times may be
 * relative to the line before, and among them are those that tell of a start of the machine.
 */
void log_clock_pass_other(struct log_clock *clock, enum log_format format, const char *line,
                          size_t len);

/* What it shows; owned by the clock, and valid until the next call. */
const struct timestamp *log_clock_now(struct log_clock *clock);

/* ns that went by since the log's first line, a step back counting as none. */
int64_t log_clock_elapsed(struct log_clock *clock);

/* As timestamps_settle: what it shows has its year then. */
void log_clock_settle(struct log_clock *clock);

#endif
