/*
 * The life of a command: queued -> started (a slot, a process, a pipe, a time limit) -> ended by
 * itself or killed at its limit -> the next command of its job, or done().
 */
#include "keeper/runner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "keeper/process.h"
#include "lib/clock.h"
#include "lib/log.h"

/* Of what a command wrote at its end, so many blocks are looked through for its last words. */
enum { LAST_READS = 16 };

enum { GROUP_BUCKETS = 512 };

/* What a command writes, line by line into the log: some lines of it, and no line too long. */
struct output {
    char line[256];
    size_t used;
    unsigned lines; /* logged so far */
    bool quiet;     /* only for those who debug */
};

struct slot {
    struct runner *runner;
    struct job *job; /* NULL: free */
    struct process process;
    int64_t allowed; /* ns that it may take */
    int pipe;        /* what it writes */
    struct watch *on_output;
    struct output output;
};

/* What the jobs of a group have shown so far, by enum job_kind. */
struct group {
    LIST_ENTRY(group) link;
    enum { UNTRIED, ENDS, HANGS } way[2];
    int64_t turn[2]; /* number of the start of its slow job that was the last; 0: none */
    char name[];
};

struct runner {
    struct loop *loop;
    int64_t limit;
    int lock;
    TAILQ_HEAD(job_queue, job) queues[2]; /* by enum job_kind, in the order of submission */
    struct slot slots[RUNNER_SLOTS];
    LIST_HEAD(group_list, group) groups[GROUP_BUCKETS]; /* by their names */
    int64_t turns;                                      /* slow jobs that were started */
    struct timer kick; /* starts waiting jobs from the loop, never from inside runner_submit */
};

const uint64_t runner_ok_zero[4] = {1};

/* --- which job is next --- */

static void enqueue(struct runner *runner, struct job *job)
{
    TAILQ_INSERT_TAIL(&runner->queues[job->kind], job, link);
    job->queued = true;
}

static void dequeue(struct runner *runner, struct job *job)
{
    TAILQ_REMOVE(&runner->queues[job->kind], job, link);
    job->queued = false;
}

/* Names of doors are the administrator's, so the hash needs no key (FNV-1a). */
static unsigned group_bucket(const char *name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
    return hash % GROUP_BUCKETS;
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
    return !is_slow(job) && job->member && job->member->way[job->kind] == UNTRIED;
}

/* What runs, and which jobs are looked for. */
struct load {
    const struct runner *runner;
    bool want_slow;
    int running, opening;
    int slow[2], untried[2]; /* by enum job_kind */
};

static struct load load_of(const struct runner *runner)
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

/* Those of its group that run: all of them, or those of one kind. */
static int running_of(const struct runner *runner, const struct group *group, bool one,
                      enum job_kind kind)
{
    int count = 0;
    for (int i = 0; group && i < RUNNER_SLOTS; i++) {
        const struct job *job = runner->slots[i].job;
        count += job && job->member == group && (!one || job->kind == kind);
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
                            running_of(load->runner, job->member, true, job->kind) > 0))
        return false;
    return running_of(load->runner, job->member, false, job->kind) < places(load, job);
}

/* Slow groups take turns, so that one which has recovered doesn't wait for all of another. */
static int64_t job_rank(const struct load *load, const struct job *job)
{
    if (is_slow(job) != load->want_slow || !may_run(load, job))
        return -1;
    return load->want_slow && job->member ? job->member->turn[job->kind] : 0;
}

/* Takes out the waiting job of the lowest rank, of equal ones the first; a rank below 0 isn't
 * taken, and none is lower than 0. NULL when there is none. */
