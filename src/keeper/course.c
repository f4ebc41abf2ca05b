#include "keeper/course.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/ledger.h"
#include "lib/clock.h"
#include "lib/log.h"

/* A stop that fails is tried again after 1 s, 2 s, 4 s ... and then every 5 minutes, for ever. */
static const int64_t retry_first = 1 * CLOCK_SECOND;
static const int64_t retry_longest = 300 * CLOCK_SECOND;

static void stop(struct opening *o);
static void on_started(void *arg, bool success);

static long long seconds(int64_t ns)
{
    return (long long)((ns + CLOCK_SECOND - 1) / CLOCK_SECOND);
}

static void enter(struct opening *o, enum opening_state state)
{
    o->state = state;
    /* In the store, what is of an earlier boot stays that, or it would be tried for ever. */
    if (!o->last_try)
        ledger_change(o->all->ledger, o);
}

static void submit(struct opening *o, enum job_kind kind, const struct commands *commands,
                   const uint64_t *ok, void (*done)(void *arg, bool success))
{
    o->job = (struct job){.kind = kind,
                          .commands = commands,
                          .ok = ok,
                          .label = o->label,
                          .quiet = commands == &o->check,
                          .group = o->name,
                          .succeeded = commands == &o->stop ? &o->stopped : NULL,
                          .done = done,
                          .arg = o};
    runner_submit(o->all->runner, &o->job);
}

/* It is over. What knocked meanwhile opens now. */
static void forget(struct opening *o, const char *end)
{
    struct openings *all = o->all;
    struct opening *heir = o->heir;
    o->heir = NULL;
    if (*end)
        opening_tell(o, DOOR_GONE, end);
    ledger_remove(all->ledger, o, end);
    openings_remove(all, o);
    opening_free(o);
    /* A knock that waited longer than its door would have been open has been given up. */
    bool fresh = heir && clock_now() - heir->knocked < heir->length;
    if (fresh && !all->closing)
        course_begin(heir);
    else if (heir)
        opening_free(heir);
    if (all->closing && all->count == 0 && all->emptied)
        all->emptied(all->arg);
}

static void renew(struct opening *o);

static void be_closed(struct opening *o)
{
    if (o->renew && o->deadline > clock_now()) {
        renew(o);
        return;
    }
    log_notice("door %s: %s for %s", o->name, o->failed ? "undone" : "closed", o->text);
    forget(o, o->failed ? "failed, undone" : o->by_hand ? "closed by knockctl" : "closed");
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
        forget(o, "lost with an earlier boot");
        return;
    }
    enter(o, RETRYING);
    opening_tell(o, DOOR_NOT_CLOSED, "its stop command failed");
    loop_timer_set(o->all->loop, &o->timer, clock_now() + pause);
    log_error("door %s: NOT CLOSED for %s: its stop command failed, attempt %u; next in %lld s",
              o->name, o->text, o->attempts, seconds(pause));
}

static void on_judged(void *arg, bool success)
{
    struct opening *o = arg;
    (void)success;
    if (opening_found(o) == FOUND_GONE)
        be_closed(o);
    else
        retry(o);
}

static void on_stopped(void *arg, bool success)
{
    struct opening *o = arg;
    if (success) {
        be_closed(o);
    } else if (o->check.count > 0) {
        enter(o, JUDGING);
        submit(o, JOB_UNDO, &o->check, runner_ok_zero, on_judged);
    } else {
        retry(o);
    }
}

static void stop(struct opening *o)
{
    loop_timer_cancel(o->all->loop, &o->timer);
    loop_timer_cancel(o->all->loop, &o->check_timer);
    if (o->stop.count == 0) {
        log_debug("door %s: forgotten for %s, it has nothing to undo", o->name, o->text);
        forget(o, o->failed ? "failed" : "nothing to undo");
        return;
    }
    /* A retry needn't repeat what succeeded, and what would fail the second time. */
    if (o->state != RETRYING)
        o->stopped = 0;
    enter(o, STOPPING);
    /* Where a check can judge, no exit status but 0 is believed. */
    submit(o, JOB_UNDO, &o->stop, o->check.count ? runner_ok_zero : o->stop_ok, on_stopped);
}

static void on_extended(void *arg, bool success);

static void extend_now(struct opening *o)
{
    o->extend_next = false;
    enter(o, EXTENDING);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    submit(o, JOB_DO, &o->extend, runner_ok_zero, on_extended);
}

/* No command runs: what has come up meanwhile is done, else it waits for its time. */
static void rest(struct opening *o)
{
    if (o->close_next) {
        stop(o);
        return;
    }
    /* What is due by now needs no more extending. */
    if (o->extend_next && o->deadline > clock_now()) {
        extend_now(o);
        return;
    }
    enter(o, OPEN);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    if (o->check.count > 0 && o->interval > 0)
        loop_timer_set(o->all->loop, &o->check_timer, clock_now() + o->interval);
}

