/*
 * Keeps the store in step with the openings: what is new is durable before a command runs, what
 * changes and goes follows, and what can't be written now is written later. Whatever happens in
 * one moment is one transaction. While something is open, it looks after the store's files.
 */
#ifndef KEEPER_LEDGER_H
#define KEEPER_LEDGER_H

#include "keeper/opening.h"
#include "keeper/store.h"

struct ledger;

/* A ledger of the openings of `all`, whose loop is set, for `store`, which stays the caller's;
 * NULL: nothing is kept. NULL when out of memory. */
struct ledger *ledger_new(struct openings *all, struct store *store);

/* Whether the last attempt to write failed. */
bool ledger_failing(const struct ledger *ledger);

/* Writes what it can, and forgets the rest. NULL is fine. */
void ledger_free(struct ledger *ledger);

/* Enters a new opening. Calls done(opening, durable) from the loop, once. */
void ledger_add(struct ledger *ledger, struct opening *opening,
                void (*done)(struct opening *opening, bool durable));

/* The state or the deadline of an entered opening has changed. */
void ledger_change(struct ledger *ledger, struct opening *opening);

/* The opening is gone, `end` says how. It may be freed at once; done() isn't called any more. */
void ledger_remove(struct ledger *ledger, struct opening *opening, const char *end);

#endif
