/* The table of what is open, and what a knock means for it. */
#include "keeper/doors.h"

#include <stdlib.h>

#include "keeper/course.h"
#include "keeper/ledger.h"
#include "lib/log.h"

struct doors {
    struct openings all;
    struct store *store;
};

struct doors *doors_new(struct loop *loop, struct runner *runner, struct store *store)
{
    struct doors *doors = calloc(1, sizeof(*doors));
    if (!doors)
        return NULL;
    doors->all.loop = loop;
    doors->all.runner = runner;
    doors->store = store;
    doors->all.ledger = ledger_new(loop, store);
    if (doors->all.ledger && openings_init(&doors->all) == 0)
        return doors;
    doors_free(doors);
    return NULL;
}

void doors_free(struct doors *doors)
{
    if (!doors)
        return;
    ledger_free(doors->all.ledger);
    openings_free(&doors->all, opening_free);
    free(doors);
}

static void resume(void *arg, struct stored_door *stored)
{
    struct doors *doors = arg;
    if (!course_resume(&doors->all, stored))
        log_error("door %s: out of memory: what an earlier run opened isn't taken up",
                  stored->name);
}

int doors_resume(struct doors *doors)
{
    if (!doors->store)
        return 0;
    int bad = store_each(doors->store, resume, doors);
    if (bad != 0)
        log_error("%s", store_error(doors->store));
    if (doors->all.count > 0)
        log_notice("taking up %u door%s of an earlier run", doors->all.count,
                   doors->all.count == 1 ? "" : "s");
    return bad < 0 ? -1 : 0;
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
static void inherit(struct opening *o, const struct config_door *door, const struct plan *plan,
                    const char *by)
{
    bool again = o->heir != NULL;
    /* The last knock counts: the configuration may have changed between them. */
    if (again)
        opening_free(o->heir);
    o->heir = course_new(o->all, door, plan, &o->address, by);
    if (!again)
        log_notice("door %s: %s knocked while it is being closed%s", o->name, o->text,
                   o->heir ? "; it opens again after that" : ", refused: out of memory");
    course_close(o);
}

static void knock_again(struct opening *o, const struct config_door *door, const struct plan *plan,
                        const char *by)
{
    if (o->state == RECORDING || o->state == DELAYED || o->state == STARTING)
        log_debug("door %s: %s knocked again while it is being opened", o->name, o->text);
    else if (o->state >= STOPPING || o->close_next || !same_commands(o, door, plan))
        inherit(o, door, plan, by);
    else
        course_extend(o, door->cmd_timeout);
}

void doors_knock(struct doors *doors, const struct config_door *door, const struct plan *plan,
                 const struct addr *address, const char *by)
{
    char text[ADDR_TEXT_SIZE];
    addr_format(address, text);
    struct opening *o = openings_find(&doors->all, door->name, address);
    if (doors->all.closing) {
        log_notice("door %s: refused %s: knockd is stopping", door->name, text);
    } else if (o) {
        knock_again(o, door, plan, by);
    } else if (doors->all.count >= DOORS_MAX) {
        log_warning("door %s: refused %s: %d doors are open already", door->name, text, DOORS_MAX);
    } else {
        o = course_new(&doors->all, door, plan, address, by);
        if (o)
            course_begin(o);
        else
            log_error("door %s: refused %s: out of memory", door->name, text);
    }
}

unsigned doors_count(const struct doors *doors)
{
    return doors->all.count;
}

static void close_one(void *arg, struct opening *o)
{
    (void)arg;
    course_close(o);
}

void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg)
{
    doors->all.closing = true;
    openings_each(&doors->all, close_one, NULL);
    /* From here on, the last one that goes says so. */
    doors->all.emptied = done;
    doors->all.arg = arg;
    if (doors->all.count == 0)
        done(arg);
}

static void log_left(void *arg, struct opening *o)
{
    (void)arg;
    log_error("door %s: NOT CLOSED for %s: out of time; close it by hand, or the next start of "
              "knockd does",
              o->name, o->text);
}

void doors_log_left(const struct doors *doors)
{
    openings_each(&doors->all, log_left, NULL);
}
