/*
 * The last time that a key was used with, kept so that none is used twice: not by two profiles, two
 * processes, after a crash, nor when the clock was set back. The file is named by the key itself,
 * so that copies of a key file share it.
 */
#ifndef KNOCK_LAST_TIME_H
#define KNOCK_LAST_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sealed.h"

enum { LAST_PATH_SIZE = 4096, LAST_AHEAD_MAX = 60 /* seconds ahead of the clock */ };

struct last_time {
    int fd;
    char path[LAST_PATH_SIZE];
    uint64_t time;   /* the last one used, as sealed_time() has it; 0: none yet */
    unsigned behind; /* s by which the clock was behind that when the next one was taken */
};

/*
 * Opens the file of the key named `id` in $XDG_STATE_HOME/knock or ~/.local/state/knock, made
 * where missing, and waits until no other process has it, or `until` (clock_now(), INT64_MAX: for
 * ever). False, reported already, when that fails; the caller calls last_time_close() either way.
 */
bool last_time_open(struct last_time *last, const uint8_t id[SEALED_ID_SIZE], int64_t until);

/*
 * The time to use now, the clock's or one later than the last: it is on the disk before this
 * returns. False, reported already, when it can't be recorded or the clock is far behind.
 */
bool last_time_reserve(struct last_time *last, uint64_t *time);

/* Pure: the time that follows from clock and last. False when `last` is too far ahead. */
bool last_time_next(uint64_t clock, uint64_t last, uint64_t *time);

/* Lets the next process in. */
void last_time_close(struct last_time *last);

#endif
