/*
 * The life of a batch: it gathers those that go with the first one of it, runs as one process, and
 * what became of each command is concluded from how that ended; where that can't tell, the firewall
 * is asked. keeper/batch.h says which commands can be run together, and by what.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/rule_search.h"
#include "keeper/runner_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

/* A batch that took longer than the one is followed by smaller ones; by larger ones, if it was full
 * and took less than the other. */
static const int64_t batch_long = 2 * CLOCK_SECOND, batch_short = CLOCK_SECOND / 2;

/* --- what becomes of its jobs --- */

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
    slot_release(slot);
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
    turns_put_back(slot->runner, &again, together);
    while ((job = TAILQ_FIRST(&given_up))) {
        TAILQ_REMOVE(&given_up, job, link);
        slot_advance(slot->runner, job, false);
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
        if (!batch_may_repeat(job_command(job)))
            return false;
    return batch_may_repeat(job_command(slot->job));
}

/* It is of each when all were done, and when it waited in vain for the firewall's lock. */
static enum outcome outcome_of(const struct slot *slot, const siginfo_t *how)
{
    const struct batch_kind *kind = &slot->job->class->kind;
    unsigned failed_at = slot->output.failed_at;
    bool killed = slot_was_killed(slot, how);
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
        slot_conclude(slot, job, how);
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
    bool killed = slot_was_killed(slot, &slot->killed) || batch_is_one_by_one(kind);
    for (job = TAILQ_FIRST(&jobs); job; job = TAILQ_NEXT(job, link)) {
        job->doubtful |= killed && (job->kind == JOB_UNDO || batch_may_repeat(job_command(job)));
        /* The other form may do for all of them; alone, each has both. */
        job->plain = job->doubtful && !job->plain && !killed && count > RUNNER_BATCH_SMALL;
    }
    split_batch(slot, &jobs, count, true);
}

/* --- checks: the table is printed --- */

/* What is known of the jobs of the batch by the table that was collected; NULL: nothing is. */
static struct rule_search *search_saved(struct slot *slot, const siginfo_t *how)
{
    bool collected =
        fflush(slot->saved) == 0 && !ferror(slot->saved) && slot->saved_size < SAVED_MOST;
    if (!collected || slot_was_killed(slot, how) || how->si_status != 0)
        return NULL;
    return rule_search_new(slot->saved_text, slot->saved_size);
}

static void conclude_found(struct slot *slot, struct job *job, enum rule_found found)
{
    const siginfo_t there = {.si_code = CLD_EXITED},
                    absent = {.si_code = CLD_EXITED, .si_status = 1};
    slot_conclude(slot, job, found == RULE_THERE ? &there : &absent);
}

/* The table was printed in which the rules of the batch are looked for. What isn't sure by that,
 * is asked iptables. */
static void on_saved(struct slot *slot, const siginfo_t *how)
{
    slot->late = slot->process.late;
    struct rule_search *search = search_saved(slot, how);
    unsigned count = slot->count, sure = 0;
    struct job_queue jobs, again;
    struct job *job;
    slot->late = false;
    take_batch(slot, &jobs);
    TAILQ_INIT(&again);
    while ((job = TAILQ_FIRST(&jobs))) {
        enum rule_found found = search ? rule_search_look(search, job_command(job)) : RULE_UNSURE;
        TAILQ_REMOVE(&jobs, job, link);
        sure += found != RULE_UNSURE;
        if (found != RULE_UNSURE) {
            conclude_found(slot, job, found);
            continue;
        }
        job->unsaved = true;
        job->started--;
        if (job->killed)
            slot_advance(slot->runner, job, false);
        else
            TAILQ_INSERT_TAIL(&again, job, link);
    }
    rule_search_free(search);
    log_debug("%u of %u rules were looked for in the table", sure, count);
    turns_put_back(slot->runner, &again, count);
}

/* --- what it runs --- */

/* The commands that the slot's batch runs, in their order; those that are made for that are in
 * `own`. */
