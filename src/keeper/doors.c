/*
 * The life of an opening is drawn in keeper/opening.h. Two rules keep it simple: at most one job
 * of an opening is with the runner, so commands of one (door, address) never overlap; and once a
 * start command may have run, the only way out is a stop that succeeded.
 */
#include "keeper/doors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/opening.h"
#include "lib/clock.h"
#include "lib/log.h"

/* A stop that fails is tried again after 1 s, 2 s, 4 s ... and then every 5 minutes, for ever. */
static const int64_t retry_first = 1 * CLOCK_SECOND;
static const int64_t retry_longest = 300 * CLOCK_SECOND;

struct doors {
    struct loop *loop;
    struct runner *runner;
    struct openings table;
    bool closing; /* for good */
    void (*closed)(void *arg);
    void *arg;
};

struct doors *doors_new(struct loop *loop, struct runner *runner)
{
    struct doors *doors = calloc(1, sizeof(*doors));
    if (!doors || openings_init(&doors->table) < 0) {
        free(doors);
        return NULL;
    }
    doors->loop = loop;
    doors->runner = runner;
    return doors;
}

static void free_opening(struct opening *o)
{
    if (o->heir)
        free_opening(o->heir);
    loop_timer_unregister(o->doors->loop, &o->timer);
    commands_free(&o->start);
    commands_free(&o->stop);
    commands_free(&o->extend);
    free(o);
}

void doors_free(struct doors *doors)
{
    if (!doors)
        return;
    openings_free(&doors->table, free_opening);
    free(doors);
}

static long long seconds(int64_t ns)
{
    return (long long)((ns + CLOCK_SECOND - 1) / CLOCK_SECOND);
}

static void submit(struct opening *o, enum job_kind kind, const struct commands *commands,
                   const uint64_t *ok, void (*done)(void *arg, bool success))
{
    o->job = (struct job){
        .kind = kind, .commands = commands, .ok = ok, .label = o->label, .done = done, .arg = o};
    runner_submit(o->doors->runner, &o->job);
}

static void on_started(void *arg, bool success);

static void start(struct opening *o)
{
    openings_add(&o->doors->table, o);
    o->state = STARTING;
    submit(o, JOB_DO, &o->start, runner_ok_zero, on_started);
}

/* It is closed. What knocked meanwhile opens now. */
static void forget(struct opening *o)
{
    struct doors *doors = o->doors;
    struct opening *heir = o->heir;
    o->heir = NULL;
    openings_remove(&doors->table, o);
    free_opening(o);
    if (heir && !doors->closing)
        start(heir);
    else if (heir)
        free_opening(heir);
    if (doors->closing && doors->table.count == 0 && doors->closed)
        doors->closed(doors->arg);
}

static void on_stopped(void *arg, bool success)
{
    struct opening *o = arg;
    char text[ADDR_TEXT_SIZE];
    addr_format(&o->address, text);
    if (success) {
        log_notice("door %s: %s %s", o->name, o->failed ? "undone for" : "closed for", text);
        forget(o);
        return;
    }
    int64_t pause = retry_first << (o->attempts < 16 ? o->attempts : 16);
    if (pause > retry_longest)
        pause = retry_longest;
    o->attempts++;
    o->state = RETRYING;
    loop_timer_set(o->doors->loop, &o->timer, clock_now() + pause);
    log_error("door %s: NOT CLOSED for %s: its stop command failed, attempt %u; next in %lld s",
              o->name, text, o->attempts, seconds(pause));
}

static void stop(struct opening *o)
{
    char text[ADDR_TEXT_SIZE];
    loop_timer_cancel(o->doors->loop, &o->timer);
    if (o->stop.count == 0) {
        log_debug("door %s: forgotten for %s, it has nothing to undo", o->name,
                  addr_format(&o->address, text));
        forget(o);
        return;
    }
    o->state = STOPPING;
    submit(o, JOB_UNDO, &o->stop, o->stop_ok, on_stopped);
}

static void open_until_deadline(struct opening *o)
{
    o->state = OPEN;
    loop_timer_set(o->doors->loop, &o->timer, o->deadline);
}

static void on_started(void *arg, bool success)
{
    struct opening *o = arg;
    char text[ADDR_TEXT_SIZE];
    addr_format(&o->address, text);
    o->failed = !success;
    if (!success)
        log_error("door %s: failed for %s: its start command failed%s", o->name, text,
                  o->stop.count ? "; undoing it" : "");
    else if (o->stop.count == 0)
        log_notice("door %s: opened for %s, nothing closes it", o->name, text);
    else
        log_notice("door %s: opened for %s, closes in %lld s", o->name, text, seconds(o->length));
    if (!success || o->close_next || o->stop.count == 0) {
        stop(o);
        return;
    }
    o->deadline = clock_now() + o->length;
    open_until_deadline(o);
}

static void on_extended(void *arg, bool success)
{
    struct opening *o = arg;
    char text[ADDR_TEXT_SIZE];
    if (!success)
        log_warning("door %s: its extend command failed for %s; it still closes in time", o->name,
                    addr_format(&o->address, text));
    if (o->close_next)
        stop(o);
    else
        open_until_deadline(o);
}

static void on_due(void *arg)
{
    stop(arg);
}

