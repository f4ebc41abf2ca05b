/*
 * The life of a command: queued -> started (a slot, a process group, a pipe, a time limit) ->
 * ended by itself or killed at its limit -> whatever it left in its group is killed -> reaped ->
 * the next command of its job, or done().
 *
 * A process is watched by a pidfd, so nothing here handles SIGCHLD, and it is reaped only after
 * its group was killed: until then its number can't belong to anyone else.
 */
#include "keeper/runner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/output.h"
#include "keeper/process.h"
#include "keeper/queue.h"
#include "lib/clock.h"
#include "lib/log.h"

/* Of what a command wrote at its end, so many blocks are looked through for its last words. */
enum { LAST_READS = 16 };

struct slot {
    struct runner *runner;
    struct job *job; /* NULL: free */
    pid_t pid;
    int pidfd;
    int pipe;
    struct watch *on_exit;
    struct watch *on_output;
    struct timer limit;
    int64_t allowed; /* ns that it may take */
    bool late;       /* killed at its time limit */
    struct output output;
};

/* What the jobs of a group have shown so far, by enum job_kind. */
struct group {
    struct group *next;
    enum { UNTRIED, ENDS, HANGS } way[2];
    int64_t turn[2]; /* number of the start of its slow job that was the last; 0: none */
    char name[];
};

struct runner {
    struct loop *loop;
    int64_t limit;
    int lock;
    struct queue queues[2]; /* by enum job_kind */
    struct slot slots[RUNNER_SLOTS];
    struct group *groups;
    int64_t turns;     /* slow jobs that were started */
    struct timer kick; /* starts waiting jobs from the loop, never from inside runner_submit */
};

const uint64_t runner_ok_zero[4] = {1};

/* --- which job is next --- */

/* The group of that name, made if it isn't there; NULL when memory is short. A name is kept as long
 * as the runner: what hung before a reload hangs after it. */
static struct group *find_group(struct runner *runner, const char *name)
{
    for (struct group *group = runner->groups; group; group = group->next)
        if (strcmp(group->name, name) == 0)
            return group;
    size_t size = strlen(name) + 1;
    struct group *group = calloc(1, sizeof(*group) + size);
    if (!group)
        return NULL;
    memcpy(group->name, name, size);
    group->next = runner->groups;
    runner->groups = group;
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
static int64_t rank(void *arg, const struct job *job)
{
    const struct load *load = arg;
    if (is_slow(job) != load->want_slow || !may_run(load, job))
        return -1;
    return load->want_slow && job->member ? job->member->turn[job->kind] : 0;
}

/* Slow ones are last, but one of them runs at any time: they don't wait for ever. */
static struct job *dequeue_kind(struct runner *runner, enum job_kind kind)
{
    struct load load = load_of(runner);
    load.want_slow = load.slow[kind] == 0;
    struct job *job = queue_take(&runner->queues[kind], rank, &load);
    load.want_slow = !load.want_slow;
    return job ? job : queue_take(&runner->queues[kind], rank, &load);
}

static struct job *dequeue(struct runner *runner)
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
static bool says_no(const struct slot *slot, const siginfo_t *info)
{
    return !slot->late && info->si_code == CLD_EXITED && info->si_status == 1;
}

static void log_failure(const struct slot *slot, const siginfo_t *info)
{
    char text[512];
    const struct job *job = slot->job;
    command_text(current(job), text, sizeof(text));
    if (job->quiet && says_no(slot, info))
        log_debug("%s: check says no: %s", job->label, text);
    else if (slot->late)
        log_warning("%s: command took longer than %lld s and was killed: %s", job->label,
                    (long long)(slot->allowed / CLOCK_SECOND), text);
    else if (info->si_code == CLD_EXITED)
        log_warning("%s: command exited with status %d: %s", job->label, info->si_status, text);
    else
        log_warning("%s: command was killed by signal %d: %s", job->label, info->si_status, text);
}

static bool succeeded(const struct slot *slot, const siginfo_t *info)
{
    if (slot->late || info->si_code != CLD_EXITED)
        return false;
    unsigned status = (unsigned)info->si_status & 0xff;
    return slot->job->ok[status / 64] >> (status % 64) & 1;
}

static void release(struct slot *slot)
{
    loop_unwatch(slot->on_exit);
    loop_unwatch(slot->on_output);
    slot->on_exit = slot->on_output = NULL;
    loop_timer_cancel(slot->runner->loop, &slot->limit);
    if (slot->pidfd >= 0)
        close(slot->pidfd);
    if (slot->pipe >= 0)
        close(slot->pipe);
    slot->pidfd = slot->pipe = -1;
    slot->job = NULL;
}

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
        queue_add(&runner->queues[job->kind], job);
        return;
    }
    job->running = false;
    note_over(job);
    job->done(job->arg, job->failed == 0);
}

