/* Where a daemon stands: its privilege, its folders, its lock, the terminal that it leaves. */
#ifndef KNOCKD_PLACE_H
#define KNOCKD_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "keeper/store.h"
#include "lib/config.h"

/* Looks up the listener's user. False after telling `report`; root is refused. */
bool place_user(const struct config *config, uid_t *uid, gid_t *gid, struct report *report);

/* Makes the listener's empty root if it is missing. False after telling `report`. */
bool place_root(const struct config *config, struct report *report);

/*
 * Makes the state folder and the listener's empty root where they are missing, and takes the lock
 * by which knockd runs once. Returns the lock's descriptor, which is held until the process ends,
 * or -1 after telling `report`.
 */
int place_prepare(const struct config *config, struct report *report);

/*
 * Waits for commands of an earlier run to end, then opens the store. What was damaged is moved
 * aside, loudly. False after an error was logged; what was opened is the caller's all the same.
 */
bool place_state(const struct config *config, struct store **store, int *commands_lock);

/*
 * Forks; the parent waits until the child calls place_leave and exits with status 0, or with 1 if
 * the child ends before that. Returns, in the child, what place_leave wants; -1 and errno.
 */
int place_fork(void);

/* Ready: lets go of the terminal and of the waiting parent. */
void place_leave(int parent);

#endif
