/*
 * The life of a command, alone or with those of its kind that wait, too:
 *
 *   QUEUED ---> STARTED --------------> CONCLUDED ---> the next command of its job, or done()
 *     ^  a slot    | by itself, or killed
 *     |  is free   | at its limit
 *     |            v
 *     |   a batch that failed, or was killed
 *     |      did nothing: by halves ------------------> QUEUED
 *     |      says which one failed: those before it --> CONCLUDED, the others -> QUEUED
 *     +----- may have opened: LOOKED FOR -------------> CONCLUDED, or QUEUED
 *
 * A batch: the first job that may run -> gathers those that go with it (keeper/batch.h) -> as many
 * as batches of its class have had time for -> what one process makes of it -> a verdict on each.
 * Checks and deletions of iptables have ways of their own: a table that is printed once tells which
 * rules are there, and RULE_DELETER deletes by handles, while openings wait.
 */
#include "keeper/runner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#include "keeper/batch.h"
#include "keeper/process.h"
#include "keeper/rule_search.h"
#include "keeper/set_command.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"

/* Of what a command wrote at its end, so many blocks are looked through for its last words. */
enum { LAST_READS = 16 };

enum { GROUP_BUCKETS = 512 };

/* So many bytes are read of a table, at most, to look for the rules of a batch in them. */
enum { SAVED_MOST = 64 << 20, SAVED_READ = 64 << 10 };

/* Kinds of commands that run together: programs and tables, of which there are few. */
enum { BATCH_CLASSES = 32 };

/* So long a command waits for one of its kind that runs, to go with all others that wait. */
static const int64_t gather_time = 500 * INT64_C(1000000);

/*
 * What deletes a rule of iptables-nft reads all of its table first, and does so again when anything
 * is changed meanwhile: among openings that never end it would not, either. So an opening waits for
 * a deletion, but no longer than `quiet_time`, and then again as long. One by a single command ends
 * soon where there are few rules: only one that runs for a moment already is waited for. A deletion
 * waits for openings, too, and a batch of them for another, but not for ever.
 */
static const int64_t quiet_time = 5 * CLOCK_SECOND, quiet_moment = CLOCK_SECOND / 20,
                     openings_time = CLOCK_SECOND;

/* A batch that took longer than the one is followed by smaller ones; by larger ones, if it was full
 * and took less than the other. */
static const int64_t batch_long = 2 * CLOCK_SECOND, batch_short = CLOCK_SECOND / 2;

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
    bool late;         /* it was killed at its limit */
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

const uint64_t runner_ok_zero[4] = {1};

/* --- which job is next --- */

static const struct command *current(const struct job *job)
{
    return &job->commands->items[job->index];
}

/*
 * What is run for the job's next command: that itself or, when it undoes something and isn't known
 * not to have been done, `own`, which is a success in both cases. Where that has failed, the
 * command itself. The caller frees the text of `own`.
 */
static const struct command *command_to_run(const struct job *job, struct command *own)
{
    *own = (struct command){0};
    bool forgives = job->doubtful && !job->plain && job->kind == JOB_UNDO &&
                    set_command_forgiving(current(job), own) == 0;
    return forgives ? own : current(job);
}

static bool runs_forgiving(const struct job *job)
{
    struct command own;
    bool forgives = command_to_run(job, &own) == &own;
    free(own.text);
    return forgives;
}

static bool find_kind(const struct job *job, struct batch_kind *out)
{
    struct command own;
    bool found = batch_kind_of(command_to_run(job, &own), out);
    free(own.text);
    return found;
}

/* Makes the class of a kind. */
static void begin_class(const struct runner *runner, struct batch_class *class,
                        const struct batch_kind *kind)
{
    struct command command = {0};
    *class = (struct batch_class){.kind = *kind, .most = {RUNNER_BATCH_FIRST, RUNNER_BATCH_FIRST}};
    class->changes_nft = batch_changes_nft(kind);
    class->saves = kind->checks && batch_save_command(kind, &command) == 0;
    free(command.text);
    command.text = NULL;
    class->deletes = runner->deleter && batch_delete_command(kind, runner->deleter, &command) == 0;
    free(command.text);
    /* The table is read once, however many they are. */
    if (class->deletes)
        class->most[JOB_UNDO] *= RUNNER_BATCH_GROWTH;
}

/* The class of the job's next command; NULL: it has none. */
static struct batch_class *find_class(struct runner *runner, const struct job *job)
{
    struct batch_kind kind;
    if (!find_kind(job, &kind))
        return NULL;
    for (unsigned i = 0; i < runner->class_count; i++)
        if (batch_kinds_equal(&runner->classes[i].kind, &kind))
            return &runner->classes[i];
    if (runner->class_count == BATCH_CLASSES)
        return NULL;
    struct batch_class *class = &runner->classes[runner->class_count++];
    begin_class(runner, class, &kind);
    return class;
}

/* Sets what the job's next command is of, and what it may go with. What looks whether a rule is
 * gone that couldn't be deleted runs alone: it most likely says no, by which a batch fails. */
static void classify(struct runner *runner, struct job *job)
{
    bool looks = job->quiet && job->kind == JOB_UNDO;
    job->like = find_class(runner, job);
    job->class = runner->batch && !job->alone && !looks ? job->like : NULL;
}

/* What opens a door waits for no check of those that are open. */
static struct job_queue *queue_of(struct runner *runner, const struct job *job)
{
    return &runner->queues[job->kind == JOB_UNDO ? QUEUE_UNDOS
                           : job->quiet          ? QUEUE_CHECKS
                                                 : QUEUE_DOS];
}

static void enqueue(struct runner *runner, struct job *job)
{
    classify(runner, job);
    TAILQ_INSERT_TAIL(queue_of(runner, job), job, link);
    job->queued = true;
}

static void dequeue(struct runner *runner, struct job *job)
{
    TAILQ_REMOVE(queue_of(runner, job), job, link);
    job->queued = false;
}

/* FNV-1a: names of doors and commands are the administrator's, so it needs no key. */
static uint32_t hash_text(const char *text)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
    return hash;
}

static unsigned group_bucket(const char *name)
{
    return hash_text(name) % GROUP_BUCKETS;
}

/* The group of that name, made if it isn't there; NULL when memory is short. A name is kept as long
 * as the runner: what hung before a reload hangs after it. */
