/*
 * Whether a line is of now, by the time that it states itself: the bound max_age of its source. A
 * logger that starts again, or a stream that was away, brings old lines, and a knock of then must
 * not open a door now. The bound proves nothing of a line that is forged. Pure.
 *
 * What counts is a date with a clock and its seconds, or seconds since 1970. Where it names no zone
 * it is read in this host's own, by what MESSAGE_ZONE said of that: by the offset that was in force
 * when that clock showed that time. In the hour that comes twice in autumn there were two: a line
 * of the first one passes for one of the second. A date that doesn't exist, or that 64 bits of ns
 * don't hold, is refused as if the line had none, and at a source of this host as well. The
 * kernel's uptime is no such time, nor the date that dmesg makes of it, in brackets: its clock
 * drifts from the host's, and stands still while the host sleeps.
 */
#ifndef LISTENER_FRESHNESS_H
#define LISTENER_FRESHNESS_H

#include "lib/message.h"
#include "listener/timestamp.h"

/* What a source lets through. */
struct freshness_bound {
    int64_t max_age; /* ns; 0: everything */
    bool remote;     /* also refuses lines without a date, and allows less of the future */
};

/* What is remembered from one line of a source to the next; zeros before the first. */
struct freshness {
    bool heard; /* a line was of now */
    /* Lines that are off by as many quarters of an hour: how many, 0: none, and since when. */
    int quarters;
    int64_t quarters_since; /* ns since 1970 */
};

/* A line that was read at `wall` (ns since 1970) as the text of `len` bytes. */
struct freshness_line {
    const char *text;
    size_t len;
    enum log_format format;
    int64_t wall;
};

/* Returns why the line is refused, STALE_NOT if it isn't; then its age is in *age (ns; negative:
 * of the future), which is 0 for one without a time. */
enum stale_reason freshness_judge(struct freshness *freshness, const struct freshness_bound *bound,
                                  const struct message_zone *zone,
                                  const struct freshness_line *line, int64_t *age);

#endif
