/* Closing doors by the record of an earlier run alone, which holds the commands that undo them. */
#ifndef KNOCKD_CLOSE_ALL_H
#define KNOCKD_CLOSE_ALL_H

#include "keeper/doors.h"
#include "knockd/options.h"

/*
 * knockd --close-all: closes everything on record in the state folder that the options name, or
 * else the configuration, however wrong it is. Needs root and an open log. Returns the exit status:
 * 0 when nothing is open any more.
 */
int close_all_run(const struct options *options);

/*
 * After a start with the configuration at the absolute path `config` that failed before it had a
 * state folder: closes what is due and waits for that, keeps the rest on record, and logs until
 * when that stays open. A knockd that runs is left alone, and without a record nothing is logged.
 */
void close_due(const char *config);

/* Before a start with `state_dir`: closes everything on record in another folder that the
 * configuration had before, since nobody looks after that any more. */
void close_before(const char *config, const char *state_dir);

/*
 * Serves `loop` until no opening of `doors` is due any more, or `limit` ns are over, or somebody
 * stops the loop. Those that stay are logged, each with the reason.
 */
void close_wait(struct loop *loop, struct doors *doors, int64_t limit);

#endif
