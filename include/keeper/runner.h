/*
 * Runs commands: eight at a time, undos first, each for a limited time, never waiting for one. What
 * is due waits for no command that has hung before.
 * What a command writes is logged; how it ends is logged and decides.
 */
#ifndef KEEPER_RUNNER_H
#define KEEPER_RUNNER_H

#include <sys/queue.h>

#include "keeper/command.h"
#include "lib/loop.h"

/* How many commands run at a time, and how many of those places only undos may take that aren't
 * slow. */
enum { RUNNER_SLOTS = 8, RUNNER_UNDO_SLOTS = 2 };

/*
 * Of each kind, so many slow jobs run at a time. A job is slow when one of its commands was killed
 * at its limit before, and so are all jobs of a group while the last of that kind was. In which
 * order they wait doesn't count: the groups take turns.
 */
enum { RUNNER_SLOW = 2 };

/*
 * A group no job of which, of that kind, has ended yet is untried: one runs at a time, and so many
 * of all groups together, half of the places of their kind.
 */
enum { RUNNER_UNTRIED_UNDO = 4, RUNNER_UNTRIED_DO = 3 };

/* Of how many commands of a job it is remembered that they succeeded. */
enum { RUNNER_REMEMBERED = 64 };

enum job_kind {
    JOB_DO,   /* stops at the first command that fails */
    JOB_UNDO, /* runs before any JOB_DO that waits; runs all its commands, whatever fails */
};

/* A list of commands to be run one after the other. Owned by the caller, who keeps it in place. */
struct job {
    enum job_kind kind;
    const struct commands *commands;
    const uint64_t *ok;  /* bit n: exit status n is a success; 256 bits */
    bool quiet;          /* a check: all its commands run, and exit status 1 is no error */
    const char *label;   /* who, in messages: "door ssh: 203.0.113.9" */
    const char *group;   /* whose, the name of a door: it gets at most half of the places; NULL:
                          * nobody's */
    uint64_t *succeeded; /* of a JOB_UNDO: bit n is set when command n succeeds, and then it is
                          * passed over; NULL: all are run each time */
    /* Called once, when all is over; the job may be submitted again from there. */
    void (*done)(void *arg, bool success);
    void *arg;
    bool hung; /* a command of it was killed at its limit, and it hasn't succeeded since; the caller
                * takes that over from the job before of the same kind */
    /* The runner's own. */
    TAILQ_ENTRY(job) link;
    struct group *member; /* NULL: of none */
    unsigned index;   /* command that runs or is next; once it is over, behind the last that ran */
    unsigned failed;  /* commands that did */
    unsigned started; /* commands that were executed */
    unsigned late;    /* those that were killed at their limit */
    unsigned said_no; /* those that exited with status 1 */
    unsigned misused; /* those that did nothing, since they don't understand their words */
    bool last_was_idle; /* the last command that ran did nothing: command_did_nothing() */
    int64_t since;      /* when its command that runs was started */
    bool running;
    bool queued;
    bool killed; /* no further command of it is run */
};

struct runner;

/*
 * A runner whose commands may take `limit` ns each, and inherit `lock` unless it is -1. NULL and
 * errno.
 */
struct runner *runner_new(struct loop *loop, int64_t limit, int lock);

/* Kills what still runs, without calling done(). */
void runner_free(struct runner *runner);

void runner_set_limit(struct runner *runner, int64_t limit);

/* Commands that start from here on inherit `lock`. */
void runner_set_lock(struct runner *runner, int lock);

/* Takes a job. It never calls done() before it returns. */
void runner_submit(struct runner *runner, struct job *job);

/*
 * Takes back a job that waits for its turn: for its first command, or between two of them, which
 * `started` tells. False when a command of it runs, or nothing is submitted.
 */
bool runner_withdraw(struct runner *runner, struct job *job);

/* Kills the command of it that runs. done() is told that as a failure, once the process is gone; no
 * further command of the job is run. Nothing happens when no command of it runs. */
void runner_kill(struct runner *runner, struct job *job);

/* Only exit status 0 is a success. */
extern const uint64_t runner_ok_zero[4];

#endif
