/* The end of an opening's course: stopped, judged, tried again, and at last forgotten. */
#ifndef KEEPER_CLOSING_H
#define KEEPER_CLOSING_H

#include "keeper/opening.h"

/* Runs its stop commands, for as often as it takes. No job of its may be with the runner. */
void closing_start(struct opening *o);

/* How an opening ends that an administrator gave up, in the history. */
#define CLOSING_GIVEN_UP "given up by knockctl"

/* The same of one that has no stop command. */
#define CLOSING_NO_UNDO "nothing to undo"

/* Forgets it without closing it, once a command of its that runs has been killed. */
void closing_give_up(struct opening *o);

/* It is over, `end` says how; frees it. What knocked meanwhile opens now. */
void closing_forget(struct opening *o, const char *end);

#endif
