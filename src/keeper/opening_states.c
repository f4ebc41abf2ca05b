/*
 * The states of an opening, from a knock until nothing is left of it. Two rules keep it simple: at
 * most one job of an opening is with the runner, so commands of one (door, address) never overlap;
 * and once a start command may have run, the only way out is a stop that succeeded.
 *
 *              durable          start done            its time is over
 *   RECORDING ----------> STARTING ------> OPEN ------------------------> STOPPING --> (gone)
 *       | not      (DELAYED     | failed    ^ |  a knock: EXTENDING          |  ^
 *       v           before it)  |           | |  its check: CHECKING         |  | again, later
 *     (gone)                    |           | v  check failed: RENEWING      v  |
 *                               +----------------------------> STOPPING   RETRYING
 *                                                                 |  failed  ^ still open
 *                                                                 +-> JUDGING -> (gone)
 *
 * Where a reload or a restart brought the door another undo, that is tried when the opening's own
 * has failed, STOPPING and JUDGING once more.
 */
#include "keeper/opening_states.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/writeback.h"
#include "lib/clock.h"
#include "lib/log.h"

static void tell(const struct opening *o, enum door_event_kind kind, const char *by,
                 const char *why)
{
    struct door_event event = {kind,   o->name, &o->address, by, why, o->lasts ? 0 : o->length,
                               o->port};
    if (o->all->happened)
        o->all->happened(o->all->happened_arg, &event);
}

static void opening_tell(const struct opening *o, enum door_event_kind kind, const char *why)
{
    tell(o, kind, o->by, why);
}

static void opening_tell_extended(const struct opening *o, const char *by)
{
    tell(o, DOOR_EXTENDED, by, NULL);
}

long long opening_seconds(int64_t ns)
{
    return (long long)((ns + CLOCK_SECOND - 1) / CLOCK_SECOND);
}

static void opening_enter(struct opening *o, enum opening_state state)
{
    o->state = state;
    /* In the store, what is of an earlier boot stays that, or it would be tried for ever. */
    if (!o->last_try)
        writeback_change(o->all->ledger, o);
}

static bool is_check(const struct opening *o, const struct commands *commands)
{
    return commands == &o->check || (o->spare && commands == &o->spare->check);
}

static void opening_run(struct opening *o, enum job_kind kind, const struct commands *commands,
                        const uint64_t *ok, void (*done)(void *arg, bool success))
{
    /* One job at a time: a second would be run in the first one's place. */
    assert(!o->job.running);
    o->job =
        (struct job){.kind = kind,
                     .commands = commands,
                     .ok = ok,
                     .label = o->label,
                     .quiet = is_check(o, commands),
                     .group = o->name,
                     .succeeded = commands == &o->stop                      ? &o->stopped
                                  : o->spare && commands == &o->spare->stop ? &o->spare->stopped
                                                                            : NULL,
                     .done = done,
                     .arg = o,
                     .hung = o->job.kind == kind && o->job.hung};
    runner_submit(o->all->runner, &o->job);
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
    case JUDGING:
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
    else if (o->job.queued || !o->job.running)
        snprintf(out, size, "its %s command waits for its turn", command_name(o->state));
    else
        snprintf(out, size, "its %s command has run for %lld s", command_name(o->state),
                 (long long)((now - o->job.since) / CLOCK_SECOND));
    return out;
}

/* What the check commands have found out. */
enum opening_found {
    FOUND_OPEN,
    FOUND_GONE,
    FOUND_PART,    /* some of it is there, some not */
    FOUND_NOTHING, /* one of them could not tell */
};

/* Judges its job, which were check commands: exit status 0 says open, 1 says gone. */
static enum opening_found opening_found(const struct opening *o)
{
    if (o->job.failed == 0)
        return FOUND_OPEN;
    if (o->job.said_no == o->job.commands->count)
        return FOUND_GONE;
    return o->job.said_no == o->job.failed ? FOUND_PART : FOUND_NOTHING;
}

