/* Moves an opening from state to state: what its knocks, timers and commands do to it. */
#ifndef KEEPER_OPENING_STATES_H
#define KEEPER_OPENING_STATES_H

#include "keeper/opening.h"

/* An opening that nothing has happened to yet. NULL when memory is short. */
struct opening *opening_create(struct openings *all, const struct knock *knock);

/* Records it, then opens it. It is in the table from here on. */
void opening_begin(struct opening *o);

/* Takes up one of an earlier life of the keeper, whose commands it takes out of `stored`. */
struct opening *opening_resume(struct openings *all, struct stored_door *stored);

/* A knock on it in the states OPEN to RENEWING: sets its deadline to now plus the knock's length.
 */
void opening_extend(struct opening *o, const struct knock *knock);

/* A knock on one that no time closes, while it is open: inserts nothing, unless its check says that
 * it is closed by now. */
void opening_knock_lasting(struct opening *o, const struct knock *knock);

/* Closes it now, or as soon as the command that runs is done. */
void opening_close(struct opening *o);

/* Runs its stop commands, for as often as it takes. No job of its may be with the runner. */
void opening_start_closing(struct opening *o);

/* Forgets it without closing it, once a command of its that runs has been killed. */
void opening_give_up(struct opening *o);

/* It is over, `end` says how; frees it. What knocked meanwhile opens now. */
void opening_forget(struct opening *o, const char *end);

/* A time in whole seconds, rounded up, for messages. */
long long opening_seconds(int64_t ns);

/* What it does or waits for, as a clause for messages: "its stop command has run for 3 s". */
const char *opening_doing(const struct opening *o, char *out, size_t size);

#endif