static struct group *find_group(struct runner *runner, const char *name)
{
    unsigned bucket = group_bucket(name);
    struct group *group;
    for (group = LIST_FIRST(&runner->groups[bucket]); group; group = LIST_NEXT(group, link))
        if (strcmp(group->name, name) == 0)
            return group;
    size_t size = strlen(name) + 1;
    group = calloc(1, sizeof(*group) + size);
    if (!group)
        return NULL;
    memcpy(group->name, name, size);
    LIST_INSERT_HEAD(&runner->groups[bucket], group, link);
    return group;
}

static bool is_slow(const struct job *job)
{
    return job->hung || (job->member && job->member->way[job->kind] == HANGS);
}

static bool is_untried(const struct job *job)
{
    return !is_slow(job) && job->member && job->member->way[job->kind] == UNTRIED &&
           !(job->quiet && job->member->checks_end);
}

/* What runs, and which jobs are looked for. */
struct load {
    struct runner *runner;
    bool want_slow;
    int running, opening;
    int slow[2], untried[2]; /* by enum job_kind */
};

static struct load load_of(struct runner *runner)
{
    struct load load = {.runner = runner};
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        const struct job *job = runner->slots[i].job;
        if (!job)
            continue;
        load.running++;
        load.opening += job->kind == JOB_DO;
        load.slow[job->kind] += is_slow(job);
        load.untried[job->kind] += is_untried(job);
    }
    return load;
}

/*
 * The places that are left for a job of its kind. What opens, and what is slow, leaves two to undos
 * that aren't; and one of the two stays with undos of groups whose last one ended.
 */
static int places(const struct load *load, const struct job *job)
{
    int all = RUNNER_SLOTS - load->running;
    int behind = load->opening + load->slow[JOB_UNDO];
    int doubtful = behind + load->untried[JOB_UNDO];
    bool yields = job->kind == JOB_DO || is_slow(job);
    if ((yields || is_untried(job)) && all > RUNNER_SLOTS - 1 - doubtful)
        all = RUNNER_SLOTS - 1 - doubtful;
    if (yields && all > RUNNER_SLOTS - RUNNER_UNDO_SLOTS - behind)
        all = RUNNER_SLOTS - RUNNER_UNDO_SLOTS - behind;
    return all;
}

static bool are_alike(const struct job *a, const struct job *b)
{
    return a->kind == b->kind && a->quiet == b->quiet;
}

/* Those of its group that run: all of them, or those that are `alike`. */
static int running_of(const struct runner *runner, const struct job *job, bool alike)
{
    int count = 0;
    for (int i = 0; job->member && i < RUNNER_SLOTS; i++) {
        const struct job *other = runner->slots[i].job;
        count += other && other->member == job->member && (!alike || are_alike(other, job));
    }
    return count;
}

/*
 * A group takes no more places than are left: half of them at most, and when the commands of a
 * second one hang as well, a third finds a place. While nothing is known of it, one has to do.
 */
static bool may_run(const struct load *load, const struct job *job)
{
    static const int untried_most[2] = {
        [JOB_DO] = RUNNER_UNTRIED_DO, [JOB_UNDO] = RUNNER_UNTRIED_UNDO};
    if (is_slow(job) && load->slow[job->kind] >= RUNNER_SLOW)
        return false;
    if (is_untried(job) && (load->untried[job->kind] >= untried_most[job->kind] ||
                            running_of(load->runner, job, true) > 0))
        return false;
    return running_of(load->runner, job, false) < places(load, job);
}

/* Until when an opening waits for a deletion that runs in the slot. */
static int64_t opening_waits(const struct slot *slot, int64_t now)
{
    int64_t opened = slot->runner->opened;
    /* Those that begin at one moment don't wait for each other. */
    if (now < opened + quiet_moment || (slot->count == 1 && now < slot->since + quiet_moment))
        return 0;
    return (opened > slot->since ? opened : slot->since) + quiet_time;
}

/* Until when what runs in the slot keeps the job waiting, of which it knows. */
static int64_t waits_until(const struct slot *slot, const struct job *job, int64_t now)
{
    const struct job *other = slot->job;
    bool deletes = job->kind == JOB_UNDO && job->like && job->like->deletes;
    if (!other)
        return 0;
    if (slot->deletes && job->kind == JOB_DO && job->like && job->like->changes_nft)
        return opening_waits(slot, now);
    if (slot->deletes && slot->count > 1 && deletes)
        return slot->since + quiet_time;
    if (deletes && other->kind == JOB_DO && other->like && other->like->changes_nft)
        return slot->since + openings_time;
    return job->class && !is_slow(job) && other->class == job->class && other->kind == job->kind
               ? slot->since + gather_time
               : 0;
}

/* Whether one of its kind runs, with which it would have gone, so that those which wait gather; or
 * one that it would disturb. */
static bool gathers(struct runner *runner, const struct job *job)
{
    int64_t now = clock_now();
    bool waits = false;
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        const struct slot *slot = &runner->slots[i];
        int64_t until = waits_until(slot, job, now);
        if (until <= now)
            continue;
        waits = true;
        runner->openings_next |= slot->deletes && job->kind == JOB_DO;
        if (until < runner->gathering)
            runner->gathering = until;
    }
    return waits;
}

/* Slow groups take turns, so that one which has recovered doesn't wait for all of another. */
static int64_t job_rank(const struct load *load, const struct job *job)
{
    if (is_slow(job) != load->want_slow || !may_run(load, job) || gathers(load->runner, job))
        return -1;
    return load->want_slow && job->member ? job->member->turn[job->kind] : 0;
}

/* Takes out the waiting job of the lowest rank, of equal ones the first; a rank below 0 isn't
 * taken, and none is lower than 0. NULL when there is none. */
static struct job *dequeue_best(struct runner *runner, int queue, const struct load *load)
{
    struct job *best = NULL, *job;
    int64_t lowest = INT64_MAX;
    for (job = TAILQ_FIRST(&runner->queues[queue]); job; job = TAILQ_NEXT(job, link)) {
        int64_t own = job_rank(load, job);
        if (own < 0 || own >= lowest)
            continue;
        best = job;
        lowest = own;
        if (lowest == 0)
            break;
    }
    if (best)
        dequeue(runner, best);
    return best;
}

