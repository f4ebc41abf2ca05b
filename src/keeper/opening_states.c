/*
 * The states of an opening, from a knock until nothing is left of it. Two rules keep it simple: at
 * most one job of an opening is with the runner, so commands of one (door, address) never overlap;
 * and once a start command may have run, the way out is a stop that succeeded, a check that finds
 * nothing left, or an administrator who gives it up. Only what has no undo, a rule that iptables
 * neither added nor understands, and what is of an earlier boot, after which nothing is left of it
 * as a rule, have one try at the most.
 *
 *              durable          start done            its time is over
 *   RECORDING ----------> STARTING ------> OPEN ------------------------> STOPPING --> (gone)
 *       | not      (DELAYED     | failed    ^ |  a knock: EXTENDING          |  ^
 *       v           before it)  |           | |  its check: CHECKING         |  | again, later
 *     (gone)                    |           | v  check failed: RENEWING      v  |
 *                               +----------------------------> STOPPING   RETRYING
 *                                                                 |  failed  ^ still open
 *                                                                 +-> VERIFYING -> (gone)
 *
 * Where a reload or a restart brought the door another undo, that is tried when the opening's own
 * has failed, STOPPING and VERIFYING once more. A knock that comes while it closes reopens it: that
 * waits, as an opening of its own, until this one is gone. Of a rule that is there in part, what is
 * left is stopped before it is started again: STOPPING, then RENEWING.
 *
 * What an earlier run left in the store begins where it was: as OPEN, checked at once, or STOPPING.
 */
#include "keeper/opening_states.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/openings.h"
#include "keeper/writeback.h"
#include "lib/clock.h"
#include "lib/log.h"

static void settle_open(struct opening *o);
static void start_closing(struct opening *o);

static void report(const struct opening *o, struct door_event event)
{
    const struct opening_context *context = o->context;
    event.door = o->name;
    event.address = &o->address;
    event.port = o->port;
    event.length = o->lasts ? 0 : o->length;
    if (!event.by)
        event.by = o->by;
    if (context->happened)
        context->happened(context->happened_arg, &event);
}

static void report_event(const struct opening *o, enum door_event_kind kind, const char *why)
{
    report(o, (struct door_event){.kind = kind, .why = why});
}

/* It was extended by a knock, which may be another's than the one that opened it. */
static void report_extended(const struct opening *o, const char *by)
{
    report(o, (struct door_event){.kind = DOOR_EXTENDED, .by = by});
}

/* Enters a state; the store follows. */
static void enter_state(struct opening *o, enum opening_state state)
{
    o->state = state;
    /* In the store, what is of an earlier boot stays that, or it would be tried for ever. */
    if (!o->last_try)
        writeback_change(o->context->writeback, o);
}

/* Where no task could be made for want of memory: its job failed, and nothing was started. */
static const struct commands no_commands = {.count = 1};
static const struct job no_job = {.commands = &no_commands, .failed = 1};

/* The job of its task, or of the last one, as long as that counts. */
static const struct job *job_of(const struct opening *o)
{
    return o->task ? &o->task->job : &no_job;
}

static bool are_checks(enum opening_task what)
{
    return what == TASK_CHECK || what == TASK_NEW_CHECK;
}

/* The rule that a killed start was to insert may not be there, nor one that a killed stop was to
 * delete. */
static void note_doubt(struct opening *o)
{
    if (o->task && o->task->job.doubtful)
        o->doubtful |= o->task->what == TASK_STOP || (o->task->what == TASK_START && o->failed);
}

/* Which commands the task is about. -1 when memory is short. */
static int expand_task(const struct opening *o, struct task *task)
{
    switch (task->what) {
    case TASK_NEW_STOP:
        return opening_expand_set(o, o->new_undo->set, STOP_COMMANDS, &task->commands);
    case TASK_NEW_CHECK:
        return opening_expand_set(o, o->new_undo->set, CHECK_COMMANDS, &task->commands);
    default:
        return opening_expand(o, (enum command_list)task->what, &task->commands);
    }
}

/* The bits of the stop commands that have succeeded; NULL: the task isn't to remember that. */
static uint64_t *stopped_by(struct opening *o, enum opening_task what)
{
    return what == TASK_STOP ? &o->stopped : what == TASK_NEW_STOP ? &o->new_undo->stopped : NULL;
}