/* --- closing --- */

static void opening_renew(struct opening *o);

/* A stop that fails is tried again after 1 s, 2 s, 4 s ... and then every 5 minutes, for ever. */
static const int64_t retry_first = 1 * CLOCK_SECOND;
static const int64_t retry_longest = 300 * CLOCK_SECOND;

/* It is over. What knocked meanwhile opens now. */
void opening_forget(struct opening *o, const char *end)
{
    struct openings *all = o->all;
    struct opening *heir = o->heir;
    o->heir = NULL;
    if (*end)
        opening_tell(o, DOOR_GONE, end);
    writeback_remove(all->ledger, o, end);
    openings_remove(all, o);
    opening_free(o);
    /* A knock that waited longer than its door would have been open has been given up. */
    bool fresh = heir && clock_now() - heir->knocked < heir->length;
    if (fresh && !all->closing)
        opening_begin(heir);
    else if (heir)
        opening_free(heir);
    if (all->closing && all->count == all->staying && all->emptied)
        all->emptied(all->arg);
}

static void be_closed(struct opening *o)
{
    if (o->renew && o->deadline > clock_now()) {
        opening_renew(o);
        return;
    }
    log_notice("door %s: %s for %s%s", o->name, o->failed ? "undone" : "closed", o->text, o->note);
    opening_forget(o, o->failed     ? "failed, undone"
                      : o->by_other ? o->by_other
                      : o->by_hand  ? "closed by knockctl"
                      : o->by_key   ? "closed by its key"
                                    : "closed");
}

static void retry(struct opening *o)
{
    int64_t pause = retry_first << (o->attempts < 16 ? o->attempts : 16);
    if (pause > retry_longest)
        pause = retry_longest;
    /* At the end there is no time for patience; and what could not even be started for want of
     * descriptors or memory says nothing about the command. */
    if (o->all->closing || o->job.started == 0)
        pause = retry_first;
    o->attempts++;
    if (o->last_try) {
        log_error("door %s: can't be undone for %s; it was opened before the machine was started, "
                  "so it is most likely gone",
                  o->name, o->text);
        opening_forget(o, "lost with an earlier boot");
        return;
    }
    opening_enter(o, RETRYING);
    opening_tell(o, DOOR_NOT_CLOSED, "its stop command failed");
    loop_timer_set(o->all->loop, &o->timer, clock_now() + pause);
    log_error("door %s: NOT CLOSED for %s: its stop command failed, attempt %u; next in %lld s",
              o->name, o->text, o->attempts, opening_seconds(pause));
}

/* Whether it was to be given up while its command ran, which is gone now. */
static bool is_given_up(struct opening *o)
{
    if (!o->given_up)
        return false;
    opening_forget(o, OPENING_GIVEN_UP);
    return true;
}

static void judge(struct opening *o, const struct commands *check,
                  void (*done)(void *arg, bool success))
{
    opening_enter(o, JUDGING);
    opening_run(o, JOB_UNDO, check, runner_ok_zero, done);
}

static void closed_by_spare(struct opening *o)
{
    log_notice("door %s: what closed it for %s is the configuration that is in force now; the stop "
               "command of its own time failed",
               o->name, o->text);
    be_closed(o);
}

/*
 * Whether the other undo may close the opening by finding nothing: by a status of stop_ok other
 * than 0, or by its check. Of another rule it always finds nothing, which proves nothing of the
 * opening's own, unless that was perhaps never there or can't be closed in its own way.
 */
static bool spare_may_find_nothing(const struct opening *o)
{
    return o->failed || o->hopeless || o->spare->same_stop || o->stop.count == 0;
}

static void on_spare_judged(void *arg, bool success)
{
    struct opening *o = arg;
    (void)success;
    if (is_given_up(o))
        return;
    if (opening_found(o) == FOUND_GONE)
        closed_by_spare(o);
    else
        retry(o);
}

