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
#include <stdlib.h>
#include <string.h>

#include "keeper/runner_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

const uint64_t runner_ok_zero[4] = {1};

/* The command of a job that ran alone has ended. */
static void on_alone_ended(struct slot *slot, const siginfo_t *how)
{
    struct job *job = slot->job;
    slot->late = slot->process.late;
    slot_release(slot);
    slot_conclude(slot, job, how);
}

static void log_not_started(const struct job *job, const char *command, int error)
{
    char text[640];
    snprintf(text, sizeof(text), "can't start %s: %s", command, strerror(error));
    if (told_before(job, text))
        log_debug("%s: %s", job->label, text);
    else
        log_error("%s: %s", job->label, text);
}

static void start(struct slot *slot, struct job *job)
{
    char text[512];
    struct command own;
    /* Which form it had in a batch says nothing of it alone. */
    job->plain &= job->together == 1;
    const struct command *command = job_command_to_run(job, &own);
    command_text(command, text, sizeof(text));
    log_debug("%s: running %s", job->label, text);
    /* If it can't be started. */
    job->last_was_idle = !job->doubtful;
    slot->job = job;
    slot->count = 1;
    int rc = slot_start(slot, command, 0, on_alone_ended);
    int error = errno;
    free(own.text);
    if (rc == 0) {
        job_note_started(job);
        return;
    }
    log_not_started(job, text, error);
    slot->job = NULL;
    slot_advance(slot->runner, job, false);
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
    if (!runner_batch_start(slot))
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
        struct job *job = turns_next(runner);
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
        rc |= process_init(&slot->process, loop, slot_ended, slot);
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
            slot_release(slot);
    }
    loop_timer_unregister(runner->loop, &runner->kick);
    turns_end(runner);
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
    job->member = job->group ? turns_group(runner, job->group) : NULL;
    if (job->told && *job->told)
        told_count_run(*job->told);
    job->running = true;
    job->killed = false;
    job_skip_succeeded(job);
    assert(job->index < job->commands->count);
    turns_enqueue(runner, job);
    runner_kick(runner);
}

bool runner_withdraw(struct runner *runner, struct job *job)
{
    if (!job->queued)
        return false;
    turns_dequeue(runner, job);
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
