/*
 * What the runner consists of, for its files alone. runner.c takes jobs in, and starts them;
 * runner_turns.c says which is next; runner_slot.c runs a process and concludes what it did;
 * runner_batch.c does that for several commands at once; runner_output.c logs what they write.
 */
#ifndef KEEPER_RUNNER_PARTS_H
#define KEEPER_RUNNER_PARTS_H

#include <stdio.h>
#include <sys/queue.h>

#include "keeper/batch.h"
#include "keeper/process.h"
#include "keeper/runner.h"
#include "lib/clock.h"

enum { GROUP_BUCKETS = 512 };

/* So many bytes are read of a table, at most, to look for the rules of a batch in them. */
enum { SAVED_MOST = 64 << 20 };

/* Kinds of commands that run together: programs and tables, of which there are few. */
enum { BATCH_CLASSES = 32 };

/* What a command writes, line by line into the log: some lines of it, and no line too long. */
struct output {
    char line[256];
    size_t used;
    unsigned lines; /* logged so far */
    bool quiet;     /* only for those who debug */
    const struct job *job;
    const char *denied; /* what of the unit's sandbox a line of it may be due to; NULL: nothing */
    const struct batch_kind *batch; /* that it is of; NULL: of none */
    unsigned failed_at;             /* which command of that failed, as it says; 0: it doesn't */
    bool erred; /* it named an error of the system, so that its exit status 1 says nothing */
};

TAILQ_HEAD(job_queue, job);

/* A kind of commands that can run together, and what is known of such batches. */
struct batch_class {
    struct batch_kind kind;
    unsigned most[2]; /* commands in a batch, by enum job_kind */
    bool saves;       /* they look for rules, and their table can be printed */
    bool deletes;     /* they may delete rules, and can do so by their handles */
    bool changes_nft; /* they change what such a deletion reads */
};

struct slot {
    struct runner *runner;
    struct job *job;         /* NULL: free */
    struct job_queue others; /* in one batch with it */
    unsigned count;          /* commands that run: 1 unless it is a batch */
    bool deletes;            /* rules of iptables-nft: a batch of them, or one */
    bool by_handles;         /* it does that by their handles */
    int64_t since;           /* when they were started */
    struct process process;
    void (*ended)(struct slot *slot, const siginfo_t *how); /* called at the process's end */
    bool late;                                              /* it was killed at its limit */
    struct job *looks; /* the batch was killed, and a rule of this job is looked for; NULL: none */
    siginfo_t killed;  /* how the batch ended then */
    unsigned looks_left;
    bool seen;         /* one that was looked for told that the batch was done */
    bool looks_for_no; /* what the rule's absence says: the batch was done */
    unsigned looks_at; /* so many of its commands are looked at, whether all are done; 0: none */
    unsigned done;     /* so many are known to be done, the first ones */
    unsigned doubtful; /* the others up to here perhaps are, too */
    FILE *saved; /* collects the table in which the batch's rules are looked for; NULL: none */
    char *saved_text;
    size_t saved_size;
    int64_t allowed; /* ns that it may take */
    int pipe;        /* what it writes */
    struct watch *on_output;
    struct output output;
};

/* In which order they are looked through for the next job. */
enum { QUEUE_UNDOS, QUEUE_DOS, QUEUE_CHECKS, QUEUES };

/* What the jobs of a group have shown so far, by enum job_kind. */
struct group {
    LIST_ENTRY(group) link;
    enum { UNTRIED, ENDS, HANGS } way[2];
    bool checks_end; /* a check of it has ended, which says nothing of its other commands */
    int64_t turn[2]; /* number of the start of its slow job that was the last; 0: none */
    char name[];
};

/* What runner.h knows as the runner. */
struct runner {
    struct loop *loop;
    int64_t limit;
    int lock;
    struct job_queue queues[QUEUES]; /* those that wait, in the order of submission */
    bool batch;                      /* commands may run together */
    const char *deleter;             /* deletes rules by their handles; NULL: nothing does */
    bool openings_next;              /* they have waited for what deletes */
    int64_t opened;                  /* when one that didn't wait for it was started */
    struct batch_class classes[BATCH_CLASSES];
    unsigned class_count;
    int64_t gathering; /* until then jobs wait for one like them that runs; INT64_MAX: none does */
    struct slot slots[RUNNER_SLOTS];
    LIST_HEAD(group_list, group) groups[GROUP_BUCKETS]; /* by their names */
    int64_t turns;                                      /* slow jobs that were started */
    struct timer kick; /* starts waiting jobs from the loop, never from inside runner_submit */
};

