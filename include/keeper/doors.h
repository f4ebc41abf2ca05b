/*
 * The open doors: one opening per (door, address), its timer, and the commands that opened it and
 * will close it. A door that was opened is closed, whatever fails on the way.
 */
#ifndef KEEPER_DOORS_H
#define KEEPER_DOORS_H

#include "keeper/runner.h"
#include "keeper/store.h"

/* How many openings there may be at a time: a cap on what a captured listener can ask for. */
enum { DOORS_MAX = 16384 };

struct doors;

/* Doors that are kept in `store`, which stays the caller's; NULL: in memory only. NULL when memory
 * is short. */
struct doors *doors_new(struct loop *loop, struct runner *runner, struct store *store);

/* Forgets everything without closing anything: for the very end, and for tests. */
void doors_free(struct doors *doors);

/*
 * Takes up what an earlier life of the keeper left in the store: what has time left goes on, the
 * rest is closed. No command of that life may run any more. -1 if the store can't be read.
 */
int doors_resume(struct doors *doors);

/*
 * A valid knock by `address` for `door`, whose commands `plan` holds: opens it, or extends it when
 * it is open. All is copied as far as it is needed; `by` tells of the knock in the history. Says in
 * the log what came of it.
 */
void doors_knock(struct doors *doors, const struct config_door *door, const struct plan *plan,
                 const struct addr *address, const char *by);

/* Openings that are not closed yet. */
unsigned doors_count(const struct doors *doors);

/* Closes all, now; calls done(arg) once none is left, perhaps at once. No knock opens any more. */
void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg);

/* Logs each opening that is still not closed, as an error. */
void doors_log_left(const struct doors *doors);

#endif
