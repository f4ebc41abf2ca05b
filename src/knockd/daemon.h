/* knockd at work: the keeper with its doors, the listener beside it, signals, reloads, the end. */
#ifndef KNOCKD_DAEMON_H
#define KNOCKD_DAEMON_H

#include "knockd/generation.h"
#include "knockd/options.h"
#include "knockd/state_dir.h"

/*
 * Serves with `generation` and `dir`, both of which it takes over, until SIGTERM or SIGINT.
 * `parent` is what daemonize_fork returned, or -1. Returns the exit status: 1 if it never got ready
 * or a door could not be closed. If it never gets ready, it closes first what is due of an earlier
 * run's doors.
 */
int daemon_run(struct generation *generation, struct state_dir *dir, const struct options *options,
               int parent);

#endif