/* Slow ones are last, but one of them runs at any time: they don't wait for ever. */
static struct job *dequeue_from(struct runner *runner, int queue)
{
    struct load load = load_of(runner);
    load.want_slow = load.slow[queue == QUEUE_UNDOS ? JOB_UNDO : JOB_DO] == 0;
    struct job *job = dequeue_best(runner, queue, &load);
    load.want_slow = !load.want_slow;
    return job ? job : dequeue_best(runner, queue, &load);
}

/* Whether something deletes rules of iptables-nft. */
static bool deletes_now(const struct runner *runner)
{
    for (int i = 0; i < RUNNER_SLOTS; i++)
        if (runner->slots[i].job && runner->slots[i].deletes)
            return true;
    return false;
}

/* Undos are first. But where openings have waited for what deletes, the two take turns. */
static struct job *next_job(struct runner *runner)
{
    static const int order[2][QUEUES] = {{QUEUE_UNDOS, QUEUE_DOS, QUEUE_CHECKS},
                                         {QUEUE_DOS, QUEUE_UNDOS, QUEUE_CHECKS}};
    struct job *job = NULL;
    bool openings = runner->openings_next && !deletes_now(runner);
    runner->openings_next &= !openings;
    for (int i = 0; i < QUEUES && !job; i++)
        job = dequeue_from(runner, order[openings][i]);
    if (job && job->member && is_slow(job))
        job->member->turn[job->kind] = ++runner->turns;
    return job;
}

static void note_hung(struct job *job)
{
    job->late++;
    job->hung = true;
    if (job->member)
        job->member->way[job->kind] = HANGS;
}

/* All of a job has to end by itself: its first command may, before one that hangs. A check says
 * nothing of the commands that it is for. */
static void note_over(struct job *job)
{
    if (job->member && job->quiet && job->late == 0 && job->started > 0)
        job->member->checks_end = true;
    if (job->quiet || job->killed || job->late > 0 || job->started == 0)
        return;
    if (job->failed == 0)
        job->hung = false;
    if (job->member)
        job->member->way[job->kind] = ENDS;
}

/* --- what was told before --- */

static void count_run(struct runner_told *told)
{
    unsigned runs = ++told->runs;
    if (runs >= RUNNER_TOLD_AGAIN && (runs & (runs - 1)) == 0)
        memset(told->hashes, 0, sizeof(told->hashes));
}

/* Whether this or an earlier run of the job told the same of its command; now one has. */
static bool was_told(const struct job *job, const char *text)
{
    if (job->told && !*job->told && (*job->told = calloc(1, sizeof(**job->told))))
        (*job->told)->runs = 1;
    if (!job->told || !*job->told)
        return false;
    uint32_t *hashes = (*job->told)->hashes;
    /* Never 0, which stands for nothing. */
    uint32_t hash = (hash_text(text) + job->index * 2) | 1;
    unsigned at = 0;
    while (at < RUNNER_TOLD - 1 && hashes[at] != hash)
        at++;
    bool before = hashes[at] == hash;
    memmove(hashes + 1, hashes, at * sizeof(*hashes));
    hashes[0] = hash;
    return before;
}

/* --- a command --- */

/* By its limit or by whatever: it may have done its work before. */
static bool was_killed(const struct slot *slot, const siginfo_t *how)
{
    return slot->late || how->si_code != CLD_EXITED;
}

/* A check that fails in any other way says nothing: its lock was held, or it could not run. */
static bool says_no(const struct slot *slot, const siginfo_t *how)
{
    return !was_killed(slot, how) && how->si_status == 1;
}

/* "command exited with status 1: COMMAND" */
static void write_ending(const struct slot *slot, const siginfo_t *how, const char *text, char *out,
                         size_t size)
{
    if (slot->late)
        snprintf(out, size, "command took longer than %lld s and was killed: %s",
                 (long long)(slot->allowed / CLOCK_SECOND), text);
    else if (how->si_code == CLD_EXITED)
        snprintf(out, size, "command exited with status %d: %s", how->si_status, text);
    else
        snprintf(out, size, "command was killed by signal %d: %s", how->si_status, text);
}

static void log_failure(const struct slot *slot, const struct job *job, const siginfo_t *how)
{
    char text[512], ending[sizeof(text) + 64];
    const char *denied = slot->output.denied;
    struct command own;
    command_text(command_to_run(job, &own), text, sizeof(text));
    free(own.text);
    if (job->quiet && says_no(slot, how)) {
        log_debug("%s: check says no: %s", job->label, text);
        return;
    }
    write_ending(slot, how, text, ending, sizeof(ending));
    if (was_told(job, ending))
        log_debug("%s: %s", job->label, ending);
    else
        log_warning("%s: %s", job->label, ending);
    if (denied && !was_told(job, denied))
        log_warning("%s: that is probably the sandbox of the unit knockd.service: %s", job->label,
                    denied);
}

static bool succeeded(const struct slot *slot, const struct job *job, const siginfo_t *how)
{
    if (was_killed(slot, how))
        return false;
    unsigned status = (unsigned)how->si_status & 0xff;
    /* The door's other statuses are about its own command. */
    if (runs_forgiving(job))
        return status == 0;
    return (job->ok[status / 64] >> (status % 64) & 1) ||
           (job->doubtful && command_found_nothing(current(job), how->si_status));
}

static void close_pipe(struct slot *slot)
{
    loop_unwatch(slot->on_output);
    slot->on_output = NULL;
    if (slot->pipe >= 0)
        close(slot->pipe);
    slot->pipe = -1;
}

static void end_saving(struct slot *slot)
{
    if (slot->saved)
        fclose(slot->saved);
    free(slot->saved_text);
    slot->saved = NULL;
    slot->saved_text = NULL;
    slot->saved_size = 0;
}

static void release(struct slot *slot)
{
    close_pipe(slot);
    end_saving(slot);
    slot->job = NULL;
    slot->deletes = slot->by_handles = false;
}

/* --- what a command writes --- */

/* A command that chatters can't fill the disk through us. */
enum { LINES_MAX = 10 };

