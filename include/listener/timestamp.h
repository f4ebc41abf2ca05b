/*
 * The time that a log line's header states, for a replay: there the log's own time takes the
 * clock's place. Pure.
 *
 * A timestamp of RFC 3164 ("Nov 23 14:28:52") has no year. Each is in the earliest year in which it
 * is no more than a day before the one that came before it: so a step back by more than a day turns
 * the year, and a line that is late by less doesn't. The log ends in the latest year that isn't in
 * the future (by more than a day, since zones and clocks differ), which only its end tells: until
 * timestamps_settle, the years are those of a log that ends with its first line.
 */
#ifndef LISTENER_TIMESTAMP_H
#define LISTENER_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "listener/logline.h"

enum timestamp_zone {
    TIMESTAMP_NONE,   /* no time */
    TIMESTAMP_LOCAL,  /* the log names no zone */
    TIMESTAMP_UTC,    /* it says Z or UTC */
    TIMESTAMP_OFFSET, /* it says +hh:mm, +hhmm or +hh */
    TIMESTAMP_BOOT,   /* time since the machine started, or since the log did */
};

struct timestamp {
    int64_t
        time; /* ns since 1970 in UTC, by the log's clock if TIMESTAMP_LOCAL, or since the start */
    int16_t offset; /* TIMESTAMP_OFFSET: minutes east of Greenwich */
    int16_t turn;   /* New Years between the log's first timestamp without a year and this one */
    uint8_t zone;   /* enum timestamp_zone */
    uint8_t digits; /* of the fraction as the log has it, 9 at most */
    bool yearless;  /* `turn` counts, and `time` has the year that was known when it was read */
};

/* A time of the year. */
struct timestamp_date {
    int month; /* 1 to 12 */
    int day;
    int64_t clock; /* ns since midnight */
};

enum { TIMESTAMP_MONTHS = 12, TIMESTAMP_NAME = 16, TIMESTAMP_HEAD = 16 };

/* What has to be remembered from one line of a log to the next. */
struct timestamps {
    int64_t today; /* now as TIMESTAMP_LOCAL has it: settles the year of a log without years */
    const char *const *months; /* what dmesg -T calls them, or NULL: TIMESTAMP_MONTHS names */
    /* Of the previous timestamp without a year; 0: there was none. */
    int year;
    int64_t before; /* its time */
    int turn;
    int leap_turn; /* of a 29th of February among them; -1: there was none */
    bool settled;
    /* The name of a month that isn't in `months`, and which one it is taken for. */
    char name[TIMESTAMP_NAME];
    int named;
    struct timestamp
        relative; /* of the previous line that states the time since the one before it */
    /* The beginning of the previous line up to its hours: most lines have the day of the one
     * before, and only their clock has to be read. */
    char head[TIMESTAMP_HEAD];
    char head_mask[TIMESTAMP_HEAD]; /* 0xff for each byte of it */
    uint8_t head_len;               /* 0: none */
    /* The zone of that line with the byte behind it, as an eight-byte number, and what it says. */
    uint64_t zone_text, zone_mask; /* zone_mask 0: none */
    int16_t zone_offset;
    uint8_t zone;
    bool yearless;    /* that day is in `year` */
    int64_t midnight; /* of that day */
};

/* For a log that is read on the day `today`: ns since 1970 by the local clock. */
void timestamps_init(struct timestamps *timestamps, int64_t today);

/*
 * Reads the time of a line. The collector's timestamp counts, and without one the kernel's uptime,
 * then the time since the line before. False, and *out untouched, when there is none, when the date
 * doesn't exist or is outside 1970 to 2261 (what 64 bits of ns hold).
 */
bool timestamp_read(struct timestamps *timestamps, enum log_format format, const char *line,
                    size_t len, struct timestamp *out);

/* What a line says of its date. */
enum timestamp_found {
    TIMESTAMP_ABSENT,     /* nothing */
    TIMESTAMP_IMPOSSIBLE, /* a date that doesn't exist, or is outside 1970 to 2261 */
    TIMESTAMP_FOUND,
};

/*
 * Reads the time of one line alone, where it names a date or counts from 1970: no uptime, nor what
 * dmesg makes of that, in brackets. A date without a year is of the latest year in which it isn't
 * after `today` (ns since 1970 by the local clock) by more than a day. *out is untouched unless
 * the answer is TIMESTAMP_FOUND.
 */
enum timestamp_found timestamp_read_date(int64_t today, enum log_format format, const char *line,
                                         size_t len, struct timestamp *out);

/* What has been read so far is the whole log, or all of it but what is still being written: settles
 * in which years it lies. Nothing when that is done already. */
void timestamps_settle(struct timestamps *timestamps);

/* Gives a timestamp that was read before timestamps_settle its year. */
void timestamps_redate(const struct timestamps *timestamps, struct timestamp *timestamp);

enum { TIMESTAMP_TEXT_SIZE = 48 };

/*
 * Writes the time in ISO 8601 and returns `out`: "2026-11-23T14:28:52", the fraction with the
 * log's digits, then Z, "+hh:mm" or, without a zone, nothing. Time since the start is a duration,
 * "PT1238.672393S". "-" for none.
 */
const char *timestamp_format(const struct timestamp *timestamp, char out[TIMESTAMP_TEXT_SIZE]);

#endif
