/*
 * Keeps the store in step with the openings. A new opening is durable before its command runs;
 * changes and removals are written later, together; what can't be written now is tried again until
 * it can. What happens in one moment is one transaction. While a door is open, the store's files
 * are looked after.
 */
#ifndef KEEPER_WRITEBACK_H
#define KEEPER_WRITEBACK_H

#include "keeper/openings.h"
#include "keeper/store.h"

struct writeback;

/* For the openings of `all` and `store`, which stay the caller's; store NULL: nothing is stored.
 * NULL when memory is short. */
struct writeback *writeback_new(struct loop *loop, const struct openings *all, struct store *store);

/* Whether the last attempt to write failed. */
bool writeback_failing(const struct writeback *writeback);

/* Writes what it can, and forgets the rest. NULL is fine. */
void writeback_free(struct writeback *writeback);

/* A new opening. Calls done(opening, durable) once: from the loop, or from writeback_flush. */
void writeback_add(struct writeback *writeback, struct opening *opening,
                   void (*done)(struct opening *opening, bool durable));

/* The state or the deadline of a stored opening may have changed. */
void writeback_change(struct writeback *writeback, struct opening *opening);

/* The opening is gone, `end` says how. It may be freed at once; done() isn't called any more. */
void writeback_remove(struct writeback *writeback, struct opening *opening, const char *end);

/* Writes now, in the transaction that the store may have open. 0; -1 when it can't be made durable:
 * then that transaction is lost. */
int writeback_flush(struct writeback *writeback);

#endif
