/*
 * Lines that are older than what was read before. A log that is rewritten (sed -i, a trim in place,
 * a backup put back) brings its old lines again, and a knock of yesterday must not open a door. So
 * what a file holds when it takes another's place, or is read from its start again, is measured by
 * the newest line read so far; what is written after that is not, whatever its time. Pure.
 */
#ifndef LISTENER_REPLAYED_H
#define LISTENER_REPLAYED_H

#include "listener/timestamp.h"

enum { REPLAYED_HEAD = 160 }; /* bytes of a line in which its time stands */

struct replayed {
    char last[REPLAYED_HEAD]; /* the last line that had a time */
    size_t last_len;
    struct timestamps timestamps;
    int64_t newest; /* ns */
    uint8_t zone;   /* of that line: times of different kinds can't be compared */
    bool measuring;
};

/* Remembers the head of a line of the kernel's. */
void replayed_note(struct replayed *replayed, const char *line, size_t len);

/* From here on lines are measured by the last one that was noted; `today` in ns since 1970. */
void replayed_begin(struct replayed *replayed, enum log_format format, int64_t today);

/* The end of what was there has been reached. */
void replayed_end(struct replayed *replayed);

/* Whether a line is older than the newest one was. False for lines without a time. */
bool replayed_is_old(struct replayed *replayed, enum log_format format, const char *line,
                     size_t len);

#endif
