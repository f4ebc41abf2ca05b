/* Asks the kernel for the state of its clock. */
#include "knock/clock_state.h"

#ifdef __linux__
#include <sys/timex.h>
#endif

bool clock_state_is_unsynchronised(void)
{
#ifdef __linux__
    struct timex state = {.modes = 0}; /* asks only */
    return adjtimex(&state) == TIME_ERROR || (state.status & STA_UNSYNC);
#else
    return false;
#endif
}