/* Logs the line so far; at the end of all, the last one that had no end. */
static void output_end(struct output *output, const char *label)
{
    if (output->used == 0)
        return;
    output->line[output->used] = '\0';
    if (!output->denied)
        output->denied = service_denied(output->line);
    if (output->batch && output->failed_at == 0)
        output->failed_at = batch_failed_at(output->batch, output->line);
    const char *text = output->line;
    if (output->lines == LINES_MAX && !output->quiet)
        text = "more was written and is left out";
    bool told = output->lines <= LINES_MAX && !output->quiet && was_told(output->job, text);
    if (output->quiet || told)
        log_debug("%s: output: %s", label, text);
    else if (output->lines <= LINES_MAX)
        log_notice("%s: output: %s", label, text);
    output->lines++;
    output->used = 0;
}

static void output_add(struct output *output, const char *text, size_t len, const char *label)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            output_end(output, label);
        else if (output->used < sizeof(output->line) - 1 && text[i] != '\0')
            output->line[output->used++] = text[i];
    }
}

/* Reads and logs what there is at `fd`, without waiting. 0 at its end, else 1. */
static int output_read(struct output *output, int fd, const char *label)
{
    char text[4096];
    ssize_t got = read(fd, text, sizeof(text));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    output_add(output, text, (size_t)got, label);
    return got > 0;
}

/* Collects what there is of the table at the slot's pipe. 0 at its end, else 1. */
static int read_saved(struct slot *slot)
{
    static char text[SAVED_READ];
    ssize_t got = read(slot->pipe, text, sizeof(text));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (ftell(slot->saved) < SAVED_MOST)
        fwrite(text, 1, (size_t)got, slot->saved);
    return got > 0;
}

/* --- one command after the other --- */

static void kick(struct runner *runner)
{
    loop_timer_set(runner->loop, &runner->kick, clock_now());
}

/* Passes over what an earlier run of the job did. */
static void skip_succeeded(struct job *job)
{
    while (job->succeeded && job->index < job->commands->count && job->index < RUNNER_REMEMBERED &&
           (*job->succeeded >> job->index & 1))
        job->index++;
}

/* One command of `job` is over; the job goes on or is done. */
static void advance(struct runner *runner, struct job *job, bool success)
{
    if (success && job->succeeded && job->index < RUNNER_REMEMBERED)
        *job->succeeded |= UINT64_C(1) << job->index;
    job->failed += !success;
    job->index++;
    job->plain = false;
    skip_succeeded(job);
    bool go_on = !job->killed && (success || job->kind == JOB_UNDO || job->quiet);
    bool over = job->index >= job->commands->count || !go_on;
    kick(runner);
    if (!over) {
        enqueue(runner, job);
        return;
    }
    job->running = false;
    note_over(job);
    job->done(job->arg, job->failed == 0);
}

static void put_back(struct runner *runner, struct job_queue *jobs, unsigned together);

/* The forgiving form of the job's command failed: the command itself runs next. */
static void run_plainly(struct slot *slot, struct job *job)
{
    struct job_queue jobs;
    log_debug("%s: the forgiving form of its command failed", job->label);
    job->plain = true;
    job->started--;
    TAILQ_INIT(&jobs);
    TAILQ_INSERT_TAIL(&jobs, job, link);
    put_back(slot->runner, &jobs, 1);
}

/* A command of `job`, which ran in `slot`, has ended: what that says of it. */
static void conclude(struct slot *slot, struct job *job, const siginfo_t *how)
{
    bool success = succeeded(slot, job, how);
    if (!success && !was_killed(slot, how) && !job->killed && runs_forgiving(job)) {
        run_plainly(slot, job);
        return;
    }
    if (slot->late)
        note_hung(job);
    if (!success)
        log_failure(slot, job, how);
    job->doubtful |= was_killed(slot, how);
    job->alone &= !success;
    job->said_no += says_no(slot, how);
    bool exited = !was_killed(slot, how);
    job->last_was_idle =
        exited && !job->doubtful && command_did_nothing(current(job), how->si_status);
    job->misused += exited && command_misused(current(job), how->si_status);
    job->together = 0;
    advance(slot->runner, job, success);
}

/* --- several commands as one --- */

/* Takes the jobs of a batch out of its slot, which is free then; in the order in which they run: of
 * what undoes, the first of the queue is the last. */
static void take_batch(struct slot *slot, struct job_queue *jobs)
{
    TAILQ_INIT(jobs);
    TAILQ_CONCAT(jobs, &slot->others, link);
    if (slot->job->kind == JOB_DO)
        TAILQ_INSERT_HEAD(jobs, slot->job, link);
    else
        TAILQ_INSERT_TAIL(jobs, slot->job, link);
    release(slot);
}

/* Back to the head of their queue, in their order, to be run by at most `together`; 1: each alone.
 */
static void put_back(struct runner *runner, struct job_queue *jobs, unsigned together)
{
    struct job *job;
    while ((job = TAILQ_LAST(jobs, job_queue))) {
        TAILQ_REMOVE(jobs, job, link);
        job->together = together;
        classify(runner, job);
        if (together == 1)
            job->class = NULL;
        job->queued = true;
        TAILQ_INSERT_HEAD(queue_of(runner, job), job, link);
    }
    kick(runner);
}

/*
 * The `count` commands of a batch that did nothing, or that can be done twice: they are run again,
 * by halves, or by quarters where that took its time; those of a small one run alone, and stay so
 * when the culprit is `among` them. No command of a job that was given up is.
 */
static void split_batch(struct slot *slot, struct job_queue *jobs, unsigned count, bool among)
{
    bool late = slot->late, alone = count <= RUNNER_BATCH_SMALL;
    unsigned together = alone ? 1 : (count + 1) / (late ? RUNNER_BATCH_FACTOR : 2);
    struct job_queue again, given_up;
    struct job *job;
    TAILQ_INIT(&again);
    TAILQ_INIT(&given_up);
    while ((job = TAILQ_FIRST(jobs))) {
        TAILQ_REMOVE(jobs, job, link);
        job->alone |= alone && among && !late;
        job->started--;
        TAILQ_INSERT_TAIL(job->killed ? &given_up : &again, job, link);
    }
    put_back(slot->runner, &again, together);
    while ((job = TAILQ_FIRST(&given_up))) {
        TAILQ_REMOVE(&given_up, job, link);
        advance(slot->runner, job, false);
    }
}

/*
 * Batches are as large as they can be run in good time: what undoes a rule may take iptables much
 * longer than what makes it, so one kind says nothing of the other. They grow by no more than the
 * time that a full one took promises, lest the next one be killed at its limit.
 */
