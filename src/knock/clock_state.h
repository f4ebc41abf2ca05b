/* Whether something keeps this machine's clock right. */
#ifndef KNOCK_CLOCK_STATE_H
#define KNOCK_CLOCK_STATE_H

#include <stdbool.h>

/* Whether the kernel says that its clock isn't synchronised; false where it can't be asked. */
bool clock_state_is_unsynchronised(void);

#endif
