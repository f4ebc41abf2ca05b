/* What is still to be done when a signal ends the client: Ctrl-C, or one of another program. */
#ifndef KNOCK_ENDING_H
#define KNOCK_ENDING_H

#include <stdbool.h>
#include <sys/types.h>

/* Wipes the line that the cursor is on off a terminal. */
#define ENDING_WIPE "\r\033[K"

/* From now on the processes of that group are killed then; 0: none. Signals that are ignored stay
 * so. */
void ending_kill(pid_t group);

/* From now on the terminal's line is wiped then, or not. */
void ending_wipe(bool wipe);

#endif
