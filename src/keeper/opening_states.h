/* What a knock, an earlier run, an administrator or a reload does to an opening; what its own
 * timers and commands do follows by itself. The states are drawn in opening_states.c. */
#ifndef KEEPER_OPENING_STATES_H
#define KEEPER_OPENING_STATES_H

#include "keeper/opening.h"

/* Records a new opening, then opens it. It is in the table from here on. -1 when memory is short.
 */
int opening_begin(struct opening_context *context, const struct knock *knock);

/* Takes up one of an earlier run, whose commands it takes out of `stored`: it stays open, or is
 * closed. -1 when memory is short. */
int opening_resume(struct opening_context *context, struct stored_door *stored);

/* A knock on it: extends it, or closes it and opens the door again after that. */
void opening_knock(struct opening *o, const struct knock *knock);

/* Closes it now, or as soon as the command that runs is done. Perhaps it is gone at once. */
void opening_close(struct opening *o);

/* Forgets it without closing it, once a command of its that runs has been killed. */
void opening_give_up(struct opening *o);

/* Forgets and frees it, with `end` in the history. What would reopen it opens now. */
void opening_forget(struct opening *o, enum door_end end);

/* A reload: how its door is undone now, which the opening owns from here on. NULL: as before. */
void opening_follow(struct opening *o, struct undo *undo);

/* A time in whole seconds, rounded up, for messages. */
long long opening_seconds(int64_t ns);

/* What it does or waits for, as a clause for messages: "its stop command has run for 3 s". */
const char *opening_doing(const struct opening *o, char *out, size_t size);

#endif
