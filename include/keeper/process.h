/* Finding the program that a command names, and starting it in a world that is built for it. */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "keeper/command.h"

/*
 * The path of program `name`: itself when it holds a slash, else looked up in
 * /usr/sbin:/usr/bin:/sbin:/bin. The caller frees it. NULL and errno when there is none that can be
 * executed.
 */
char *program_find(const char *name);

/* Why program_find just didn't find `name`, for messages. */
const char *program_missing(const char *name);

/* Whether the kernel can execute the file, as far as its beginning says: a script whose interpreter
 * isn't there can't be. Else one line in `why`. */
bool program_runs(const char *path, char *why, size_t why_size);

/* Whom a program runs as, and in which further groups. */
struct program_user {
    uid_t uid;
    gid_t gid;
    int group_count;
    gid_t groups[32];
};

/* The world of a program: where it writes to, who it is (NULL: the caller), and a lock that it and
 * its children hold as descriptor 3 as long as they live (-1: none). */
struct program_world {
    int output;
    int errors;
    const struct program_user *user;
    int lock;
};

/*
 * Starts `command` in a process group of its own: stdin from /dev/null, stdout, stderr and
 * lock as `world` says, no other descriptor, signals as they are by default, an environment of PATH
 * and LC_ALL only. It dies with the caller. Returns its process id, or -1 and errno; what fails
 * after the fork is written to its stderr, with exit status 127.
 */
pid_t program_start(const struct command *command, const struct program_world *world);

/* Waits for such a process until `deadline` (clock_now()), then kills its group. Its exit status;
 * -1: it has none. Not for what the keeper runs while it serves, which waits for nobody. */
int program_wait(pid_t pid, int64_t deadline);

#endif
