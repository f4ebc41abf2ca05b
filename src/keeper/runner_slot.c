/*
 * A place for one process, which runs a command or a batch: it is started here, what it writes is
 * read, and what the end of a command says of its job is concluded here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keeper/runner_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

/* Of what a command wrote at its end, so many blocks are looked through for its last words. */
enum { LAST_READS = 16 };

/* So many bytes are read of a table, at most, at a time. */
enum { SAVED_READ = 64 << 10 };

/* --- how a command ended --- */

bool slot_was_killed(const struct slot *slot, const siginfo_t *how)
{
    return slot->late || how->si_code != CLD_EXITED;
}

/* A check that fails in any other way says nothing: its lock was held, or it could not run. */
static bool says_no(const struct slot *slot, const siginfo_t *how)
{
    return !slot_was_killed(slot, how) && how->si_status == 1 && !slot->output.erred;
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
    command_text(job_command_to_run(job, &own), text, sizeof(text));
    free(own.text);
    if (job->quiet && says_no(slot, how)) {
        log_debug("%s: check says no: %s", job->label, text);
        return;
    }
    write_ending(slot, how, text, ending, sizeof(ending));
    if (told_before(job, ending))
        log_debug("%s: %s", job->label, ending);
    else
        log_warning("%s: %s", job->label, ending);
    if (denied && !told_before(job, denied))
        log_warning("%s: that is probably the sandbox of the unit knockd.service: %s", job->label,
                    denied);
}

static bool succeeded(const struct slot *slot, const struct job *job, const siginfo_t *how)
{
    if (slot_was_killed(slot, how))
        return false;
    unsigned status = (unsigned)how->si_status & 0xff;
    /* The door's other statuses are about its own command. */
    if (job_runs_forgiving(job))
        return status == 0;
    return (job->ok[status / 64] >> (status % 64) & 1) ||
           (job->doubtful && !slot->output.erred &&
            command_found_nothing(job_command(job), how->si_status));
}

/* --- a place that is free again --- */

void slot_close_pipe(struct slot *slot)
{
    loop_unwatch(slot->on_output);
    slot->on_output = NULL;
    if (slot->pipe >= 0)
        close(slot->pipe);
    slot->pipe = -1;
}

void slot_end_saving(struct slot *slot)
{
    if (slot->saved)
        fclose(slot->saved);
    free(slot->saved_text);
    slot->saved = NULL;
    slot->saved_text = NULL;
    slot->saved_size = 0;
}

void slot_release(struct slot *slot)
{
    slot_close_pipe(slot);
    slot_end_saving(slot);
    slot->job = NULL;
    slot->deletes = slot->by_handles = false;
}

/* --- what is written --- */

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

void slot_advance(struct runner *runner, struct job *job, bool success)
{
    if (success && job->succeeded && job->index < RUNNER_REMEMBERED)
        *job->succeeded |= UINT64_C(1) << job->index;
    job->failed += !success;
    job->index++;
    job->plain = false;
    job_skip_succeeded(job);
    bool go_on = !job->killed && (success || job->kind == JOB_UNDO || job->quiet);
    bool over = job->index >= job->commands->count || !go_on;
    runner_kick(runner);
    if (!over) {
        turns_enqueue(runner, job);
        return;
    }
    job->running = false;
    turns_note_over(job);
    job->done(job->arg, job->failed == 0);
}

/* The forgiving form of the job's command failed: the command itself runs next. */
static void run_plainly(struct slot *slot, struct job *job)
{
    struct job_queue jobs;
    log_debug("%s: the forgiving form of its command failed", job->label);
    job->plain = true;
    job->started--;
    TAILQ_INIT(&jobs);
    TAILQ_INSERT_TAIL(&jobs, job, link);
    turns_put_back(slot->runner, &jobs, 1);
}

void slot_conclude(struct slot *slot, struct job *job, const siginfo_t *how)
{
    bool success = succeeded(slot, job, how);
    if (!success && !slot_was_killed(slot, how) && !job->killed && job_runs_forgiving(job)) {
        run_plainly(slot, job);
        return;
    }
    if (slot->late)
        turns_note_hung(job);
    if (!success)
        log_failure(slot, job, how);
    job->doubtful |= slot_was_killed(slot, how);
    job->alone &= !success;
    job->said_no += says_no(slot, how);
    bool exited = !slot_was_killed(slot, how);
    job->last_was_idle =
        exited && !job->doubtful && command_did_nothing(job_command(job), how->si_status);
    job->misused += exited && command_misused(job_command(job), how->si_status);
    job->together = 0;
    slot_advance(slot->runner, job, success);
}

/* --- a process --- */

/* Reads what there is at the slot's pipe. 0 at its end, else 1. */
static int read_output(struct slot *slot)
{
    return slot->saved ? read_saved(slot)
                       : output_read(&slot->output, slot->pipe, slot->job->label);
}

void slot_ended(void *arg, const siginfo_t *how)
{
    struct slot *slot = arg;
    for (int i = 0; i < LAST_READS && read_output(slot); i++)
        ;
    output_end(&slot->output, slot->job->label);
    slot->ended(slot, how);
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

int slot_start(struct slot *slot, const struct command *command, int input,
               void (*ended)(struct slot *slot, const siginfo_t *how))
{
    struct job *job = slot->job;
    slot->ended = ended;
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
    slot->output =
        (struct output){.quiet = job->quiet || slot->count > 1 || job_runs_forgiving(job),
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
        slot_close_pipe(slot);
    errno = error;
    return rc;
}