/* A task of the opening, which has none. NULL when memory is short. */
static struct task *make_task(struct opening *o, enum opening_task what, enum job_kind kind)
{
    struct task *task = calloc(1, sizeof(*task));
    if (!task)
        return NULL;
    task->what = what;
    snprintf(task->label, sizeof(task->label), "door %s: %s", o->name, o->text);
    task->job = (struct job){.kind = kind,
                             .commands = &task->commands,
                             .label = task->label,
                             .quiet = are_checks(what),
                             .group = o->name,
                             .succeeded = stopped_by(o, what),
                             .order = o->kept.id,
                             .arg = o,
                             .doubtful = o->doubtful && what == TASK_STOP &&
                                         opening_count(o, CHECK_COMMANDS) == 0,
                             .hung = o->last_kind == kind && o->last_hung,
                             .alone = o->last_kind == kind && o->last_alone};
    if (expand_task(o, task) == 0)
        return task;
    free(task);
    return NULL;
}

/* Has its commands run as one job; done() gets the opening. */
static void run_commands(struct opening *o, enum job_kind kind, enum opening_task what,
                         const uint64_t *ok, void (*done)(void *arg, bool success))
{
    /* One job at a time: a second would be run in the first one's place. */
    assert(!job_of(o)->running);
    note_doubt(o);
    opening_drop_task(o);
    o->task = make_task(o, what, kind);
    if (!o->task) {
        log_error("door %s: out of memory: nothing is run for %s", o->name, o->text);
        done(o, false);
        return;
    }
    o->task->job.ok = ok;
    o->task->job.done = done;
    if (kind == JOB_UNDO || o->task->job.quiet || o->state == RENEWING)
        o->task->job.told = &o->told;
    runner_submit(o->context->runner, &o->task->job);
}

/* Takes its job back from the runner, as runner_withdraw. */
static bool withdraw(struct opening *o)
{
    return o->task && runner_withdraw(o->context->runner, &o->task->job);
}

/* What the check commands have found out. */
enum found {
    FOUND_OPEN,
    FOUND_GONE,
    FOUND_PART,   /* some of it is there, some not */
    FOUND_UNSURE, /* one of them could not tell */
};

/* What its job found, which were check commands: exit status 0 says open, 1 says gone. */
static enum found what_is_found(const struct opening *o)
{
    const struct job *job = job_of(o);
    if (job->failed == 0)
        return FOUND_OPEN;
    if (job->said_no == job->commands->count)
        return FOUND_GONE;
    return job->said_no == job->failed ? FOUND_PART : FOUND_UNSURE;
}

/* --- recorded and started --- */

/* Whether one of its start commands may have done something: what waits to be run again may, too.
 */
static bool may_have_acted(const struct opening *o)
{
    return job_of(o)->started > 0 || job_of(o)->doubtful;
}

/*
 * How many of its start commands may have done something, now that one of them failed. Those that
 * follow it didn't run, and iptables may say that it did nothing.
 */
static unsigned count_acted(const struct opening *o)
{
    const struct job *job = job_of(o);
    return may_have_acted(o) ? job->index - job->last_was_idle : 0;
}

/* Whether a stop command undoes one of the start commands from `first` up to `end`. */
static bool undoes_one_of(const struct command *stop, const struct commands *start, unsigned first,
                          unsigned end)
{
    for (unsigned i = first; i < end; i++)
        if (command_undoes(stop, &start->items[i]))
            return true;
    return false;
}

/* Of its stop commands, those that undo no more than start commands from the number `acted` on. */
static uint64_t find_needless(const struct commands *stop, const struct commands *start,
                              unsigned acted)
{
    uint64_t needless = 0;
    for (unsigned i = 0; i < stop->count && i < RUNNER_REMEMBERED; i++)
        if (!undoes_one_of(&stop->items[i], start, 0, acted) &&
            undoes_one_of(&stop->items[i], start, acted, start->count))
            needless |= UINT64_C(1) << i;
    return needless;
}

/* Passes over the stop commands of what a failed start hasn't done. Returns how many are left. */
static unsigned skip_undone(struct opening *o)
{
    unsigned acted = count_acted(o), left = opening_count(o, STOP_COMMANDS);
    struct commands stop = {0}, start = {0};
    if (opening_expand(o, STOP_COMMANDS, &stop) == 0 &&
        opening_expand(o, START_COMMANDS, &start) == 0) {
        uint64_t needless = find_needless(&stop, &start, acted);
        o->stopped |= needless;
        left -= (unsigned)__builtin_popcountll(needless);
    }
    commands_free(&stop);
    commands_free(&start);
    return acted == 0 ? 0 : left;
}

/* The undo of another door that isn't open, run in case that only the record of it is gone. */
static void find_nothing_to_close(struct opening *o)
{
    log_notice("door %s: %s knocked, but nothing that it closes is open for it", o->name, o->text);
    opening_forget(o, DOOR_END_NOTHING_TO_CLOSE);
}

