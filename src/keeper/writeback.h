/*
 * Keeps the store in step with the openings: what is new is durable before a command runs, what
 * changes and goes follows, and what can't be written now is written later. Whatever happens in
 * one moment is one transaction. While something is open, it looks after the store's files.
 */
#ifndef KEEPER_WRITEBACK_H
#define KEEPER_WRITEBACK_H

#include "keeper/opening.h"
#include "keeper/store.h"

struct writeback;

/* A ledger of the openings of `all`, whose loop is set, for `store`, which stays the caller's;
 * NULL: nothing is kept. NULL when out of memory. */
struct writeback *writeback_new(struct openings *all, struct store *store);

/* Whether the last attempt to write failed. */
bool writeback_failing(const struct writeback *ledger);

/* Writes what it can, and forgets the rest. NULL is fine. */
void writeback_free(struct writeback *ledger);

/* Enters a new opening. Calls done(opening, durable) from the loop, once. */
void writeback_add(struct writeback *ledger, struct opening *opening,
                   void (*done)(struct opening *opening, bool durable));

/* The state or the deadline of an entered opening has changed. */
void writeback_change(struct writeback *ledger, struct opening *opening);

/* The opening is gone, `end` says how. It may be freed at once; done() isn't called any more. */
void writeback_remove(struct writeback *ledger, struct opening *opening, const char *end);

#endif
