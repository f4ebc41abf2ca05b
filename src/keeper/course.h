/*
 * The course of an opening from knock to gone; drawn in keeper/opening.h. Two rules keep it simple:
 * at most one job of an opening is with the runner, so commands of one (door, address) never
 * overlap; and once a start command may have run, the only way out is a stop that succeeded.
 */
#ifndef KEEPER_COURSE_H
#define KEEPER_COURSE_H

#include "keeper/opening.h"
#include "keeper/store.h"

/* An opening that nothing has happened to yet. NULL when memory is short. */
struct opening *course_new(struct openings *all, const struct knock *knock);

/* Records it, then opens it. It is in the table from here on. */
void course_begin(struct opening *o);

/* Takes up one of an earlier life of the keeper, whose commands it takes out of `stored`. */
struct opening *course_resume(struct openings *all, struct stored_door *stored);

/* Runs its start commands again: something else closed it. */
void course_renew(struct opening *o);

/* A knock on it while it is open, OPEN to RENEWING: it closes as long from now as that says. */
void course_extend(struct opening *o, const struct knock *knock);

/* A knock on one that no time closes, while it is open: inserts nothing, unless its check says that
 * it is closed by now. */
void course_knock_lasting(struct opening *o, const struct knock *knock);

/* Closes it now, or as soon as the command that runs is done. */
void course_close(struct opening *o);

#endif