static void fail_to_start(struct opening *o)
{
    unsigned left = skip_undone(o);
    o->failed = true;
    report_event(o, DOOR_FAILED, "its start command failed");
    log_error("door %s: failed for %s: its start command failed%s", o->name, o->text,
              left > 0                              ? "; undoing it"
              : opening_count(o, STOP_COMMANDS) > 0 ? "; nothing is left to undo"
                                                    : "");
    if (left > 0)
        start_closing(o);
    else
        opening_forget(o, DOOR_END_FAILED);
}

/* What opened it, for the log: its note, and who or what brought the knock. */
static const char *opened_by(const struct opening *o, char *out, size_t size)
{
    char note[OPENING_NOTE];
    size_t len = strlen(opening_note(o, note));
    const char *what = *o->user ? ", user " : *o->source ? ", source " : "";
    snprintf(out, size, "%.*s%s%s%s", (int)(len ? len - 1 : 0), note, what,
             *o->user ? o->user : o->source, len ? ")" : "");
    return out;
}

static void log_opened(const struct opening *o)
{
    char by[OPENING_NOTE + CONFIG_NAME_MAX + 16];
    opened_by(o, by, sizeof(by));
    if (o->lasts)
        log_notice("door %s: opened for %s, until it is closed%s", o->name, o->text, by);
    else if (opening_count(o, STOP_COMMANDS) == 0 && !o->expires)
        log_notice("door %s: opened for %s, nothing closes it%s", o->name, o->text, by);
    else
        log_notice("door %s: opened for %s, closes in %lld s%s", o->name, o->text,
                   opening_seconds(o->length), by);
}

static void on_started(void *arg, bool success)
{
    struct opening *o = arg;
    if (!success && o->undoes) {
        find_nothing_to_close(o);
        return;
    }
    if (!success) {
        fail_to_start(o);
        return;
    }
    o->failed = false;
    report(o, (struct door_event){.kind = DOOR_OPENED, .source = o->source, .user = o->user});
    log_opened(o);
    if (opening_count(o, STOP_COMMANDS) == 0 && !o->lasts && !o->expires) {
        start_closing(o);
        return;
    }
    o->deadline = o->lasts ? INT64_MAX : clock_now() + o->length;
    settle_open(o);
}

static void run_start_commands(struct opening *o)
{
    enter_state(o, STARTING);
    run_commands(o, JOB_DO, TASK_START, runner_ok_zero, on_started);
}

static void on_recorded(struct opening *o, bool durable)
{
    if (!durable) {
        log_error("door %s: refused %s: a door that can't be recorded isn't opened", o->name,
                  o->text);
        report_event(o, DOOR_REFUSED, "the state can't be recorded");
        opening_forget(o, DOOR_END_NOT_BEGUN);
    } else if (o->delay > 0) {
        enter_state(o, DELAYED);
        loop_timer_set(o->context->loop, &o->timer, clock_now() + o->delay);
    } else {
        run_start_commands(o);
    }
}

/* It is in the table from here on. */
static void begin_opening(struct opening *o)
{
    openings_add(o->context->openings, o);
    o->state = RECORDING;
    writeback_add(o->context->writeback, o, on_recorded);
}

/* --- open: extended, checked, started again --- */

static void on_extended(void *arg, bool success)
{
    struct opening *o = arg;
    if (!success)
        log_warning("door %s: its extend command failed for %s; it still closes in time", o->name,
                    o->text);
    settle_open(o);
}

static void run_extend_commands(struct opening *o)
{
    o->extend_next = false;
    loop_timer_cancel(o->context->loop, &o->check_timer);
    enter_state(o, EXTENDING);
    loop_timer_set(o->context->loop, &o->timer, o->deadline);
    run_commands(o, JOB_DO, TASK_EXTEND, runner_ok_zero, on_extended);
}

/*
 * When it is checked next. Those that have one interval and run together are checked at the same
 * moments, four of them an interval: the table is read for all at once.
 */
static int64_t next_check(const struct opening *o)
{
    int64_t due = clock_now() + o->interval;
    return o->checks_meet && o->interval >= CLOCK_SECOND ? due - due % (o->interval / 4) : due;
}

/* No command runs: does what has come up meanwhile, else waits in OPEN for its time. */
static void settle_open(struct opening *o)
{
    if (o->close_next) {
        start_closing(o);
        return;
    }
    /* What is due by now needs no more extending. */
    if (o->extend_next && o->deadline > clock_now()) {
        run_extend_commands(o);
        return;
    }
    /* Nothing of the task counts any more. */
    note_doubt(o);
    opening_drop_task(o);
    enter_state(o, OPEN);
    loop_timer_set(o->context->loop, &o->timer, o->deadline);
    if (opening_count(o, CHECK_COMMANDS) > 0 && o->interval > 0 && !timer_is_set(&o->check_timer))
        loop_timer_set(o->context->loop, &o->check_timer, next_check(o));
}

