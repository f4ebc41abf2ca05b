#include "lib/clock.h"

#include <assert.h>
#include <time.h>

int64_t clock_now(void)
{
    struct timespec now;
    int rc = clock_gettime(CLOCK_BOOTTIME, &now);
    assert(rc == 0);
    (void)rc;
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}