static void on_started(void *arg, bool success)
{
    struct opening *o = arg;
    o->failed = !success;
    opening_tell(o, success ? DOOR_OPENED : DOOR_FAILED,
                 success ? NULL : "its start command failed");
    if (!success)
        log_error("door %s: failed for %s: its start command failed%s", o->name, o->text,
                  o->stop.count && o->job.started ? "; undoing it" : "");
    else if (o->stop.count == 0)
        log_notice("door %s: opened for %s, nothing closes it", o->name, o->text);
    else
        log_notice("door %s: opened for %s, closes in %lld s", o->name, o->text,
                   seconds(o->length));
    if (!success && o->job.started == 0) {
        forget(o, "failed");
        return;
    }
    if (!success || o->stop.count == 0) {
        stop(o);
        return;
    }
    o->deadline = clock_now() + o->length;
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

static void renew(struct opening *o)
{
    o->renew = false;
    enter(o, RENEWING);
    submit(o, JOB_DO, &o->start, runner_ok_zero, on_renewed);
}

static void on_checked(void *arg, bool success)
{
    struct opening *o = arg;
    enum opening_found found = opening_found(o);
    (void)success;
    /* What is due by now isn't opened again. */
    if (found == FOUND_OPEN || found == FOUND_NOTHING || o->close_next ||
        o->deadline <= clock_now()) {
        rest(o);
        return;
    }
    log_warning("door %s: something else closed it for %s (was the firewall flushed?); opening it "
                "again",
                o->name, o->text);
    /* What is left of it would be there twice. */
    o->renew = found == FOUND_PART;
    if (o->renew)
        stop(o);
    else
        renew(o);
}

static void on_check(void *arg)
{
    struct opening *o = arg;
    enter(o, CHECKING);
    submit(o, JOB_DO, &o->check, runner_ok_zero, on_checked);
}

static void start(struct opening *o)
{
    enter(o, STARTING);
    submit(o, JOB_DO, &o->start, runner_ok_zero, on_started);
}

/* A job that waits behind others for its turn can't keep the door open; one that runs ends first.
 */
static void stop_soon(struct opening *o)
{
    if (runner_withdraw(o->all->runner, &o->job))
        stop(o);
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
        stop(o);
}

static void on_recorded(struct opening *o, bool durable)
{
    if (!durable) {
        log_error("door %s: refused %s: a door that can't be recorded isn't opened", o->name,
                  o->text);
        opening_tell(o, DOOR_REFUSED, "the state can't be recorded");
        forget(o, "");
    } else if (o->delay > 0) {
        enter(o, DELAYED);
        loop_timer_set(o->all->loop, &o->timer, clock_now() + o->delay);
    } else {
        start(o);
    }
}

void course_begin(struct opening *o)
{
    openings_add(o->all, o);
    o->state = RECORDING;
    ledger_add(o->all->ledger, o, on_recorded);
}

struct opening *course_new(struct openings *all, const struct config_door *door,
                           const struct plan *plan, const struct addr *address, const char *by)
{
    struct opening *o = opening_new(all, door->name, address, by, on_due, on_check);
    if (!o)
        return NULL;
    o->knocked = clock_now();
    o->length = door->cmd_timeout;
    o->delay = door->start_delay;
    o->interval = door->check_interval;
    memcpy(o->stop_ok, door->stop_ok, sizeof(o->stop_ok));
    if (commands_expand(&plan->start, door, address, &o->start) == 0 &&
        commands_expand(&plan->stop, door, address, &o->stop) == 0 &&
        commands_expand(&plan->extend, door, address, &o->extend) == 0 &&
        commands_expand(&plan->check, door, address, &o->check) == 0)
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
    if (stored->state == STORED_OPEN && time_left)
        rest(o);
    else
        stop(o);
    return o;
}

void course_extend(struct opening *o, int64_t length)
{
    o->length = length;
    o->deadline = clock_now() + length;
    if (limit_take(&o->all->talk, clock_now()))
        log_notice("door %s: extended for %s, closes in %lld s", o->name, o->text, seconds(length));
    o->extend_next = o->extend.count > 0;
    opening_tell(o, DOOR_EXTENDED, NULL);
    ledger_change(o->all->ledger, o);
    loop_timer_set(o->all->loop, &o->timer, o->deadline);
    if (o->state == OPEN)
        rest(o);
}

void course_close(struct opening *o)
{
    o->renew = false;
    switch (o->state) {
    case RECORDING:
    case DELAYED:
        forget(o, "withdrawn");
        return;
    case STARTING:
        if (runner_withdraw(o->all->runner, &o->job))
            forget(o, "withdrawn");
        else
            o->close_next = true;
        return;
    case EXTENDING:
    case CHECKING:
    case RENEWING:
        stop_soon(o);
        return;
    case OPEN:
    case RETRYING:
        stop(o);
        return;
    case STOPPING:
    case JUDGING:
        return;
    }
}
