/* The one clock that durations run on, and the one that people read. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND INT64_C(1000000000)

/*
 * Nanoseconds since boot, time asleep included (CLOCK_BOOTTIME): a door that is due while the
 * machine sleeps closes when it wakes, and setting the wall clock moves nothing.
 */
int64_t clock_now(void);

/* Nanoseconds since 1970, by the clock that people read and set. */
int64_t clock_wall(void);

#endif