static void on_spare_stopped(void *arg, bool success)
{
    struct opening *o = arg;
    if (is_given_up(o))
        return;
    if (success)
        closed_by_spare(o);
    else if (o->spare->check.count > 0 && spare_may_find_nothing(o))
        judge(o, &o->spare->check, on_spare_judged);
    else
        retry(o);
}

static void start_spare(struct opening *o)
{
    bool believed = o->spare->check.count == 0 && spare_may_find_nothing(o);
    opening_enter(o, STOPPING);
    opening_run(o, JOB_UNDO, &o->spare->stop, believed ? o->spare->stop_ok : runner_ok_zero,
                on_spare_stopped);
}

/* The undo that a reload brought takes the place of the one before, no command of which runs. */
static void take_spare(struct opening *o)
{
    if (!o->spare_changed)
        return;
    undo_free(o->spare);
    o->spare = o->next_spare;
    o->next_spare = NULL;
    o->spare_changed = false;
}

/* Its own undo has failed. A rule that iptables doesn't understand can't have been inserted. */
static void own_undo_failed(struct opening *o)
{
    take_spare(o);
    if (o->failed && o->hopeless) {
        log_notice("door %s: nothing is left to undo for %s: iptables doesn't understand the rule, "
                   "so it never was in the firewall",
                   o->name, o->text);
        be_closed(o);
    } else if (o->spare) {
        start_spare(o);
    } else {
        retry(o);
    }
}

static void on_judged(void *arg, bool success)
{
    struct opening *o = arg;
    (void)success;
    if (is_given_up(o))
        return;
    if (opening_found(o) == FOUND_GONE)
        be_closed(o);
    else
        own_undo_failed(o);
}

static void on_stopped(void *arg, bool success)
{
    struct opening *o = arg;
    if (is_given_up(o))
        return;
    o->hopeless = o->job.failed > 0 && o->job.misused == o->job.failed;
    if (success)
        be_closed(o);
    else if (o->check.count > 0)
        judge(o, &o->check, on_judged);
    else
        own_undo_failed(o);
}

void opening_give_up(struct opening *o)
{
    if (o->job.running && !runner_withdraw(o->all->runner, &o->job)) {
        o->given_up = true;
        runner_kill(o->all->runner, &o->job);
    } else {
        opening_forget(o, OPENING_GIVEN_UP);
    }
}

/* What a reload brought may undo it nevertheless. */
static void close_without_undo(struct opening *o)
{
    take_spare(o);
    if (o->spare && !o->failed) {
        start_spare(o);
        return;
    }
    if (o->lasts && !o->failed)
        log_notice("door %s: no longer open for %s, as far as knockd knows: it has no stop_command "
                   "that would close it",
                   o->name, o->text);
    else
        log_debug("door %s: forgotten for %s, it has nothing to undo", o->name, o->text);
    opening_forget(o, o->failed ? "failed" : OPENING_NO_UNDO);
}

void opening_start_closing(struct opening *o)
{
    loop_timer_cancel(o->all->loop, &o->timer);
    loop_timer_cancel(o->all->loop, &o->check_timer);
    if (o->stop.count == 0) {
        close_without_undo(o);
        return;
    }
    /* A retry needn't repeat what succeeded, and what would fail the second time; nor is undone
     * what a failed start hasn't done. */
    bool first = o->state != RETRYING;
    if (first && o->state != STARTING)
        o->stopped = 0;
    take_spare(o);
    if (first && o->spare)
        o->spare->stopped = 0;
    opening_enter(o, STOPPING);
    /* Where a check can judge, no exit status but 0 is believed. */
    opening_run(o, JOB_UNDO, &o->stop, o->check.count ? runner_ok_zero : o->stop_ok, on_stopped);
}

/* --- opening, and while it is open --- */

static void on_extended(void *arg, bool success);

static void extend_now(struct opening *o)
{
    o->extend_next = false;
    loop_timer_cancel(o->all->loop, &o->check_timer);
    opening_enter(o, EXTENDING);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    opening_run(o, JOB_DO, &o->extend, runner_ok_zero, on_extended);
}