static void on_renewed(void *arg, bool success)
{
    struct opening *o = arg;
    if (!success)
        log_error("door %s: can't be opened again for %s; the next check tries", o->name, o->text);
    settle_open(o);
}

static void run_start_again(struct opening *o)
{
    o->renew = false;
    enter_state(o, RENEWING);
    loop_timer_set(o->context->loop, &o->timer, o->deadline);
    run_commands(o, JOB_DO, TASK_START, runner_ok_zero, on_renewed);
}

/* Nothing was run for a knock at a door that is open already and has nothing to extend. */
static void log_open_already(const struct opening *o, const char *by)
{
    if (limit_take(&o->context->messages, clock_now()))
        log_notice("door %s: %s knocked; it is open already, so nothing was run", o->name, o->text);
    report_extended(o, by);
}

/* Without an undo of its own it isn't opened again: someone closed it, who may have meant to. */
static void lasting_checked(struct opening *o, enum found found)
{
    if (found == FOUND_GONE && !o->close_next) {
        log_notice("door %s: closed for %s, says its check", o->name, o->text);
        opening_forget(o, DOOR_END_BY_OTHERS);
        return;
    }
    if (o->reopen && !o->close_next) {
        log_open_already(o, o->reopen->by);
        opening_free(o->reopen);
        o->reopen = NULL;
    }
    settle_open(o);
}

/* Somebody may have closed it when that couldn't be recorded, or while nobody watched over it. */
static void forget_unconfirmed(struct opening *o, enum found found)
{
    log_notice("door %s: closed for %s since it was recorded, by whatever; not opening it again",
               o->name, o->text);
    if (found == FOUND_PART)
        start_closing(o);
    else
        opening_forget(o, DOOR_END_FOUND_CLOSED);
}

static void on_checked(void *arg, bool success)
{
    struct opening *o = arg;
    enum found found = what_is_found(o);
    (void)success;
    if (o->lasts) {
        lasting_checked(o, found);
        return;
    }
    if (found == FOUND_OPEN)
        o->unconfirmed = false;
    /* What is due by now isn't opened again. */
    if (found == FOUND_OPEN || found == FOUND_UNSURE || o->close_next ||
        o->deadline <= clock_now()) {
        settle_open(o);
        return;
    }
    if (o->unconfirmed) {
        forget_unconfirmed(o, found);
        return;
    }
    log_warning("door %s: something else closed it for %s (was the firewall flushed?); opening it "
                "again",
                o->name, o->text);
    /* What is left of it would be there twice. */
    o->renew = found == FOUND_PART;
    if (o->renew)
        start_closing(o);
    else
        run_start_again(o);
}

static void run_check_commands(struct opening *o)
{
    enter_state(o, CHECKING);
    run_commands(o, JOB_DO, TASK_CHECK, runner_ok_zero, on_checked);
}

static void on_check(void *arg)
{
    struct opening *o = arg;
    if (o->state == OPEN)
        run_check_commands(o);
}

/* --- closing --- */

/* A stop that fails is tried again after 1 s, 2 s, 4 s ... and then every 5 minutes. */
static const int64_t retry_first = 1 * CLOCK_SECOND;
static const int64_t retry_longest = 300 * CLOCK_SECOND;

/* Why it was closed, for the log. */
static const char *closed_why(const struct opening *o)
{
    switch (o->closed_by) {
    case DOOR_END_BY_ADMIN:
        return "by knockctl";
    case DOOR_END_BY_KEY:
        return "by a sealed knock of its key";
    case DOOR_END_BY_DOOR:
        return "by a knock at another door";
    case DOOR_END_BY_STOP:
        return "knockd stops";
    case DOOR_END_BY_RELOAD:
        return "a reload changed the door";
    case DOOR_END_LEFT:
        return "an earlier run of knockd ended without closing it";
    default:
        return o->failed ? "its start command failed" : "its time is over";
    }
}

static void finish_closing(struct opening *o)
{
    if (o->renew && o->deadline > clock_now()) {
        run_start_again(o);
        return;
    }
    char note[OPENING_NOTE];
    log_notice("door %s: %s for %s%s: %s", o->name, o->failed ? "undone" : "closed", o->text,
               opening_note(o, note), closed_why(o));
    opening_forget(o, o->failed ? DOOR_END_UNDONE : o->closed_by);
}

