/*
 * The time that a log line's envelope states, for a replay: there the log's own time takes the
 * clock's place. Pure.
 *
 * A stamp of RFC 3164 ("Nov 23 14:28:52") has no year. The log's last one is taken to be in the
 * current year, or in the year before if it would lie more than a day ahead (a day, since zones and
 * clocks differ). The first one is in the same year, or in the year before if it is later in the
 * year than the last by more than a day. From there on January after December is the next year, and
 * December after January the previous one: such a line is late. So logs of up to a year come out
 * right; where the last line can't be known, on a pipe, the first one stands in for it.
 */
#ifndef LISTENER_STAMP_H
#define LISTENER_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "listener/logline.h"

enum stamp_zone {
    STAMP_NONE,   /* no time */
    STAMP_LOCAL,  /* the log names no zone */
    STAMP_UTC,    /* it says Z */
    STAMP_OFFSET, /* it says +hh:mm or +hhmm */
    STAMP_BOOT,   /* time since the machine started */
};

struct stamp {
    int64_t time; /* ns since 1970 in UTC, by the log's clock if STAMP_LOCAL, or since the start */
    int16_t offset; /* STAMP_OFFSET: minutes east of Greenwich */
    uint8_t zone;   /* enum stamp_zone */
    uint8_t digits; /* of the fraction as the log has it, 9 at most */
};

/* A time of the year. */
struct stamp_date {
    int month; /* 1 to 12; 0: none */
    int day;
    int64_t clock; /* ns since midnight */
};

/* What has to be remembered from one line of a log to the next. */
struct stamps {
    int64_t today;          /* now as STAMP_LOCAL has it: settles the year of a log without years */
    struct stamp_date last; /* the log's last one without a year, if that is known */
    int year;               /* of the previous one without a year; 0: there was none */
    int month;
    /* The beginning of the previous line up to its hours: most lines have the day of the one
     * before, and only their clock has to be read. */
    char head[16];
    uint8_t head_len; /* 0: none */
    bool iso;
    int64_t midnight; /* of that day */
};

/* For a log that is read on the day `today`: ns since 1970 by the local clock. */
void stamps_init(struct stamps *stamps, int64_t today);

/* Tells of one of the log's last lines, in order, before its first one is read. */
void stamps_end(struct stamps *stamps, enum log_format format, const char *line, size_t len);

/*
 * Reads the time of a line that logline_parse took for a packet's. The collector's stamp counts,
 * and without one the kernel's uptime. False, and *out untouched, when there is neither, when the
 * date doesn't exist or is outside 1970 to 2261 (what 64 bits of ns hold).
 */
bool stamp_read(struct stamps *stamps, enum log_format format, const char *line, size_t len,
                struct stamp *out);

enum { STAMP_TEXT_SIZE = 48 };

/*
 * Writes the time in ISO 8601 and returns `out`: "2026-11-23T14:28:52", the fraction with the
 * log's digits, then Z, "+hh:mm" or, without a zone, nothing. Time since the start is a duration,
 * "PT1238.672393S". "-" for none.
 */
const char *stamp_format(const struct stamp *stamp, char out[STAMP_TEXT_SIZE]);

#endif