static void fit_size(struct batch_class *class, enum job_kind kind, unsigned count, int64_t took)
{
    unsigned *most = &class->most[kind];
    int64_t times = took > 0 ? batch_long / took : RUNNER_BATCH_GROWTH;
    if (took > batch_long && count <= *most)
        *most = count > 2 * RUNNER_BATCH_FACTOR ? count / RUNNER_BATCH_FACTOR : 2;
    else if (took < batch_short && count == *most)
        *most *= times < RUNNER_BATCH_GROWTH ? (unsigned)times : RUNNER_BATCH_GROWTH;
    if (*most > RUNNER_BATCH_MOST)
        *most = RUNNER_BATCH_MOST;
}

static void begin_looking(struct slot *slot);
static void on_looked(struct slot *slot, const siginfo_t *how);
static void on_looked_at_several(struct slot *slot, const siginfo_t *how);

/* What became of a batch. */
enum outcome {
    OF_EACH,  /* what became of each of its commands */
    OF_NONE,  /* nothing was done, or can be done again */
    OF_SOME,  /* those before the one that failed were done, and nothing else */
    NOT_KNOWN /* some, or all, was done or nothing, and what opens mustn't be run twice */
};

static bool may_repeat(const struct slot *slot)
{
    const struct job *job;
    if (slot->job->kind == JOB_UNDO || slot->job->class->kind.checks)
        return true;
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
        if (!batch_may_repeat(current(job)))
            return false;
    return batch_may_repeat(current(slot->job));
}

/* It is of each when all were done, and when it waited in vain for the firewall's lock. */
static enum outcome outcome_of(const struct slot *slot, const siginfo_t *how)
{
    const struct batch_kind *kind = &slot->job->class->kind;
    unsigned failed_at = slot->output.failed_at;
    bool killed = was_killed(slot, how);
    if (!killed && (how->si_status == 0 ||
                    batch_was_locked_out(kind, how->si_status, clock_now() - slot->since)))
        return OF_EACH;
    if (!killed && failed_at > 0 && failed_at <= slot->count)
        return OF_SOME;
    bool nothing = !killed && !batch_is_one_by_one(kind);
    return nothing || may_repeat(slot) ? OF_NONE : NOT_KNOWN;
}

/* Each of the jobs has ended so. done() may submit jobs, and free those that are done. */
static void conclude_all(struct slot *slot, struct job_queue *jobs, const siginfo_t *how)
{
    struct job *job;
    while ((job = TAILQ_FIRST(jobs))) {
        TAILQ_REMOVE(jobs, job, link);
        conclude(slot, job, how);
    }
}

static void conclude_batch(struct slot *slot, const siginfo_t *how)
{
    struct job_queue jobs;
    take_batch(slot, &jobs);
    conclude_all(slot, &jobs, how);
}

/* The first `done` commands of the batch were done, and nothing else. `failed`: the next one
 * failed, and is run once more, alone, for all that it has to say. */
static void conclude_some(struct slot *slot, unsigned done, bool failed)
{
    const siginfo_t success = {.si_code = CLD_EXITED};
    unsigned count = slot->count;
    struct job_queue jobs, first;
    struct job *job;
    log_debug("%u of %u commands that were run together are done; running the others: %s", done,
              count, slot->job->class->kind.program);
    take_batch(slot, &jobs);
    TAILQ_INIT(&first);
    for (unsigned i = 0; i < done; i++) {
        job = TAILQ_FIRST(&jobs);
        TAILQ_REMOVE(&jobs, job, link);
        TAILQ_INSERT_TAIL(&first, job, link);
    }
    if (failed)
        TAILQ_FIRST(&jobs)->alone = true;
    /* Who looked may have been late, and something else faster. */
    for (job = failed ? NULL : TAILQ_FIRST(&jobs); job; job = TAILQ_NEXT(job, link))
        job->doubtful = true;
    split_batch(slot, &jobs, count - done, false);
    slot->late = false;
    conclude_all(slot, &first, &success);
}

static void run_batch_again(struct slot *slot)
{
    const struct batch_kind *kind = &slot->job->class->kind;
    unsigned count = slot->count;
    struct job_queue jobs;
    struct job *job;
    log_debug("%u commands that were run together failed; running fewer at a time: %s", count,
              kind->program);
    take_batch(slot, &jobs);
    /* What changes elements, or undoes, and was killed may have been done. */
    bool killed = was_killed(slot, &slot->killed) || batch_is_one_by_one(kind);
    for (job = TAILQ_FIRST(&jobs); job; job = TAILQ_NEXT(job, link)) {
        job->doubtful |= killed && (job->kind == JOB_UNDO || batch_may_repeat(current(job)));
        /* The other form may do for all of them; alone, each has both. */
        job->plain = job->doubtful && !job->plain && !killed && count > RUNNER_BATCH_SMALL;
    }
    split_batch(slot, &jobs, count, true);
}

/* What is known of the jobs of the batch by the table that was collected; NULL: nothing is. */
static struct rule_search *search_saved(struct slot *slot, const siginfo_t *how)
{
    bool collected =
        fflush(slot->saved) == 0 && !ferror(slot->saved) && slot->saved_size < SAVED_MOST;
    if (!collected || was_killed(slot, how) || how->si_status != 0)
        return NULL;
    return rule_search_new(slot->saved_text, slot->saved_size);
}

static void conclude_found(struct slot *slot, struct job *job, enum rule_found found)
{
    const siginfo_t there = {.si_code = CLD_EXITED},
                    absent = {.si_code = CLD_EXITED, .si_status = 1};
    conclude(slot, job, found == RULE_THERE ? &there : &absent);
}

/* The table was printed in which the rules of the batch are looked for. What isn't sure by that,
 * is asked iptables. */
static void on_saved(struct slot *slot, const siginfo_t *how)
{
    struct rule_search *search = search_saved(slot, how);
    unsigned count = slot->count, sure = 0;
    struct job_queue jobs, again;
    struct job *job;
    slot->late = false;
    take_batch(slot, &jobs);
    TAILQ_INIT(&again);
    while ((job = TAILQ_FIRST(&jobs))) {
        enum rule_found found = search ? rule_search_look(search, current(job)) : RULE_UNSURE;
        TAILQ_REMOVE(&jobs, job, link);
        sure += found != RULE_UNSURE;
        if (found != RULE_UNSURE) {
            conclude_found(slot, job, found);
            continue;
        }
        job->unsaved = true;
        job->started--;
        if (job->killed)
            advance(slot->runner, job, false);
        else
            TAILQ_INSERT_TAIL(&again, job, link);
    }
    rule_search_free(search);
    log_debug("%u of %u rules were looked for in the table", sure, count);
    put_back(slot->runner, &again, count);
}

