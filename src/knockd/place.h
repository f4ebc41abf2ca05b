/* Where a daemon stands: its privilege, its folders, its lock, the terminal that it leaves. */
#ifndef KNOCKD_PLACE_H
#define KNOCKD_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "keeper/store.h"
#include "knockd/state_dir.h"
#include "lib/config.h"

/* Looks up the listener's user. False after telling `report`; root is refused. */
bool place_user(const struct config *config, uid_t *uid, gid_t *gid, struct report *report);

/* Makes the listener's empty root if it is missing. False after telling `report`. */
bool place_root(const struct config *config, struct report *report);
bool place_make_root(char *why, size_t why_size);

/*
 * Makes the folders of the absolute `path`, the last with `mode`, as far as they are missing. False
 * with one line in `why`, also for a folder that place_is_safe refuses.
 */
bool place_make_folder(const char *path, mode_t mode, char *why, size_t why_size);

/* Whether nobody but root can change what the folder holds, or put another in its place. False with
 * one line in `why`. */
bool place_is_safe(const char *path, char *why, size_t why_size);

enum { PLACE_BOOT_ID_SIZE = 64 };

/* A number that the kernel draws at each start (Documentation/admin-guide/sysctl/kernel.rst). False
 * after an error was logged. */
bool place_boot_id(char out[PLACE_BOOT_ID_SIZE]);

/*
 * Waits for commands of an earlier run to end, then opens the store. What was damaged is moved
 * aside, loudly. False after an error was logged; what was opened is the caller's all the same.
 */
bool place_state(const struct config *config, struct state_dir *dir, struct store **store);

/*
 * Forks; the parent waits until the child calls place_leave and exits with status 0, or with 1 if
 * the child ends before that. Returns, in the child, what place_leave wants; -1 and errno.
 */
int place_fork(void);

/* Ready: lets go of the terminal and of the waiting parent. */
void place_leave(int parent);

#endif