static struct job *dequeue_best(struct runner *runner, enum job_kind kind, const struct load *load)
{
    struct job *best = NULL, *job;
    int64_t lowest = INT64_MAX;
    for (job = TAILQ_FIRST(&runner->queues[kind]); job; job = TAILQ_NEXT(job, link)) {
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
static struct job *dequeue_kind(struct runner *runner, enum job_kind kind)
{
    struct load load = load_of(runner);
    load.want_slow = load.slow[kind] == 0;
    struct job *job = dequeue_best(runner, kind, &load);
    load.want_slow = !load.want_slow;
    return job ? job : dequeue_best(runner, kind, &load);
}

static struct job *next_job(struct runner *runner)
{
    struct job *job = dequeue_kind(runner, JOB_UNDO);
    if (!job)
        job = dequeue_kind(runner, JOB_DO);
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
    if (job->quiet || job->killed || job->late > 0 || job->started == 0)
        return;
    if (job->failed == 0)
        job->hung = false;
    if (job->member)
        job->member->way[job->kind] = ENDS;
}

/* --- a command --- */

static const struct command *current(const struct job *job)
{
    return &job->commands->items[job->index];
}

/* A check that fails in any other way says nothing: its lock was held, or it could not run. */
static bool says_no(const struct slot *slot, const siginfo_t *how)
{
    return !slot->process.late && how->si_code == CLD_EXITED && how->si_status == 1;
}

static void log_failure(const struct slot *slot, const siginfo_t *how)
{
    char text[512];
    const struct job *job = slot->job;
    command_text(current(job), text, sizeof(text));
    if (job->quiet && says_no(slot, how))
        log_debug("%s: check says no: %s", job->label, text);
    else if (slot->process.late)
        log_warning("%s: command took longer than %lld s and was killed: %s", job->label,
                    (long long)(slot->allowed / CLOCK_SECOND), text);
    else if (how->si_code == CLD_EXITED)
        log_warning("%s: command exited with status %d: %s", job->label, how->si_status, text);
    else
        log_warning("%s: command was killed by signal %d: %s", job->label, how->si_status, text);
}

static bool succeeded(const struct slot *slot, const siginfo_t *how)
{
    if (slot->process.late || how->si_code != CLD_EXITED)
        return false;
    unsigned status = (unsigned)how->si_status & 0xff;
    return slot->job->ok[status / 64] >> (status % 64) & 1;
}

static void release(struct slot *slot)
{
    loop_unwatch(slot->on_output);
    slot->on_output = NULL;
    if (slot->pipe >= 0)
        close(slot->pipe);
    slot->pipe = -1;
    slot->job = NULL;
}

/* --- what a command writes --- */

/* A command that chatters can't fill the disk through us. */
enum { LINES_MAX = 10 };

/* Logs the line so far; at the end of all, the last one that had no end. */
static void output_end(struct output *output, const char *label)
{
    if (output->used == 0)
        return;
    if (output->quiet)
        log_debug("%s: output: %.*s", label, (int)output->used, output->line);
    else if (output->lines < LINES_MAX)
        log_notice("%s: output: %.*s", label, (int)output->used, output->line);
    else if (output->lines == LINES_MAX)
        log_notice("%s: output: more was written and is left out", label);
    output->lines++;
    output->used = 0;
}

static void output_add(struct output *output, const char *text, size_t len, const char *label)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            output_end(output, label);
        else if (output->used < sizeof(output->line) && text[i] != '\0')
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

static void on_ended(void *arg, const siginfo_t *how)
{
    struct slot *slot = arg;
    struct job *job = slot->job;
    for (int i = 0; i < LAST_READS && output_read(&slot->output, slot->pipe, job->label); i++)
        ;
    output_end(&slot->output, job->label);
    bool success = succeeded(slot, how);
    if (slot->process.late)
        note_hung(job);
    if (!success)
        log_failure(slot, how);
    job->said_no += says_no(slot, how);
    bool exited = !slot->process.late && how->si_code == CLD_EXITED;
    job->last_was_idle = exited && command_did_nothing(current(job), how->si_status);
    job->misused += exited && command_misused(current(job), how->si_status);
    release(slot);
    advance(slot->runner, job, success);
}

static void on_output_ready(void *arg)
{
    struct slot *slot = arg;
    if (output_read(&slot->output, slot->pipe, slot->job->label))
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

static int start_in(struct slot *slot, struct job *job)
{
    slot->job = job;
    slot->output = (struct output){.quiet = job->quiet};
    slot->allowed = slot->runner->limit;
    int pipe = make_pipe(slot), rc = -1;
    struct process_world world = {.output = pipe, .errors = pipe, .lock = slot->runner->lock};
    pid_t pid = pipe < 0 ? -1 : process_start(current(job), &world);
    if (pid > 0)
        rc = process_watch(&slot->process, pid, slot->allowed);
    int error = errno;
    if (pipe >= 0)
        close(pipe);
    if (rc < 0)
        release(slot);
    errno = error;
    return rc;
}

static void start(struct slot *slot, struct job *job)
{
    char text[512];
    command_text(current(job), text, sizeof(text));
    log_debug("%s: running %s", job->label, text);
    job->last_was_idle = true;
    if (start_in(slot, job) == 0) {
        job->started++;
        job->since = clock_now();
        return;
    }
    log_error("%s: can't start %s: %s", job->label, text, strerror(errno));
    advance(slot->runner, job, false);
}

static void on_kick(void *arg)
{
    struct runner *runner = arg;
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        if (slot->job)
            continue;
        struct job *job = next_job(runner);
        if (!job)
            return;
        start(slot, job);
    }
}

struct runner *runner_new(struct loop *loop, int64_t limit, int lock)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    if (!runner)
        return NULL;
    runner->loop = loop;
    runner->limit = limit;
    runner->lock = lock;
    int rc = loop_timer_register(loop, &runner->kick, on_kick, runner);
    for (int i = 0; i < 2; i++)
        TAILQ_INIT(&runner->queues[i]);
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        slot->runner = runner;
        slot->pipe = -1;
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

void runner_submit(struct runner *runner, struct job *job)
{
    job->index = 0;
    job->failed = job->said_no = job->misused = job->late = 0;
    job->member = job->group ? find_group(runner, job->group) : NULL;
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

void runner_kill(struct runner *runner, struct job *job)
{
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        if (slot->job != job)
            continue;
        job->killed = true;
        process_kill(&slot->process);
    }
}