static void stop_again_later(struct opening *o)
{
    int64_t pause = retry_first << (o->attempts < 16 ? o->attempts : 16);
    if (pause > retry_longest)
        pause = retry_longest;
    /* At the end there is no time for patience; and what could not even be started for want of
     * descriptors or memory says nothing about the command. */
    if (o->context->stopping || job_of(o)->started == 0)
        pause = retry_first;
    o->attempts++;
    if (o->last_try) {
        log_error("door %s: can't be undone for %s; it was opened before the machine was started, "
                  "so it is most likely gone",
                  o->name, o->text);
        opening_forget(o, DOOR_END_EARLIER_BOOT);
        return;
    }
    enter_state(o, RETRYING);
    report_event(o, DOOR_NOT_CLOSED, "its stop command failed");
    loop_timer_set(o->context->loop, &o->timer, clock_now() + pause);
    /* A stop tries each second, and says so ever more seldom. */
    if (!o->context->stopping || (o->attempts & (o->attempts - 1)) == 0)
        log_error("door %s: NOT CLOSED for %s: its stop command failed, attempt %u; next in %lld s",
                  o->name, o->text, o->attempts, opening_seconds(pause));
}

/* Whether it was to be given up while its command ran, which is gone now. */
static bool forget_if_given_up(struct opening *o)
{
    if (!o->given_up)
        return false;
    opening_forget(o, DOOR_END_GIVEN_UP);
    return true;
}

static void verify_closed(struct opening *o, enum opening_task check,
                          void (*done)(void *arg, bool success))
{
    enter_state(o, VERIFYING);
    run_commands(o, JOB_UNDO, check, runner_ok_zero, done);
}

static void finish_by_new_undo(struct opening *o)
{
    log_notice("door %s: what closed it for %s is the configuration that is in force now; the stop "
               "command of its own time failed",
               o->name, o->text);
    finish_closing(o);
}

/*
 * Whether the other undo may close the opening by finding nothing: by a status of stop_ok other
 * than 0, or by its check. Of another rule it always finds nothing, which proves nothing of the
 * opening's own, unless that was perhaps never there or can't be closed in its own way.
 */
static bool new_undo_may_find_it_gone(const struct opening *o)
{
    return o->failed || o->stop_misused || o->new_undo->same_stop ||
           opening_count(o, STOP_COMMANDS) == 0;
}

static void on_new_undo_verified(void *arg, bool success)
{
    struct opening *o = arg;
    (void)success;
    if (forget_if_given_up(o))
        return;
    if (what_is_found(o) == FOUND_GONE)
        finish_by_new_undo(o);
    else
        stop_again_later(o);
}

static void on_new_undo_stopped(void *arg, bool success)
{
    struct opening *o = arg;
    if (forget_if_given_up(o))
        return;
    if (success)
        finish_by_new_undo(o);
    else if (o->new_undo->set->counts[CHECK_COMMANDS] > 0 && new_undo_may_find_it_gone(o))
        verify_closed(o, TASK_NEW_CHECK, on_new_undo_verified);
    else
        stop_again_later(o);
}

static void run_new_undo(struct opening *o)
{
    bool believed = o->new_undo->set->counts[CHECK_COMMANDS] == 0 && new_undo_may_find_it_gone(o);
    enter_state(o, STOPPING);
    run_commands(o, JOB_UNDO, TASK_NEW_STOP, believed ? o->new_undo->set->stop_ok : runner_ok_zero,
                 on_new_undo_stopped);
}

/* The undo that a reload brought takes the place of the one before, no command of which runs. */
static void adopt_new_undo(struct opening *o)
{
    if (!o->undo_changed)
        return;
    undo_free(o->new_undo);
    o->new_undo = o->next_undo;
    o->next_undo = NULL;
    o->undo_changed = false;
}

/* Its own undo has failed. A rule that iptables doesn't understand can't have been inserted. */
static void own_undo_failed(struct opening *o)
{
    adopt_new_undo(o);
    if (o->failed && o->stop_misused) {
        log_notice("door %s: nothing is left to undo for %s: iptables doesn't understand the rule, "
                   "so it never was in the firewall",
                   o->name, o->text);
        finish_closing(o);
    } else if (o->new_undo) {
        run_new_undo(o);
    } else {
        stop_again_later(o);
    }
}

static void on_verified(void *arg, bool success)
{
    struct opening *o = arg;
    (void)success;
    if (forget_if_given_up(o))
        return;
    if (what_is_found(o) == FOUND_GONE)
        finish_closing(o);
    else
        own_undo_failed(o);
}

static void on_stopped(void *arg, bool success)
{
    struct opening *o = arg;
    if (forget_if_given_up(o))
        return;
    const struct job *job = job_of(o);
    o->stop_misused = job->failed > 0 && job->misused == job->failed;
    if (success)
        finish_closing(o);
    else if (opening_count(o, CHECK_COMMANDS) > 0)
        verify_closed(o, TASK_CHECK, on_verified);
    else
        own_undo_failed(o);
}

