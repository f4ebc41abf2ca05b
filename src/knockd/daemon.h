/* knockd at work: the keeper with its doors, the listener beside it, signals, reloads, the end. */
#ifndef KNOCKD_DAEMON_H
#define KNOCKD_DAEMON_H

#include "keeper/command.h"
#include "keeper/keyring.h"
#include "keeper/one_time.h"
#include "knockd/options.h"
#include "knockd/state_dir.h"

/* A configuration in force, or about to be. */
struct setting {
    struct config *config;
    struct plans *plans;
    struct one_time once; /* one-time sequences */
    struct keyring *keyring;
    struct commands init; /* before the first door */
    struct commands exit; /* after the last */
    uid_t uid;
    gid_t gid;
};

/*
 * Reads and checks the file at `path` in all its parts. `only_check`: it won't be used, so doubts
 * that the start would tell of are told now. False after telling `report`.
 */
bool setting_load(struct setting *setting, const char *path, bool only_check,
                  struct report *report);
void setting_free(struct setting *setting);

/* Warns of what a reload can't change. */
void setting_compare(const struct setting *old, const struct setting *new);

/*
 * Serves with `setting` and `dir`, whose parts it takes over, until SIGTERM or SIGINT. `parent` is
 * what daemonize_fork returned, or -1. Returns the exit status: 1 if it never got ready or a door
 * could not be closed. If it never gets ready, it closes first what is due of an earlier run's
 * doors.
 */
int daemon_run(struct setting *setting, struct state_dir *dir, const struct options *options,
               int parent);

#endif
