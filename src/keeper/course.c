#include "keeper/course.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/closing.h"
#include "keeper/writeback.h"
#include "lib/clock.h"
#include "lib/log.h"

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
        closing_start(o);
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
    closing_forget(o, "nothing to close");
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
        closing_start(o);
    else
        closing_forget(o, "failed");
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
        closing_start(o);
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

void course_renew(struct opening *o)
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
        closing_forget(o, "closed by something else");
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
        closing_start(o);
    else
        closing_forget(o, "found closed");
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
        closing_start(o);
    else
        course_renew(o);
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
        closing_start(o);
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
        closing_start(o);
}

static void on_recorded(struct opening *o, bool durable)
{
    if (!durable) {
        log_error("door %s: refused %s: a door that can't be recorded isn't opened", o->name,
                  o->text);
        opening_tell(o, DOOR_REFUSED, "the state can't be recorded");
        closing_forget(o, "");
    } else if (o->delay > 0) {
        opening_enter(o, DELAYED);
        loop_timer_set(o->all->loop, &o->timer, clock_now() + o->delay);
    } else {
        start(o);
    }
}

void course_begin(struct opening *o)
{
    openings_add(o->all, o);
    o->state = RECORDING;
    writeback_add(o->all->ledger, o, on_recorded);
}

struct opening *course_new(struct openings *all, const struct knock *knock)
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

struct opening *course_resume(struct openings *all, struct stored_door *stored)
{
    struct opening *o = opening_restore(all, stored, on_due, on_check);
    if (!o)
        return NULL;
    openings_add(all, o);
    bool time_left = stored->this_boot && stored->deadline > clock_now();
    if (stored->state != STORED_OPEN || !time_left) {
        closing_start(o);
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

void course_knock_lasting(struct opening *o, const struct knock *knock)
{
    if (o->state != OPEN || o->check.count == 0) {
        extend_timeless(o, knock);
        return;
    }
    /* It opens if the check finds that it is closed by now. */
    o->heir = course_new(o->all, knock);
    loop_timer_cancel(o->all->loop, &o->check_timer);
    on_check(o);
}

void course_extend(struct opening *o, const struct knock *knock)
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
        closing_forget(o, "withdrawn");
    } else {
        o->failed = true;
        closing_start(o);
    }
}

void course_close(struct opening *o)
{
    o->renew = false;
    switch (o->state) {
    case RECORDING:
    case DELAYED:
        closing_forget(o, "withdrawn");
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
        closing_start(o);
        return;
    case STOPPING:
    case JUDGING:
        return;
    }
}