/* What a reload brought may undo it nevertheless. */
static void close_without_undo(struct opening *o)
{
    if (o->new_undo && !o->failed) {
        run_new_undo(o);
        return;
    }
    if (o->lasts && !o->failed)
        log_notice("door %s: no longer open for %s, as far as knockd knows: it has no stop_command "
                   "that would close it",
                   o->name, o->text);
    else
        log_debug("door %s: forgotten for %s, it has nothing to undo", o->name, o->text);
    opening_forget(o, o->failed ? DOOR_END_FAILED : DOOR_END_NO_UNDO);
}

/* Runs its stop commands, as often as it takes. None of its jobs may be with the runner. */
static void start_closing(struct opening *o)
{
    loop_timer_cancel(o->context->loop, &o->timer);
    loop_timer_cancel(o->context->loop, &o->check_timer);
    /* A retry needn't repeat what succeeded, and what would fail the second time; nor is undone
     * what a failed start hasn't done. */
    bool first = o->state != RETRYING;
    if (first && o->state != STARTING)
        o->stopped = 0;
    adopt_new_undo(o);
    if (first && o->new_undo)
        o->new_undo->stopped = 0;
    if (opening_count(o, STOP_COMMANDS) == 0) {
        close_without_undo(o);
        return;
    }
    enter_state(o, STOPPING);
    /* Where a check can tell, no exit status but 0 is believed. */
    run_commands(o, JOB_UNDO, TASK_STOP,
                 opening_count(o, CHECK_COMMANDS) ? runner_ok_zero : o->set->stop_ok, on_stopped);
}

/* A job that waits behind others for its turn can't keep the door open; one that runs ends first.
 */
static void close_soon(struct opening *o)
{
    if (withdraw(o))
        start_closing(o);
    else
        o->close_next = true;
}

static void on_due(void *arg)
{
    struct opening *o = arg;
    if (o->state == DELAYED)
        run_start_commands(o);
    else if (o->state == EXTENDING || o->state == CHECKING || o->state == RENEWING)
        close_soon(o);
    else
        start_closing(o);
}

/* --- gone --- */

/* How openings end, in the history and for those who watch. */
static const char *const end_texts[] = {
    [DOOR_END_NOT_BEGUN] = "",
    [DOOR_END_CLOSED] = "closed",
    [DOOR_END_BY_STOP] = "closed at knockd's end",
    [DOOR_END_BY_RELOAD] = "closed after a reload",
    [DOOR_END_LEFT] = "closed by a later run",
    [DOOR_END_BY_ADMIN] = "closed by knockctl",
    [DOOR_END_BY_KEY] = "closed by its key",
    [DOOR_END_BY_DOOR] = "closed by another door",
    [DOOR_END_BY_OTHERS] = "closed by something else",
    [DOOR_END_FOUND_CLOSED] = "found closed",
    [DOOR_END_FAILED] = "failed",
    [DOOR_END_UNDONE] = "failed, undone",
    [DOOR_END_NOTHING_TO_CLOSE] = "nothing to close",
    [DOOR_END_WITHDRAWN] = "withdrawn",
    [DOOR_END_NO_UNDO] = "nothing to undo",
    [DOOR_END_GIVEN_UP] = "given up by knockctl",
    [DOOR_END_EARLIER_BOOT] = "lost with an earlier boot",
    [DOOR_END_MADE_ROOM] = "forgotten to make room",
};

/* A knock that waited longer than its door would have been open has been given up. */
static void begin_reopening(struct opening_context *context, struct opening *reopen)
{
    int64_t waited = clock_now() - reopen->knocked;
    if (waited < reopen->length && !context->stopping) {
        begin_opening(reopen);
        return;
    }
    if (!context->stopping) {
        log_notice("door %s: %s knocked %lld s ago, and closing what was open before took until "
                   "now: it opens nothing; knock again",
                   reopen->name, reopen->text, opening_seconds(waited));
        report_event(reopen, DOOR_REFUSED, "closing what was open before took too long");
    }
    opening_free(reopen);
}

void opening_forget(struct opening *o, enum door_end end)
{
    struct opening_context *context = o->context;
    struct opening *reopen = o->reopen;
    o->reopen = NULL;
    if (end != DOOR_END_NOT_BEGUN)
        report(o, (struct door_event){.kind = DOOR_GONE, .why = end_texts[end], .end = end});
    writeback_remove(context->writeback, o, end_texts[end]);
    openings_remove(context->openings, o);
    context->left_open -= o->left_open;
    opening_free(o);
    if (reopen)
        begin_reopening(context, reopen);
    if (context->stopping && context->openings->count == context->left_open && context->emptied)
        context->emptied(context->emptied_arg);
}

/* --- a knock that opens the door, and openings of an earlier run --- */