static int expand_all(struct opening *o, const struct config_door *door, const struct plan *plan)
{
    if (commands_expand(&plan->start, door, &o->address, &o->start) < 0 ||
        commands_expand(&plan->stop, door, &o->address, &o->stop) < 0 ||
        commands_expand(&plan->extend, door, &o->address, &o->extend) < 0)
        return -1;
    return 0;
}

static struct opening *new_opening(struct doors *doors, const struct config_door *door,
                                   const struct plan *plan, const struct addr *address)
{
    char text[ADDR_TEXT_SIZE];
    struct opening *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    if (loop_timer_register(doors->loop, &o->timer, on_due, o) < 0) {
        free(o);
        return NULL;
    }
    o->doors = doors;
    o->address = *address;
    o->length = door->cmd_timeout;
    memcpy(o->stop_ok, door->stop_ok, sizeof(o->stop_ok));
    snprintf(o->name, sizeof(o->name), "%s", door->name);
    snprintf(o->label, sizeof(o->label), "door %s: %s", o->name, addr_format(address, text));
    if (expand_all(o, door, plan) == 0)
        return o;
    free_opening(o);
    return NULL;
}

/*
 * A knock on a door that is open. The new deadline counts at once, so that a slow extend command
 * can't let the door close under the knocker.
 */
static void extend(struct opening *o, const struct config_door *door)
{
    char text[ADDR_TEXT_SIZE];
    o->length = door->cmd_timeout;
    o->deadline = clock_now() + o->length;
    log_notice("door %s: extended for %s, closes in %lld s", o->name,
               addr_format(&o->address, text), seconds(o->length));
    if (o->state == EXTENDING)
        return;
    if (o->extend.count == 0) {
        open_until_deadline(o);
        return;
    }
    o->state = EXTENDING;
    loop_timer_cancel(o->doors->loop, &o->timer);
    submit(o, JOB_DO, &o->extend, runner_ok_zero, on_extended);
}

/* Whether the door of a reloaded configuration still does what this opening did. */
static bool same_commands(const struct opening *o, const struct config_door *door,
                          const struct plan *plan)
{
    struct commands now;
    if (commands_expand(&plan->start, door, &o->address, &now) < 0)
        return true;
    bool same = commands_equal(&now, &o->start);
    commands_free(&now);
    return same;
}

/* The door must be closed before it can open again; the knock waits for that. */
static void inherit(struct opening *o, const struct config_door *door, const struct plan *plan)
{
    char text[ADDR_TEXT_SIZE];
    bool again = o->heir != NULL;
    /* The last knock counts: the configuration may have changed between them. */
    if (again)
        free_opening(o->heir);
    o->heir = new_opening(o->doors, door, plan, &o->address);
    if (!again)
        log_notice("door %s: %s knocked while it is being closed%s", o->name,
                   addr_format(&o->address, text),
                   o->heir ? "; it opens again after that" : ", refused: out of memory");
    if (o->state == EXTENDING)
        o->close_next = true;
    else if (o->state != STOPPING)
        stop(o);
}

static void knock_again(struct opening *o, const struct config_door *door, const struct plan *plan)
{
    char text[ADDR_TEXT_SIZE];
    bool open = o->state == OPEN || o->state == EXTENDING;
    if (o->state == STARTING)
        log_debug("door %s: %s knocked again while it is being opened", o->name,
                  addr_format(&o->address, text));
    else if (open && same_commands(o, door, plan))
        extend(o, door);
    else
        inherit(o, door, plan);
}

void doors_knock(struct doors *doors, const struct config_door *door, const struct plan *plan,
                 const struct addr *address)
{
    char text[ADDR_TEXT_SIZE];
    addr_format(address, text);
    struct opening *o = openings_find(&doors->table, door->name, address);
    if (doors->closing) {
        log_notice("door %s: refused %s: knockd is stopping", door->name, text);
    } else if (o) {
        knock_again(o, door, plan);
    } else if (doors->table.count >= DOORS_MAX) {
        log_warning("door %s: refused %s: %d doors are open already", door->name, text, DOORS_MAX);
    } else {
        o = new_opening(doors, door, plan, address);
        if (o)
            start(o);
        else
            log_error("door %s: refused %s: out of memory", door->name, text);
    }
}

unsigned doors_count(const struct doors *doors)
{
    return doors->table.count;
}

static void close_one(struct opening *o)
{
    switch (o->state) {
    case STARTING:
        if (runner_withdraw(o->doors->runner, &o->job))
            forget(o);
        else
            o->close_next = true;
        return;
    case EXTENDING:
        o->close_next = true;
        return;
    case OPEN:
    case RETRYING:
        stop(o);
        return;
    case STOPPING:
        return;
    }
}

void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg)
{
    doors->closing = true;
    openings_each(&doors->table, close_one);
    /* From here on, the last one that goes says so. */
    doors->closed = done;
    doors->arg = arg;
    if (doors->table.count == 0)
        done(arg);
}

static void log_left(struct opening *o)
{
    char text[ADDR_TEXT_SIZE];
    log_error("door %s: NOT CLOSED for %s: out of time; close it by hand", o->name,
              addr_format(&o->address, text));
}

void doors_log_left(const struct doors *doors)
{
    struct openings table = doors->table;
    openings_each(&table, log_left);
}