/* No command runs: what has come up meanwhile is done, else it waits for its time. */
static void rest(struct opening *o)
{
    if (o->close_next) {
        opening_start_closing(o);
        return;
    }
    /* What is due by now needs no more extending. */
    if (o->extend_next && o->deadline > clock_now()) {
        extend_now(o);
        return;
    }
    opening_enter(o, OPEN);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    if (o->check.count > 0 && o->interval > 0 && !timer_is_set(&o->check_timer))
        loop_timer_set(o->all->loop, &o->check_timer, clock_now() + o->interval);
}

/*
 * How many of its start commands may have done something, now that one of them failed. Those that
 * follow it didn't run, and iptables may say that it did nothing.
 */
static unsigned count_acted(const struct opening *o)
{
    return o->job.started == 0 ? 0 : o->job.index - o->job.last_was_idle;
}

/* Whether a stop command undoes one of the start commands from `first` up to `end`. */
static bool undoes_one_of(const struct opening *o, const struct command *stop, unsigned first,
                          unsigned end)
{
    for (unsigned i = first; i < end; i++)
        if (command_undoes(stop, &o->start.items[i]))
            return true;
    return false;
}

/* Passes over the stop commands of what a failed start hasn't done. Returns how many are left. */
static unsigned skip_undone(struct opening *o)
{
    unsigned acted = count_acted(o), left = 0;
    for (unsigned i = 0; i < o->stop.count; i++) {
        const struct command *stop = &o->stop.items[i];
        bool needed = i >= RUNNER_REMEMBERED || undoes_one_of(o, stop, 0, acted) ||
                      !undoes_one_of(o, stop, acted, o->start.count);
        if (!needed)
            o->stopped |= UINT64_C(1) << i;
        left += needed;
    }
    return acted == 0 ? 0 : left;
}

/* The undo of another door that isn't open, run in case that only the record of it is gone. */
static void find_nothing_to_close(struct opening *o)
{
    log_notice("door %s: %s knocked, but nothing that it closes is open for it", o->name, o->text);
    opening_forget(o, "nothing to close");
}

static void fail_to_start(struct opening *o)
{
    unsigned left = skip_undone(o);
    o->failed = true;
    opening_tell(o, DOOR_FAILED, "its start command failed");
    log_error("door %s: failed for %s: its start command failed%s", o->name, o->text,
              left > 0            ? "; undoing it"
              : o->stop.count > 0 ? "; nothing is left to undo"
                                  : "");
    if (left > 0)
        opening_start_closing(o);
    else
        opening_forget(o, "failed");
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
    opening_tell(o, DOOR_OPENED, NULL);
    if (o->lasts)
        log_notice("door %s: opened for %s, until it is closed%s", o->name, o->text, o->note);
    else if (o->stop.count == 0 && !o->expires)
        log_notice("door %s: opened for %s, nothing closes it%s", o->name, o->text, o->note);
    else
        log_notice("door %s: opened for %s, closes in %lld s%s", o->name, o->text,
                   opening_seconds(o->length), o->note);
    if (o->stop.count == 0 && !o->lasts && !o->expires) {
        opening_start_closing(o);
        return;
    }
    o->deadline = o->lasts ? INT64_MAX : clock_now() + o->length;
    rest(o);
}

static void on_extended(void *arg, bool success)
{
    struct opening *o = arg;
    if (!success)
        log_warning("door %s: its extend command failed for %s; it still closes in time", o->name,
                    o->text);
    rest(o);
}

static void on_renewed(void *arg, bool success)
{
    struct opening *o = arg;
    if (!success)
        log_error("door %s: can't be opened again for %s; the next check tries", o->name, o->text);
    rest(o);
}

static void opening_renew(struct opening *o)
{
    o->renew = false;
    opening_enter(o, RENEWING);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    opening_run(o, JOB_DO, &o->start, runner_ok_zero, on_renewed);
}

