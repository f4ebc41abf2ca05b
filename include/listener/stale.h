/*
 * Lines that are older than what was read before. A log that is rewritten (sed -i, a trim in place,
 * a backup put back) brings its old lines again, and a knock of yesterday must not open a door. So
 * what a file holds when it takes another's place, or begins anew, is measured by the newest line
 * read so far; what is written after that is not, whatever its time. Pure.
 */
#ifndef LISTENER_STALE_H
#define LISTENER_STALE_H

#include "listener/stamp.h"

enum { STALE_HEAD = 160 }; /* bytes of a line in which its time stands */

struct stale {
    char last[STALE_HEAD]; /* the last line that had a time */
    size_t last_len;
    struct stamps stamps;
    int64_t newest; /* ns */
    uint8_t zone;   /* of that line: times of different kinds can't be compared */
    bool measuring;
};

/* Remembers the head of a line of the kernel's. */
void stale_note(struct stale *stale, const char *line, size_t len);

/* From here on lines are measured by the last one that was noted; `today` in ns since 1970. */
void stale_begin(struct stale *stale, enum log_format format, int64_t today);

/* The end of what was there has been reached. */
void stale_end(struct stale *stale);

/* Whether a line is older than the newest one was. False for lines without a time. */
bool stale_is_old(struct stale *stale, enum log_format format, const char *line, size_t len);

#endif
