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

int64_t clock_now(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

int64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}