/* Nothing was run for a knock at a door that is open already and has nothing to extend. */
static void say_open_already(const struct opening *o, const char *by)
{
    if (limit_take(&o->all->talk, clock_now()))
        log_notice("door %s: %s knocked; it is open already, so nothing was run", o->name, o->text);
    opening_tell_extended(o, by);
}

/* Without an undo of its own it isn't opened again: someone closed it, who may have meant to. */
static void judge_lasting(struct opening *o, enum opening_found found)
{
    if (found == FOUND_GONE && !o->close_next) {
        log_notice("door %s: closed for %s, says its check", o->name, o->text);
        opening_forget(o, "closed by something else");
        return;
    }
    if (o->heir && !o->close_next) {
        say_open_already(o, o->heir->by);
        opening_free(o->heir);
        o->heir = NULL;
    }
    rest(o);
}

/* Somebody may have closed it when that couldn't be recorded, or while nobody watched over it. */
static void give_up_doubted(struct opening *o, enum opening_found found)
{
    log_notice("door %s: closed for %s since it was recorded, by whatever; not opening it again",
               o->name, o->text);
    if (found == FOUND_PART)
        opening_start_closing(o);
    else
        opening_forget(o, "found closed");
}

static void on_checked(void *arg, bool success)
{
    struct opening *o = arg;
    enum opening_found found = opening_found(o);
    (void)success;
    if (o->lasts) {
        judge_lasting(o, found);
        return;
    }
    if (found == FOUND_OPEN)
        o->doubted = false;
    /* What is due by now isn't opened again. */
    if (found == FOUND_OPEN || found == FOUND_NOTHING || o->close_next ||
        o->deadline <= clock_now()) {
        rest(o);
        return;
    }
    if (o->doubted) {
        give_up_doubted(o, found);
        return;
    }
    log_warning("door %s: something else closed it for %s (was the firewall flushed?); opening it "
                "again",
                o->name, o->text);
    /* What is left of it would be there twice. */
    o->renew = found == FOUND_PART;
    if (o->renew)
        opening_start_closing(o);
    else
        opening_renew(o);
}

static void check_now(struct opening *o)
{
    opening_enter(o, CHECKING);
    opening_run(o, JOB_DO, &o->check, runner_ok_zero, on_checked);
}

static void on_check(void *arg)
{
    struct opening *o = arg;
    if (o->state == OPEN)
        check_now(o);
}

static void start(struct opening *o)
{
    opening_enter(o, STARTING);
    opening_run(o, JOB_DO, &o->start, runner_ok_zero, on_started);
}

/* A job that waits behind others for its turn can't keep the door open; one that runs ends first.
 */
static void stop_soon(struct opening *o)
{
    if (runner_withdraw(o->all->runner, &o->job))
        opening_start_closing(o);
    else
        o->close_next = true;
}

static void on_due(void *arg)
{
    struct opening *o = arg;
    if (o->state == DELAYED)
        start(o);
    else if (o->state == EXTENDING || o->state == CHECKING || o->state == RENEWING)
        stop_soon(o);
    else
        opening_start_closing(o);
}

static void on_recorded(struct opening *o, bool durable)
{
    if (!durable) {
        log_error("door %s: refused %s: a door that can't be recorded isn't opened", o->name,
                  o->text);
        opening_tell(o, DOOR_REFUSED, "the state can't be recorded");
        opening_forget(o, "");
    } else if (o->delay > 0) {
        opening_enter(o, DELAYED);
        loop_timer_set(o->all->loop, &o->timer, clock_now() + o->delay);
    } else {
        start(o);
    }
}

void opening_begin(struct opening *o)
{
    openings_add(o->all, o);
    o->state = RECORDING;
    writeback_add(o->all->ledger, o, on_recorded);
}

