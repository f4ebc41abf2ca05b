#include "keeper/closing.h"

#include "keeper/course.h"
#include "keeper/writeback.h"
#include "lib/clock.h"
#include "lib/log.h"

/* A stop that fails is tried again after 1 s, 2 s, 4 s ... and then every 5 minutes, for ever. */
static const int64_t retry_first = 1 * CLOCK_SECOND;
static const int64_t retry_longest = 300 * CLOCK_SECOND;

/* It is over. What knocked meanwhile opens now. */
void closing_forget(struct opening *o, const char *end)
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
        course_begin(heir);
    else if (heir)
        opening_free(heir);
    if (all->closing && all->count == all->staying && all->emptied)
        all->emptied(all->arg);
}

static void be_closed(struct opening *o)
{
    if (o->renew && o->deadline > clock_now()) {
        course_renew(o);
        return;
    }
    log_notice("door %s: %s for %s%s", o->name, o->failed ? "undone" : "closed", o->text, o->note);
    closing_forget(o, o->failed     ? "failed, undone"
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
        closing_forget(o, "lost with an earlier boot");
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
    closing_forget(o, CLOSING_GIVEN_UP);
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

void closing_give_up(struct opening *o)
{
    if (o->job.running && !runner_withdraw(o->all->runner, &o->job)) {
        o->given_up = true;
        runner_kill(o->all->runner, &o->job);
    } else {
        closing_forget(o, CLOSING_GIVEN_UP);
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
    closing_forget(o, o->failed ? "failed" : CLOSING_NO_UNDO);
}

void closing_start(struct opening *o)
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