static void on_batch_ended(struct slot *slot, const siginfo_t *how)
{
    slot->killed = *how;
    /* By handles, what takes time is the table, which is read once for however many. */
    if (!slot->by_handles)
        fit_size(slot->job->class, slot->job->kind, slot->count, clock_now() - slot->since);
    switch (outcome_of(slot, how)) {
    case OF_EACH:
        conclude_batch(slot, how);
        return;
    case OF_NONE:
        run_batch_again(slot);
        return;
    case OF_SOME:
        conclude_some(slot, slot->output.failed_at - 1, true);
        return;
    case NOT_KNOWN:
        begin_looking(slot);
        return;
    }
}

/* Reads what there is at the slot's pipe. 0 at its end, else 1. */
static int read_output(struct slot *slot)
{
    return slot->saved ? read_saved(slot)
                       : output_read(&slot->output, slot->pipe, slot->job->label);
}

static void on_ended(void *arg, const siginfo_t *how)
{
    struct slot *slot = arg;
    struct job *job = slot->job;
    for (int i = 0; i < LAST_READS && read_output(slot); i++)
        ;
    output_end(&slot->output, job->label);
    if (slot->saved) {
        slot->late = slot->process.late;
        on_saved(slot, how);
        return;
    }
    if (slot->looks || slot->looks_at > 0) {
        (slot->looks ? on_looked : on_looked_at_several)(slot, how);
        return;
    }
    slot->late = slot->process.late;
    if (slot->count > 1) {
        on_batch_ended(slot, how);
        return;
    }
    release(slot);
    conclude(slot, job, how);
}

static void on_output_ready(void *arg)
{
    struct slot *slot = arg;
    if (read_output(slot))
        return;
    loop_unwatch(slot->on_output);
    slot->on_output = NULL;
}

/* The pipe that a command of `slot` writes to; only our end of it doesn't block. -1 and errno. */
static int make_pipe(struct slot *slot)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    fcntl(ends[1], F_SETFL, 0);
    slot->pipe = ends[0];
    slot->on_output = loop_watch(slot->runner->loop, slot->pipe, LOOP_READ, on_output_ready, slot);
    if (slot->on_output)
        return ends[1];
    close(ends[1]);
    return -1;
}

static bool is_only_one(const struct slot *slot)
{
    for (int i = 0; i < RUNNER_SLOTS; i++)
        if (slot->runner->slots[i].job && &slot->runner->slots[i] != slot)
            return false;
    return true;
}

/* Starts `command` in the slot, for its job. -1 and errno. */
static int start_in(struct slot *slot, const struct command *command, int input)
{
    struct job *job = slot->job;
    slot->allowed = slot->runner->limit;
    slot->since = clock_now();
    int pipe = make_pipe(slot), rc = -1;
    /* What is said of the table isn't to be in the midst of it. */
    int null = slot->saved ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    struct process_world world = {.input = input,
                                  .output = pipe,
                                  .errors = slot->saved ? null : pipe,
                                  .lock = slot->runner->lock,
                                  .prompt = is_only_one(slot)};
    slot->output = (struct output){.quiet = job->quiet || slot->count > 1 || runs_forgiving(job),
                                   .job = job,
                                   .batch = slot->count > 1 ? &job->class->kind : NULL};
    pid_t pid = pipe < 0 ? -1 : process_start(command, &world);
    if (pid > 0)
        rc = process_watch(&slot->process, pid, slot->allowed);
    int error = errno;
    if (pipe >= 0)
        close(pipe);
    if (null >= 0)
        close(null);
    if (rc < 0)
        close_pipe(slot);
    errno = error;
    return rc;
}

/* The commands that the slot's batch runs, in their order; those that are made for that are in
 * `own`. */
static void list_commands(const struct slot *slot, const struct command **commands,
                          struct command *own)
{
    const struct job *job;
    unsigned count = 0;
    if (slot->job->kind == JOB_DO)
        commands[count++] = command_to_run(slot->job, own);
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link), count++)
        commands[count] = command_to_run(job, own + count);
    if (slot->job->kind != JOB_DO)
        commands[count] = command_to_run(slot->job, own + count);
}

/* The input for the first `count` commands of the slot's batch, in a batch of that kind. NULL when
 * memory is short. */
static char *write_batch(const struct slot *slot, const struct batch_kind *kind, unsigned count,
                         size_t *size)
{
    const struct command **commands = calloc(slot->count, sizeof(*commands));
    struct command *own = calloc(slot->count, sizeof(*own));
    char *text = NULL;
    if (commands && own) {
        list_commands(slot, commands, own);
        text = batch_text(kind, commands, count, size);
    }
    for (unsigned i = 0; own && i < slot->count; i++)
        free(own[i].text);
    free(own);
    free(commands);
    return text;
}

/* A file in memory with that input. -1: there is none. */
static int make_input(const struct slot *slot, const struct batch_kind *kind, unsigned count)
{
    size_t size = 0;
    char *text = write_batch(slot, kind, count, &size);
    int fd = text ? memfd_create("knockd-batch", MFD_CLOEXEC) : -1;
    if (fd >= 0 && (write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0)) {
        close(fd);
        fd = -1;
    }
    free(text);
    return fd;
}

static void note_started(struct job *job)
{
    job->last_was_idle = true;
    job->started++;
    job->since = clock_now();
}

static void start(struct slot *slot, struct job *job)
{
    char text[512];
    struct command own;
    /* Which form it had in a batch says nothing of it alone. */
    job->plain &= job->together == 1;
    const struct command *command = command_to_run(job, &own);
    command_text(command, text, sizeof(text));
    log_debug("%s: running %s", job->label, text);
    /* If it can't be started. */
    job->last_was_idle = !job->doubtful;
    slot->job = job;
    slot->count = 1;
    int rc = start_in(slot, command, 0);
    int error = errno;
    free(own.text);
    if (rc == 0) {
        note_started(job);
        return;
    }
    log_error("%s: can't start %s: %s", job->label, text, strerror(error));
    slot->job = NULL;
    advance(slot->runner, job, false);
}

