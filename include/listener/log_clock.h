/*
 * The clock of a log that is read, for a replay: the latest time that a line showed so far. Lines
 * come late, and clocks are set back: it never goes back for that. Nobody asks for most of the
 * times, so of lines that differ in the digits of their clocks alone the latest is kept as text.
 * Pure.
 */
#ifndef LISTENER_LOG_CLOCK_H
#define LISTENER_LOG_CLOCK_H

#include "listener/pattern.h"
#include "listener/stamp.h"

/* As much of a line is kept as holds any time: of fixed size, since that is copied at once. */
enum { LOG_CLOCK_TEXT = 64 };

struct log_clock {
    struct stamps stamps; /* before the first line: stamps_init, stamps_end */
    struct stamp now;
    struct pattern
        alike; /* the beginning of a line, up to behind its time, with any digits there */
    char latest[LOG_CLOCK_TEXT]; /* of those that fit the one with the latest time */
    enum log_format format;
    bool unread; /* `now` doesn't know of it yet */
};

/* Takes note of the time of a line that logline_parse took for a packet's. */
void log_clock_pass(struct log_clock *clock, enum log_format format, const char *line, size_t len);

/* What it shows; owned by the clock, and valid until the next call of either. */
const struct stamp *log_clock_now(struct log_clock *clock);

#endif
