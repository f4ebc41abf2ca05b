/* From a locked state folder to its open store, once the commands of an earlier run have ended. */
#ifndef KNOCKD_STATE_STORE_H
#define KNOCKD_STATE_STORE_H

#include "keeper/store.h"
#include "knockd/state_dir.h"
#include "lib/config.h"

/*
 * Opens the store for a start with `config`. What was lost with it is logged, with what to do about
 * it; a damaged store is moved aside. NULL after an error was logged.
 */
struct store *state_store_open(struct state_dir *dir, const struct config *config);

enum { STATE_STORE_COPY_SIZE = 32 };

/*
 * Opens the store to close what is on record there; waits for commands at most `limit` ns. On a
 * disk that has become read-only it opens a copy, whose folder is then in `copy`, for
 * state_store_remove_copy; "": there is none. NULL after an error was logged.
 */
struct store *state_store_open_record(struct state_dir *dir, int64_t limit,
                                      char copy[STATE_STORE_COPY_SIZE]);

/* Removes the folder of a copy whose store is closed. "" is fine. */
void state_store_remove_copy(const char *copy);

/* Logs that the folder's store was in use and is gone, and what to do about it. */
void state_store_log_gone(const char *state_dir);

#endif