struct opening *opening_create(struct openings *all, const struct knock *knock)
{
    const struct config_door *door = knock->door;
    const struct plan *plan = knock->plan;
    struct opening_name name = {door->name, knock->address, knock->port, knock->by};
    struct opening *o = opening_new(all, &name, on_due, on_check);
    if (!o)
        return NULL;
    o->knocked = clock_now();
    o->length = knock->length;
    o->delay = door->start_delay;
    o->interval = door->check_interval;
    o->undoes = door->is_undo;
    o->lasts = door->lasts;
    o->expires = door->expires;
    o->length = o->lasts ? OPENING_LASTS : knock->length;
    memcpy(o->stop_ok, door->stop_ok, sizeof(o->stop_ok));
    if (commands_expand(&plan->start, knock, &o->start) == 0 &&
        commands_expand(&plan->stop, knock, &o->stop) == 0 &&
        commands_expand(&plan->extend, knock, &o->extend) == 0 &&
        commands_expand(&plan->check, knock, &o->check) == 0)
        return o;
    opening_free(o);
    return NULL;
}

struct opening *opening_resume(struct openings *all, struct stored_door *stored)
{
    struct opening *o = opening_restore(all, stored, on_due, on_check);
    if (!o)
        return NULL;
    openings_add(all, o);
    bool time_left = stored->this_boot && stored->deadline > clock_now();
    if (stored->state != STORED_OPEN || !time_left) {
        opening_start_closing(o);
    } else if (o->check.count > 0) {
        o->doubted = true;
        loop_timer_set(all->loop, &o->timer, o->deadline);
        check_now(o);
    } else {
        rest(o);
    }
    return o;
}

/* Runs its extend commands, if there are any; no time of its that could be longer. */
static void extend_timeless(struct opening *o, const struct knock *knock)
{
    o->extend_next = o->extend.count > 0;
    if (!o->extend_next)
        say_open_already(o, knock->by);
    else
        opening_tell_extended(o, knock->by);
    if (o->state == OPEN)
        rest(o);
}

void opening_knock_lasting(struct opening *o, const struct knock *knock)
{
    if (o->state != OPEN || o->check.count == 0) {
        extend_timeless(o, knock);
        return;
    }
    /* It opens if the check finds that it is closed by now. */
    o->heir = opening_create(o->all, knock);
    loop_timer_cancel(o->all->loop, &o->check_timer);
    on_check(o);
}

void opening_extend(struct opening *o, const struct knock *knock)
{
    if (o->expires && o->extend.count == 0) {
        extend_timeless(o, knock);
        return;
    }
    o->length = knock->length;
    o->doubted = false;
    o->deadline = clock_now() + knock->length;
    if (limit_take(&o->all->talk, clock_now()))
        log_notice("door %s: extended for %s, closes in %lld s%s%s%s", o->name, o->text,
                   opening_seconds(knock->length), knock->key ? " (" : "",
                   knock->key ? knock->key : "", knock->key ? ")" : "");
    o->extend_next = o->extend.count > 0;
    opening_tell_extended(o, knock->by);
    writeback_change(o->all->ledger, o);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    if (o->state == OPEN)
        rest(o);
}

/* What waits for its turn isn't waited for: it never started, or by half and is undone. */
static void close_starting(struct opening *o)
{
    if (!runner_withdraw(o->all->runner, &o->job)) {
        o->close_next = true;
    } else if (o->job.started == 0) {
        opening_forget(o, "withdrawn");
    } else {
        o->failed = true;
        opening_start_closing(o);
    }
}

void opening_close(struct opening *o)
{
    o->renew = false;
    switch (o->state) {
    case RECORDING:
    case DELAYED:
        opening_forget(o, "withdrawn");
        return;
    case STARTING:
        close_starting(o);
        return;
    case EXTENDING:
    case CHECKING:
    case RENEWING:
        stop_soon(o);
        return;
    case OPEN:
    case RETRYING:
        opening_start_closing(o);
        return;
    case STOPPING:
    case JUDGING:
        return;
    }
}