static void on_exit_ready(void *arg)
{
    struct slot *slot = arg;
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)slot->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return;
    /* Children that it left behind; the group's number is still its own. */
    kill(-slot->pid, SIGKILL);
    waitid(P_PID, (id_t)slot->pid, &info, WEXITED);
    struct job *job = slot->job;
    for (int i = 0; i < LAST_READS && output_read(&slot->output, slot->pipe, job->label); i++)
        ;
    output_end(&slot->output, job->label);
    bool success = succeeded(slot, &info);
    if (slot->late)
        note_hung(job);
    if (!success)
        log_failure(slot, &info);
    job->said_no += says_no(slot, &info);
    bool exited = !slot->late && info.si_code == CLD_EXITED;
    job->last_was_idle = exited && command_did_nothing(current(job), info.si_status);
    job->misused += exited && command_misused(current(job), info.si_status);
    struct runner *runner = slot->runner;
    release(slot);
    advance(runner, job, success);
}

static void on_output_ready(void *arg)
{
    struct slot *slot = arg;
    if (output_read(&slot->output, slot->pipe, slot->job->label))
        return;
    loop_unwatch(slot->on_output);
    slot->on_output = NULL;
}

/* It may have moved itself to another group. */
static void kill_slot(const struct slot *slot)
{
    kill(-slot->pid, SIGKILL);
    kill(slot->pid, SIGKILL);
}

static void on_limit(void *arg)
{
    struct slot *slot = arg;
    slot->late = true;
    kill_slot(slot);
}

static int watch_slot(struct slot *slot)
{
    struct loop *loop = slot->runner->loop;
    slot->pidfd = (int)syscall(SYS_pidfd_open, slot->pid, 0);
    if (slot->pidfd < 0)
        return -1;
    slot->on_exit = loop_watch(loop, slot->pidfd, LOOP_READ, on_exit_ready, slot);
    slot->on_output = loop_watch(loop, slot->pipe, LOOP_READ, on_output_ready, slot);
    if (!slot->on_exit || !slot->on_output)
        return -1;
    slot->allowed = slot->runner->limit;
    loop_timer_set(loop, &slot->limit, clock_now() + slot->allowed);
    return 0;
}

static int start_in(struct slot *slot, struct job *job)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    slot->job = job;
    slot->pipe = ends[0];
    slot->pidfd = -1;
    slot->late = false;
    slot->output = (struct output){.quiet = job->quiet};
    /* The command's end must block like any other. */
    fcntl(ends[1], F_SETFL, 0);
    struct program_world world = {.output = ends[1], .errors = ends[1], .lock = slot->runner->lock};
    slot->pid = program_start(current(job), &world);
    close(ends[1]);
    if (slot->pid > 0 && watch_slot(slot) == 0)
        return 0;
    int error = errno;
    if (slot->pid > 0) {
        kill(-slot->pid, SIGKILL);
        waitpid(slot->pid, NULL, 0);
    }
    release(slot);
    errno = error;
    return -1;
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
        struct job *job = dequeue(runner);
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
        queue_init(&runner->queues[i]);
    for (int i = 0; i < RUNNER_SLOTS; i++) {
        struct slot *slot = &runner->slots[i];
        slot->runner = runner;
        slot->pidfd = slot->pipe = -1;
        rc |= loop_timer_register(loop, &slot->limit, on_limit, slot);
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
        if (slot->job) {
            kill_slot(slot);
            waitpid(slot->pid, NULL, 0);
            release(slot);
        }
        loop_timer_unregister(runner->loop, &slot->limit);
    }
    loop_timer_unregister(runner->loop, &runner->kick);
    for (struct group *group = runner->groups, *next; group; group = next) {
        next = group->next;
        free(group);
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
    queue_add(&runner->queues[job->kind], job);
    kick(runner);
}

bool runner_withdraw(struct runner *runner, struct job *job)
{
    if (!job->queued)
        return false;
    queue_remove(&runner->queues[job->kind], job);
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
        kill_slot(slot);
    }
}
