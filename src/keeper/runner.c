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
#include "keeper/program.h"
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

struct runner {
    struct loop *loop;
    int64_t limit;
    int lock;
    struct queue queues[2]; /* by enum job_kind */
    struct slot slots[RUNNER_SLOTS];
    struct timer kick; /* starts waiting jobs from the loop, never from inside runner_submit */
};

const uint64_t runner_ok_zero[4] = {1};

/* Openings that hang can't take the last slots: undos stay on time. */
static bool may_open(const struct runner *runner)
{
    int opening = 0;
    for (int i = 0; i < RUNNER_SLOTS; i++)
        opening += runner->slots[i].job && runner->slots[i].job->kind == JOB_DO;
    return opening < RUNNER_SLOTS - RUNNER_UNDO_SLOTS;
}

/* A door whose commands hang keeps at most half of the places, so that others close in time. */
static bool may_run(void *arg, const struct job *job)
{
    const struct runner *runner = arg;
    int same = 0;
    for (int i = 0; job->group && i < RUNNER_SLOTS; i++) {
        const struct job *other = runner->slots[i].job;
        same += other && other->group && strcmp(other->group, job->group) == 0;
    }
    return same < RUNNER_SLOTS / 2;
}

static struct job *dequeue(struct runner *runner)
{
    struct job *job = queue_take(&runner->queues[JOB_UNDO], may_run, runner);
    if (!job && may_open(runner))
        job = queue_take(&runner->queues[JOB_DO], may_run, runner);
    return job;
}

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
    job->failed = job->said_no = job->misused = 0;
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