/* --- a batch that opens and was cut short --- */

/* Whose rule is looked for next; NULL: nobody's. */
static struct job *next_to_look(const struct slot *slot)
{
    struct job *job = slot->job;
    if (slot->looks_left == 0)
        return NULL;
    while (job && job->looked_for)
        job = job == slot->job ? TAILQ_FIRST(&slot->others) : TAILQ_NEXT(job, link);
    return job;
}

/* A command of that group hangs even alone: no other is run to look. */
static void pass_over(struct slot *slot, struct group *group)
{
    struct job *job = slot->job;
    group->way[JOB_DO] = HANGS;
    job->looked_for |= job->member == group;
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
        job->looked_for |= job->member == group;
}

/* Looks for the next rule. False when there is none, or its command can't be started. */
static bool look(struct slot *slot)
{
    struct command command = {0};
    int rc = -1;
    while (rc < 0 && (slot->looks = next_to_look(slot))) {
        slot->looks->looked_for = true;
        slot->looks_left--;
        rc = batch_look(current(slot->looks), &command, &slot->looks_for_no);
        if (rc == 0)
            rc = start_in(slot, &command, 0);
        free(command.text);
        command.text = NULL;
    }
    return slot->looks != NULL;
}

/* Nothing told that the batch did nothing. `done`: something told that it did all. */
static void end_looking(struct slot *slot, bool done)
{
    const siginfo_t success = {.si_code = CLD_EXITED};
    struct job *job;
    log_debug("%u commands that were run together were cut short; %s: %s", slot->count,
              done ? "they had been done" : "whether they were done isn't known",
              slot->job->class->kind.program);
    slot->late &= !done;
    slot->job->doubtful |= !done;
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
        job->doubtful |= !done;
    conclude_batch(slot, done ? &success : &slot->killed);
}

static bool adds_elements(const struct slot *slot)
{
    const struct job *job;
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
        if (!batch_adds_element(current(job)))
            return false;
    return batch_adds_element(current(slot->job));
}

/*
 * Of a batch that is done one by one: looks, by one process, whether the elements of its first
 * `count` commands are all there, beginning with all of them. False when that can't be done.
 */
static bool look_at_several(struct slot *slot, unsigned count)
{
    struct batch_kind kind = slot->job->class->kind;
    struct command command = {0};
    int input = -1, rc = -1;
    kind.checks = true;
    if (count == slot->count) {
        slot->done = 0;
        slot->doubtful = count;
    }
    if (adds_elements(slot) && batch_command(&kind, &command) == 0)
        input = make_input(slot, &kind, count);
    if (input >= 0)
        rc = start_in(slot, &command, input);
    slot->looks_at = rc == 0 ? count : 0;
    if (input >= 0)
        close(input);
    free(command.text);
    return rc == 0;
}

/* Those that are all there are done, as far as anybody can tell; the first of the others isn't. */
static void on_looked_at_several(struct slot *slot, const siginfo_t *how)
{
    bool told = !slot->process.late && how->si_code == CLD_EXITED && how->si_status <= 1;
    unsigned count = slot->looks_at;
    slot->looks_at = 0;
    close_pipe(slot);
    if (!told) {
        end_looking(slot, false);
        return;
    }
    if (how->si_status == 0)
        slot->done = count;
    else
        slot->doubtful = count - 1;
    if (slot->done == slot->doubtful)
        conclude_some(slot, slot->done, false);
    else if (!look_at_several(slot, slot->done + (slot->doubtful - slot->done + 1) / 2))
        end_looking(slot, false);
}

/*
 * A rule that isn't there tells that the batch inserted none: all of them are run again. One that
 * is there may have been before, by another door, so that several are looked for, all before
 * anything is run again.
 */
static void begin_looking(struct slot *slot)
{
    struct job *job;
    slot->job->looked_for = false;
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
        job->looked_for = false;
    slot->looks_left = RUNNER_LOOKS;
    slot->seen = false;
    close_pipe(slot);
    bool began = batch_is_one_by_one(&slot->job->class->kind) ? look_at_several(slot, slot->count)
                                                              : look(slot);
    if (!began)
        end_looking(slot, false);
}

static void on_looked(struct slot *slot, const siginfo_t *how)
{
    bool exited = !slot->process.late && how->si_code == CLD_EXITED;
    bool told = exited && (how->si_status == 0 || how->si_status == 1);
    bool done = told && (how->si_status == 1) == slot->looks_for_no;
    if (slot->process.late)
        pass_over(slot, slot->looks->member);
    slot->looks = NULL;
    close_pipe(slot);
    slot->seen |= done;
    if (told && !done)
        run_batch_again(slot);
    else if (!look(slot))
        end_looking(slot, slot->seen);
}

/* --- batches are made --- */

/*
 * Whether a job that waits goes with the first one of a batch. Of a door nothing of which has ended
 * yet, or that hangs, each goes alone; but for rules that are deleted by their handles, which takes
 * time by the size of the table, and not by what the door's command says.
 */
static bool goes_with(const struct job *job, const struct job *first)
{
    const struct group *group = job->member;
    bool ends = group && !is_untried(job) && group->way[job->kind] != HANGS && !job->hung;
    return job->class == first->class && job->unsaved == first->unsaved &&
           (ends || (job->kind == JOB_UNDO && job->class->deletes));
}

/* What was opened last comes first. */
static int compare_order(const void *a, const void *b)
{
    const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;
    return (x->order < y->order) - (x->order > y->order);
}

/* Those of the queue that can go with the slot's job, in their order there, up to NULL. NULL when
 * memory is short; the caller frees it. */
static struct job **list_others(const struct slot *slot)
{
    struct job_queue *queue = queue_of(slot->runner, slot->job);
    struct job *job, **others;
    size_t count = 0;
    for (job = TAILQ_FIRST(queue); job; job = TAILQ_NEXT(job, link))
        count++;
    others = calloc(count + 1, sizeof(struct job *));
    count = 0;
    if (others)
        for (job = TAILQ_FIRST(queue); job; job = TAILQ_NEXT(job, link))
            if (goes_with(job, slot->job))
                others[count++] = job;
    if (others && slot->job->kind == JOB_UNDO)
        qsort(others, count, sizeof(struct job *), compare_order);
    return others;
}

/*
 * Puts those that wait and can go with the slot's job into its batch. What undoes goes backwards:
 * the last rule that was inserted is the first of its chain, and found at once.
 */
