/* Child processes: started, watched, limited in time, killed with their group, reaped. */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/command.h"
#include "lib/loop.h"

/* Whom a program runs as, and in which further groups. */
struct process_user {
    uid_t uid;
    gid_t gid;
    int group_count;
    gid_t groups[32];
};

/* The world of a program: where it writes to, what it reads (0: nothing, /dev/null), who it is
 * (NULL: the caller), and a lock that it and its children hold as descriptor 3 as long as they live
 * (-1: none). */
struct process_world {
    int output;
    int errors;
    int input;
    const struct process_user *user;
    int lock;
    bool prompt; /* it is to start as soon as can be, if the caller has to wait for that: not where
                  * others are to be started as well */
};

/*
 * Starts `command` in a process group of its own: stdin, stdout, stderr and lock as
 * `world` says, no other descriptor, signals as they are by default, an environment of PATH
 * and LC_ALL only. It dies with the caller. Returns its process id, or -1 and errno; what fails
 * after the fork is written to its stderr, with exit status 127.
 */
pid_t process_start(const struct command *command, const struct process_world *world);

/* A child that the event loop watches. The owner keeps it in place. */
struct process {
    pid_t pid; /* 0: none runs */
    bool late; /* it was killed at its limit */
    /* The module's own. */
    int pidfd;
    struct loop *loop;
    struct watch *on_exit;
    struct timer limit;
    void (*ended)(void *arg, const siginfo_t *how);
    void *arg;
};

/*
 * Gets *process ready, without a child. Whenever one has ended, and been reaped, ended(arg, how) is
 * told how, as waitid(2) tells it; another may be started from there. -1 when memory is short.
 */
int process_init(struct process *process, struct loop *loop,
                 void (*ended)(void *arg, const siginfo_t *how), void *arg);

/* Kills and reaps what runs, without ended(), as process_end does. */
void process_free(struct process *process);

/*
 * Takes charge of the child `pid`, which leads a process group; it is killed after `limit` ns
 * (INT64_MAX: never). -1 and errno if it can't be watched: then it has been killed and reaped.
 */
int process_watch(struct process *process, pid_t pid, int64_t limit);

/* Kills the child with its group; ended() comes later. Nothing happens when none runs. */
void process_kill(const struct process *process);

/*
 * Kills it unless it ends by itself within `grace` ms, and reaps it, without ended(). False when
 * the kernel holds it, for example in a read that never returns: after a second it isn't waited
 * for any more, and reaped when it ends at last. Nothing happens when none runs.
 */
bool process_end(struct process *process, int grace);

/* Waits for such a process until `deadline` (clock_now()), then kills its group. Its exit status;
 * -1: it has none. Not for what the keeper runs while it serves, which waits for nobody. */
int process_wait(pid_t pid, int64_t deadline);

#endif
