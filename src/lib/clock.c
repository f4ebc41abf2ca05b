/* Reads the clocks. */
#include "lib/clock.h"

#include <assert.h>
#include <time.h>

static int64_t clock_read(clockid_t clock)
{
    struct timespec now;
    int rc = clock_gettime(clock, &now);
    assert(rc == 0);
    (void)rc;
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

/* The client is built elsewhere, too: where a clock stands still while asleep, if need be. */
#ifndef CLOCK_BOOTTIME
#define CLOCK_BOOTTIME CLOCK_MONOTONIC
#endif

int64_t clock_now(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

int64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}