static void gather(struct slot *slot)
{
    bool saves = slot->job->class->saves && !slot->job->unsaved;
    unsigned most = saves ? RUNNER_BATCH_MOST : slot->job->class->most[slot->job->kind];
    if (slot->job->together && slot->job->together < most)
        most = slot->job->together;
    struct job **others = list_others(slot);
    for (unsigned i = 0; others && others[i] && slot->count < most; i++) {
        dequeue(slot->runner, others[i]);
        TAILQ_INSERT_TAIL(&slot->others, others[i], link);
        slot->count++;
    }
    free(others);
}

/* Has the table printed in which the rules of the batch are looked for. -1: that can't be done. */
static int start_saving(struct slot *slot, struct command *command)
{
    const struct batch_kind *kind = &slot->job->class->kind;
    int rc = -1;
    if (!slot->job->class->saves || slot->job->unsaved || slot->count <= RUNNER_BATCH_SMALL ||
        batch_save_command(kind, command) < 0)
        return -1;
    slot->saved = open_memstream(&slot->saved_text, &slot->saved_size);
    if (slot->saved)
        rc = start_in(slot, command, 0);
    if (rc == 0)
        return 0;
    end_saving(slot);
    free(command->text);
    command->text = NULL;
    return -1;
}

/* The command that the batch is run by. */
static int make_batch_command(struct slot *slot, struct command *out)
{
    const struct batch_kind *kind = &slot->job->class->kind;
    slot->by_handles = slot->deletes && slot->count > RUNNER_BATCH_SMALL &&
                       batch_delete_command(kind, slot->runner->deleter, out) == 0;
    return slot->by_handles ? 0 : batch_command(kind, out);
}

/* 0; -1: the batch can't be started. */
static int start_batch(struct slot *slot)
{
    struct command command = {0};
    struct job *job = slot->job;
    int input = -1, rc = start_saving(slot, &command);
    if (rc < 0 && make_batch_command(slot, &command) == 0)
        input = make_input(slot, &job->class->kind, slot->count);
    if (input >= 0)
        rc = start_in(slot, &command, input);
    if (rc == 0) {
        log_debug("running %u commands together: %s, table %s", slot->count, command.text,
                  job->class->kind.table);
        note_started(job);
        for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
            note_started(job);
    }
    if (input >= 0)
        close(input);
    free(command.text);
    return rc;
}

/* Starts the job with all that can go with it; if that fails, without. */
static void start_with_others(struct slot *slot, struct job *job)
{
    const struct batch_class *like = job->like;
    slot->job = job;
    slot->count = 1;
    slot->deletes = job->kind == JOB_UNDO && like && like->deletes;
    if (job->kind == JOB_DO && like && like->changes_nft)
        slot->runner->opened = clock_now();
    if (job->class && goes_with(job, job))
        gather(slot);
    if (slot->count > 1 && start_batch(slot) == 0)
        return;
    put_back(slot->runner, &slot->others, 1);
    slot->count = 1;
    start(slot, job);
}

static void on_kick(void *arg)
{
    struct runner *runner = arg;
    runner->gathering = INT64_MAX;
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        if (slot->job)
            continue;
        struct job *job = next_job(runner);
        if (!job)
            break;
        start_with_others(slot, job);
    }
    if (runner->gathering != INT64_MAX && !timer_is_set(&runner->kick))
        loop_timer_set(runner->loop, &runner->kick, runner->gathering);
}

struct runner *runner_new(struct loop *loop, int64_t limit, int lock)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    if (!runner)
        return NULL;
    runner->loop = loop;
    runner->limit = limit;
    runner->lock = lock;
    runner->batch = true;
    int rc = loop_timer_register(loop, &runner->kick, on_kick, runner);
    for (int i = 0; i < QUEUES; i++)
        TAILQ_INIT(&runner->queues[i]);
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        slot->runner = runner;
        slot->pipe = -1;
        TAILQ_INIT(&slot->others);
        rc |= process_init(&slot->process, loop, on_ended, slot);
    }
    if (rc == 0)
        return runner;
    free(runner);
    return NULL;
}

void runner_free(struct runner *runner)
{
    if (!runner)
        return;
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        process_free(&slot->process);
        if (slot->job)
            release(slot);
    }
    loop_timer_unregister(runner->loop, &runner->kick);
    for (unsigned i = 0; i < GROUP_BUCKETS; i++) {
        while (!LIST_EMPTY(&runner->groups[i])) {
            struct group *group = LIST_FIRST(&runner->groups[i]);
            LIST_REMOVE(group, link);
            free(group);
        }
    }
    free(runner);
}

void runner_set_limit(struct runner *runner, int64_t limit)
{
    runner->limit = limit;
}

void runner_set_lock(struct runner *runner, int lock)
{
    runner->lock = lock;
}

void runner_set_batch(struct runner *runner, bool batch)
{
    runner->batch = batch;
}

void runner_set_deleter(struct runner *runner, const char *knockd)
{
    runner->deleter = knockd;
}

void runner_submit(struct runner *runner, struct job *job)
{
    job->index = 0;
    job->together = 0;
    job->unsaved = job->plain = false;
    job->failed = job->said_no = job->misused = job->late = 0;
    job->member = job->group ? find_group(runner, job->group) : NULL;
    if (job->told && *job->told)
        count_run(*job->told);
    job->running = true;
    job->killed = false;
    skip_succeeded(job);
    assert(job->index < job->commands->count);
    enqueue(runner, job);
    kick(runner);
}

bool runner_withdraw(struct runner *runner, struct job *job)
{
    if (!job->queued)
        return false;
    dequeue(runner, job);
    job->running = false;
    return true;
}

/* Whether the job is in the batch that the slot runs. */
static bool is_in_batch(const struct slot *slot, const struct job *job)
{
    const struct job *other;
    if (slot->job == job)
        return true;
    for (other = TAILQ_FIRST(&slot->others); other; other = TAILQ_NEXT(other, link))
        if (other == job)
            return true;
    return false;
}

void runner_kill(struct runner *runner, struct job *job)
{
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        if (!slot->job || !is_in_batch(slot, job))
            continue;
        job->killed = true;
        /* The others of a batch have done nothing wrong. */
        if (slot->count == 1)
            process_kill(&slot->process);
    }
}