/* What the plan of its door runs for the knock. -1 when memory is short. */
static int expand_plan(struct opening *o, const struct knock *knock)
{
    const struct plan *plan = knock->plan;
    struct commands lists[COMMAND_LISTS] = {0};
    int rc = commands_expand(&plan->start, knock, &lists[START_COMMANDS]);
    rc = rc < 0 ? rc : commands_expand(&plan->stop, knock, &lists[STOP_COMMANDS]);
    rc = rc < 0 ? rc : commands_expand(&plan->extend, knock, &lists[EXTEND_COMMANDS]);
    rc = rc < 0 ? rc : commands_expand(&plan->check, knock, &lists[CHECK_COMMANDS]);
    rc = rc < 0 ? rc : opening_set_commands(o, lists, knock->door->stop_ok);
    for (unsigned i = 0; i < COMMAND_LISTS; i++)
        commands_free(&lists[i]);
    return rc;
}

/* An opening that nothing has happened to yet. NULL when memory is short. */
static struct opening *create_opening(struct opening_context *context, const struct knock *knock)
{
    const struct config_door *door = knock->door;
    struct opening_name name = {.door = door->name,
                                .address = knock->address,
                                .port = knock->port,
                                .by = knock->by,
                                .source = knock->source,
                                .user = knock->user};
    struct opening *o = opening_new(context, &name, on_due, on_check);
    if (!o)
        return NULL;
    o->knocked = clock_now();
    o->delay = door->start_delay;
    o->interval = door->check_interval;
    o->undoes = door->is_undo;
    o->lasts = door->lasts;
    o->expires = door->expires;
    o->length = o->lasts ? OPENING_LASTS : knock->length;
    if (expand_plan(o, knock) == 0)
        return o;
    opening_free(o);
    return NULL;
}

int opening_begin(struct opening_context *context, const struct knock *knock)
{
    struct opening *o = create_opening(context, knock);
    if (!o)
        return -1;
    begin_opening(o);
    return 0;
}

int opening_resume(struct opening_context *context, struct stored_door *stored)
{
    struct opening *o = opening_restore(context, stored, on_due, on_check);
    if (!o)
        return -1;
    openings_add(context->openings, o);
    bool time_left = stored->this_boot && stored->deadline > clock_now();
    if (!stored->this_boot || (stored->state != STORED_OPEN && stored->deadline > clock_now()))
        o->closed_by = DOOR_END_LEFT;
    if (stored->state != STORED_OPEN || !time_left) {
        start_closing(o);
    } else if (opening_count(o, CHECK_COMMANDS) > 0) {
        o->unconfirmed = true;
        loop_timer_set(context->loop, &o->timer, o->deadline);
        run_check_commands(o);
    } else {
        settle_open(o);
    }
    return 0;
}

/* --- a knock while it is open, or being opened or closed --- */

/* Runs its extend commands, if there are any; it has no time that could be longer. */
static void extend_timeless(struct opening *o, const struct knock *knock)
{
    o->extend_next = opening_count(o, EXTEND_COMMANDS) > 0;
    if (!o->extend_next)
        log_open_already(o, knock->by);
    else
        report_extended(o, knock->by);
    if (o->state == OPEN)
        settle_open(o);
}

/* Of one that no time closes: inserts nothing, unless its check says that it is closed by now. */
static void extend_lasting(struct opening *o, const struct knock *knock)
{
    if (o->state != OPEN || opening_count(o, CHECK_COMMANDS) == 0) {
        extend_timeless(o, knock);
        return;
    }
    o->reopen = create_opening(o->context, knock);
    loop_timer_cancel(o->context->loop, &o->check_timer);
    on_check(o);
}

/* Sets the deadline to now plus the knock's length. */
static void extend_opening(struct opening *o, const struct knock *knock)
{
    if (o->expires && opening_count(o, EXTEND_COMMANDS) == 0) {
        extend_timeless(o, knock);
        return;
    }
    o->length = knock->length;
    o->unconfirmed = false;
    o->deadline = clock_now() + knock->length;
    if (limit_take(&o->context->messages, clock_now()))
        log_notice("door %s: extended for %s, closes in %lld s%s%s%s", o->name, o->text,
                   opening_seconds(knock->length), knock->key ? " (" : "",
                   knock->key ? knock->key : "", knock->key ? ")" : "");
    o->extend_next = opening_count(o, EXTEND_COMMANDS) > 0;
    report_extended(o, knock->by);
    writeback_change(o->context->writeback, o);
    loop_timer_set(o->context->loop, &o->timer, o->deadline);
    if (o->state == OPEN)
        settle_open(o);
}