static void list_commands(const struct slot *slot, const struct command **commands,
                          struct command *own)
{
    const struct job *job;
    unsigned count = 0;
    if (slot->job->kind == JOB_DO)
        commands[count++] = job_command_to_run(slot->job, own);
    for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link), count++)
        commands[count] = job_command_to_run(job, own + count);
    if (slot->job->kind != JOB_DO)
        commands[count] = job_command_to_run(slot->job, own + count);
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

/* --- one that opens and was cut short --- */

static void on_looked(struct slot *slot, const siginfo_t *how);
static void on_looked_at_several(struct slot *slot, const siginfo_t *how);

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
        rc = batch_look(job_command(slot->looks), &command, &slot->looks_for_no);
        if (rc == 0)
            rc = slot_start(slot, &command, 0, on_looked);
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
        if (!batch_adds_element(job_command(job)))
            return false;
    return batch_adds_element(job_command(slot->job));
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
        rc = slot_start(slot, &command, input, on_looked_at_several);
    slot->looks_at = rc == 0 ? count : 0;
    if (input >= 0)
        close(input);
    free(command.text);
    return rc == 0;
}

/* Those that are all there are done, as far as anybody can tell; the first of the others isn't. */
static void on_looked_at_several(struct slot *slot, const siginfo_t *how)
{
    bool told = !slot->process.late && how->si_code == CLD_EXITED && how->si_status <= 1 &&
                !slot->output.erred;
    unsigned count = slot->looks_at;
    slot->looks_at = 0;
    slot_close_pipe(slot);
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
    slot_close_pipe(slot);
    bool began = batch_is_one_by_one(&slot->job->class->kind) ? look_at_several(slot, slot->count)
                                                              : look(slot);
    if (!began)
        end_looking(slot, false);
}

static void on_looked(struct slot *slot, const siginfo_t *how)
{
    bool exited = !slot->process.late && how->si_code == CLD_EXITED;
    bool told = exited && (how->si_status == 0 || (how->si_status == 1 && !slot->output.erred));
    bool done = told && (how->si_status == 1) == slot->looks_for_no;
    if (slot->process.late)
        pass_over(slot, slot->looks->member);
    slot->looks = NULL;
    slot_close_pipe(slot);
    slot->seen |= done;
    if (told && !done)
        run_batch_again(slot);
    else if (!look(slot))
        end_looking(slot, slot->seen);
}

/* --- it has ended --- */

static void on_batch_ended(struct slot *slot, const siginfo_t *how)
{
    slot->late = slot->process.late;
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

/* --- it is made --- */

/*
 * Whether a job that waits goes with the first one of a batch. Of a door nothing of which has ended
 * yet, or that hangs, each goes alone; but for rules that are deleted by their handles, which takes
 * time by the size of the table, and not by what the door's command says.
 */
static bool goes_with(const struct job *job, const struct job *first)
{
    const struct group *group = job->member;
    bool ends = group && !turns_untried(job) && group->way[job->kind] != HANGS && !job->hung;
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
    struct job_queue *queue = turns_queue(slot->runner, slot->job);
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
        turns_dequeue(slot->runner, others[i]);
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
        rc = slot_start(slot, command, 0, on_saved);
    if (rc == 0)
        return 0;
    slot_end_saving(slot);
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
        rc = slot_start(slot, &command, input, on_batch_ended);
    if (rc == 0) {
        log_debug("running %u commands together: %s, table %s", slot->count, command.text,
                  job->class->kind.table);
        job_note_started(job);
        for (job = TAILQ_FIRST(&slot->others); job; job = TAILQ_NEXT(job, link))
            job_note_started(job);
    }
    if (input >= 0)
        close(input);
    free(command.text);
    return rc;
}

bool runner_batch_start(struct slot *slot)
{
    if (slot->job->class && goes_with(slot->job, slot->job))
        gather(slot);
    if (slot->count == 1)
        return false;
    if (start_batch(slot) == 0)
        return true;
    turns_put_back(slot->runner, &slot->others, 1);
    slot->count = 1;
    return false;
}