/* The command of the job whose turn it is. */
static inline const struct command *job_command(const struct job *job)
{
    return &job->commands->items[job->index];
}

static inline void job_note_started(struct job *job)
{
    job->last_was_idle = true;
    job->started++;
    job->since = clock_now();
}

/* Passes over what an earlier run of the job did. */
static inline void job_skip_succeeded(struct job *job)
{
    while (job->succeeded && job->index < job->commands->count && job->index < RUNNER_REMEMBERED &&
           (*job->succeeded >> job->index & 1))
        job->index++;
}

/* Has the loop start what may run; never from inside runner_submit. */
static inline void runner_kick(struct runner *runner)
{
    loop_timer_set(runner->loop, &runner->kick, clock_now());
}

/* FNV-1a: names of doors and commands are the administrator's, so it needs no key. */
static inline uint32_t runner_hash(const char *text)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
    return hash;
}

/* --- runner_output.c --- */

/* A job begins that may have been run before. */
void told_count_run(struct runner_told *told);

/* Whether this or an earlier run of the job told the same of its command; now one has. */
bool told_before(const struct job *job, const char *text);

/* Logs the line so far; at the end of all, the last one that had no end. */
void output_end(struct output *output, const char *label);

/* Reads and logs what there is at `fd`, without waiting. 0 at its end, else 1. */
int output_read(struct output *output, int fd, const char *label);

/* --- runner_turns.c --- */

/*
 * What is run for the job's next command: that itself or, when it undoes something and isn't known
 * not to have been done, `own`, which is a success in both cases. Where that has failed, the
 * command itself. The caller frees the text of `own`.
 */
const struct command *job_command_to_run(const struct job *job, struct command *own);

/* Whether that is a command of its own. */
bool job_runs_forgiving(const struct job *job);

/* The queue that the job waits in, or would. */
struct job_queue *turns_queue(struct runner *runner, const struct job *job);

/* Puts the job into its queue, and takes it out again. */
void turns_enqueue(struct runner *runner, struct job *job);
void turns_dequeue(struct runner *runner, struct job *job);

/* Back to the head of their queue, in their order, to be run by at most `together`; 1: each alone.
 */
void turns_put_back(struct runner *runner, struct job_queue *jobs, unsigned together);

/* The group of that name, made if it isn't there; NULL when memory is short. A name is kept as long
 * as the runner: what hung before a reload hangs after it. */
struct group *turns_group(struct runner *runner, const char *name);

/* Frees all groups. */
void turns_end(struct runner *runner);

/* Whether nothing is known yet of the job's group. */
bool turns_untried(const struct job *job);

/* Takes the job out of its queue that may run now and is first; NULL: none may. Undos are first.
 * But where openings have waited for what deletes, the two take turns. */
struct job *turns_next(struct runner *runner);

/* A command of the job was killed at its limit. */
void turns_note_hung(struct job *job);

/* All of a job has to end by itself: its first command may, before one that hangs. A check says
 * nothing of the commands that it is for. */
void turns_note_over(struct job *job);

/* --- runner_slot.c --- */

/* A process of the slot has ended; `slot` is a struct slot. For process_init. */
void slot_ended(void *slot, const siginfo_t *how);

/*
 * Starts `command` in the slot, for its job; `input` is its standard input, 0: it has none. At its
 * end ended() is called, once what it wrote is read. -1 and errno.
 */
int slot_start(struct slot *slot, const struct command *command, int input,
               void (*ended)(struct slot *slot, const siginfo_t *how));

/* Whether the process was, by its limit or by whatever: it may have done its work before. */
bool slot_was_killed(const struct slot *slot, const siginfo_t *how);

/* Reads nothing more of the process. */
void slot_close_pipe(struct slot *slot);

/* Forgets the table that was collected. */
void slot_end_saving(struct slot *slot);

/* The slot is free again; what its jobs do, the caller says. */
void slot_release(struct slot *slot);

/* A command of `job`, which ran in `slot`, has ended: what that says of it. done() of the job may
 * be called, which may free it. */
void slot_conclude(struct slot *slot, struct job *job, const siginfo_t *how);

/* One command of `job` is over; the job goes on or is done, as above. */
void slot_advance(struct runner *runner, struct job *job, bool success);

/* --- runner_batch.c --- */

/* Starts the slot's job with all that can go with it. False: it is to be started alone. */
bool runner_batch_start(struct slot *slot);

#endif
