/*
 * Runs commands: eight at a time, undos first, each for a limited time, never waiting for one. What
 * is due waits for no command that has hung before.
 *
 * Commands of one kind (keeper/batch.h) that wait are run together, undos and others apart: one
 * alone goes at once; while it runs the next gather. Each command ends as it would have alone: a
 * batch that fails has done nothing, and is split until those that fail stand alone, or it says
 * which one failed, with those before it done. What one that was killed has done, the firewall is
 * asked, by commands that look whether its rules or elements are there.
 *
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
 * of all groups together, half of the places of their kind. Of checks, a check has to end.
 */
enum { RUNNER_UNTRIED_UNDO = 4, RUNNER_UNTRIED_DO = 3 };

/* Of how many commands of a job it is remembered that they succeeded. */
enum { RUNNER_REMEMBERED = 64 };

/*
 * Of the commands of a batch, so many at first and at most: full ones that are quick are followed
 * by larger ones, by the one factor, and those that take long by smaller ones, by the other. A
 * batch that fails is split in two, a small one into single commands.
 */
enum { RUNNER_BATCH_FIRST = 256, RUNNER_BATCH_MOST = 16384, RUNNER_BATCH_SMALL = 8 };
enum { RUNNER_BATCH_GROWTH = 16, RUNNER_BATCH_FACTOR = 4 };

/* So many rules of a batch that was killed are looked for, unless one tells that none is there. */
enum { RUNNER_LOOKS = 4 };

/*
 * What a job that runs again and again has told: hashes of the lines that its commands wrote and of
 * how they failed, the last one first. Zeros: nothing. At its runs RUNNER_TOLD_AGAIN, twice that,
 * four times that and so on all is told once more, for those who read the log of that day alone.
 */
enum { RUNNER_TOLD = 16, RUNNER_TOLD_AGAIN = 16 };

struct runner_told {
    unsigned runs;
    uint32_t hashes[RUNNER_TOLD];
};

enum job_kind {
    JOB_DO,   /* stops at the first command that fails; a check runs after all others that wait */
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
    struct runner_told **told; /* what this and earlier runs have told, which is logged for those
                                * who debug alone; made when there is something, and the caller's
                                * to free. NULL: all is told each time */
    int64_t order; /* of a JOB_UNDO: greater than that of what was opened before. What goes together
                    * goes backwards */
    /* Called once, when all is over; the job may be submitted again from there. */
    void (*done)(void *arg, bool success);
    void *arg;
    bool hung; /* a command of it was killed at its limit, and it hasn't succeeded since; the caller
                * takes that over from the job before of the same kind */
    bool alone; /* a batch failed by a command of it, and none has succeeded since: it is in none;
                 * taken over likewise */
    bool doubtful; /* a command of it was killed: whether it was done isn't known. Submitted so:
                    * what it deletes may not be there, and then that is a success. A command of a
                    * set runs in its forgiving form first (keeper/set_command.h), and as it is when
                    * that fails */
    /* The runner's own. */
    TAILQ_ENTRY(job) link;
    struct group *member;      /* NULL: of none */
    struct batch_class *like;  /* of its command that is next; NULL: that is like no other */
    struct batch_class *class; /* the same; NULL: that runs alone */
    unsigned together;         /* at most so many are in a batch with it */
    bool plain;                /* its command's forgiving form failed, and it runs as it is */
    bool unsaved;              /* its rule isn't told by what iptables-save prints */
    unsigned index;   /* command that runs or is next; once it is over, behind the last that ran */
    unsigned failed;  /* commands that did */
    bool looked_for;  /* its rule, since its batch was killed */
    unsigned started; /* commands that were executed, but for those that are to be run again */
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

/* Whether commands run together from here on; they do at first. */
void runner_set_batch(struct runner *runner, bool batch);

/* `knockd`: a program that is called with RULE_DELETER (keeper/rule_deleter.h) where a batch
 * deletes rules of iptables-nft; NULL, as at first: iptables-restore does that, too. */
void runner_set_deleter(struct runner *runner, const char *knockd);

/* Takes a job. It never calls done() before it returns. */
void runner_submit(struct runner *runner, struct job *job);

/*
 * Takes back a job that waits for its turn: for its first command, or between two of them, which
 * `started` tells, or for one that is to be run again, and perhaps was done, as `doubtful` tells.
 * False when a command of it runs, or nothing is submitted.
 */
bool runner_withdraw(struct runner *runner, struct job *job);

/* Kills the command of it that runs. done() is told that as a failure, once the process is gone; no
 * further command of the job is run. Nothing happens when no command of it runs. */
void runner_kill(struct runner *runner, struct job *job);

/* Only exit status 0 is a success. */
extern const uint64_t runner_ok_zero[4];

#endif