/* It must be closed before the door can open again: the knock waits for that. */
static void reopen_when_closed(struct opening *o, const struct knock *knock)
{
    bool again = o->reopen != NULL;
    /* The last knock counts: the configuration may have changed between them. */
    if (again)
        opening_free(o->reopen);
    o->reopen = create_opening(o->context, knock);
    if (!again)
        log_notice(
            "door %s: %s knocked, but what an earlier knock opened has to be closed first%s%s",
            o->name, o->text, o->attempts > 0 ? ", and its stop command fails" : "",
            o->reopen ? "; it opens again after that" : "; refused: out of memory");
    if (o->state < STOPPING && !o->close_next)
        o->closed_by = DOOR_END_BY_RELOAD;
    opening_close(o);
}

/* Whether the door of a reloaded configuration still does what this opening did. */
static bool same_commands(const struct opening *o, const struct knock *knock)
{
    struct commands start = {0}, extend = {0};
    bool same = true;
    if (commands_expand(&knock->plan->start, knock, &start) == 0 &&
        commands_expand(&knock->plan->extend, knock, &extend) == 0)
        same = opening_has(o, START_COMMANDS, &start) && opening_has(o, EXTEND_COMMANDS, &extend);
    commands_free(&start);
    commands_free(&extend);
    return same;
}

/* What has no undo would be there twice if other commands opened it again. */
static bool stays_as_it_is(const struct opening *o, const struct knock *knock)
{
    return o->lasts && knock->door->lasts &&
           (opening_count(o, STOP_COMMANDS) == 0 || same_commands(o, knock));
}

void opening_knock(struct opening *o, const struct knock *knock)
{
    bool starts = o->state == RECORDING || o->state == DELAYED || o->state == STARTING;
    bool closes = o->state >= STOPPING || o->close_next;
    if (starts && !closes)
        log_debug("door %s: %s knocked again while it is being opened", o->name, o->text);
    else if (!closes && stays_as_it_is(o, knock))
        extend_lasting(o, knock);
    else if (closes || !same_commands(o, knock))
        reopen_when_closed(o, knock);
    else
        extend_opening(o, knock);
}

/* --- closed, given up, or told of a reload --- */

/* What waits for its turn isn't waited for: it never started, or by half and is undone. */
static void close_starting(struct opening *o)
{
    if (!withdraw(o)) {
        o->close_next = true;
    } else if (!may_have_acted(o)) {
        opening_forget(o, DOOR_END_WITHDRAWN);
    } else {
        o->failed = true;
        start_closing(o);
    }
}

void opening_close(struct opening *o)
{
    o->renew = false;
    switch (o->state) {
    case RECORDING:
    case DELAYED:
        opening_forget(o, DOOR_END_WITHDRAWN);
        return;
    case STARTING:
        close_starting(o);
        return;
    case EXTENDING:
    case CHECKING:
    case RENEWING:
        close_soon(o);
        return;
    case OPEN:
    case RETRYING:
        start_closing(o);
        return;
    case STOPPING:
    case VERIFYING:
        return;
    }
}

void opening_give_up(struct opening *o)
{
    if (job_of(o)->running && !withdraw(o)) {
        o->given_up = true;
        runner_kill(o->context->runner, &o->task->job);
    } else {
        opening_forget(o, DOOR_END_GIVEN_UP);
    }
}

void opening_follow(struct opening *o, struct undo *undo)
{
    undo_free(o->next_undo);
    o->next_undo = undo;
    o->undo_changed = true;
    if (undo && o->state == RETRYING)
        start_closing(o);
}

/* --- what it does, for messages --- */

long long opening_seconds(int64_t ns)
{
    return (long long)((ns + CLOCK_SECOND - 1) / CLOCK_SECOND);
}

static const char *command_name(enum opening_state state)
{
    switch (state) {
    case STARTING:
    case RENEWING:
        return "start";
    case EXTENDING:
        return "extend";
    case CHECKING:
    case VERIFYING:
        return "check";
    default:
        return "stop";
    }
}

const char *opening_doing(const struct opening *o, char *out, size_t size)
{
    int64_t now = clock_now();
    if (o->state == RECORDING)
        snprintf(out, size, "it waits to be recorded");
    else if (o->state == DELAYED)
        snprintf(out, size, "it waits for its start_delay");
    else if (o->state == OPEN)
        snprintf(out, size, "it is open");
    else if (o->state == RETRYING)
        snprintf(out, size, "its stop command failed, attempt %u, next in %lld s", o->attempts,
                 o->timer.due > now ? opening_seconds(o->timer.due - now) : 0);
    else if (job_of(o)->queued || !job_of(o)->running)
        snprintf(out, size, "its %s command waits for its turn", command_name(o->state));
    else
        snprintf(out, size, "its %s command has run for %lld s", command_name(o->state),
                 (long long)((now - job_of(o)->since) / CLOCK_SECOND));
    return out;
}
