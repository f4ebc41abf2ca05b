/*
 * The life of an entry: new -> written with all else that is new, changed or gone -> its done() ->
 * changed, any number of times -> gone. A flush that fails refuses what is new, keeps the rest
 * on its lists, and is tried again later and later, until there is room on the disk. A store that
 * had to be made again without what was in it gets all that is open, whatever changed.
 */
#include "keeper/writeback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keeper/stored_door.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/log.h"

/* Before a transaction that failed is tried again. */
static const struct backoff retries = {.first = 1 * CLOCK_SECOND, .longest = 60 * CLOCK_SECOND};

/* How often the store's files are looked at, while something is open. */
static const int64_t look_interval = 2 * CLOCK_SECOND;

struct removal {
    STAILQ_ENTRY(removal) link;
    int64_t id;
    int64_t wall;
    const char *end;
};

TAILQ_HEAD(opening_list, opening);

struct writeback {
    const struct openings *all;
    struct loop *loop;
    struct store *store;
    struct timer flush;
    struct timer look;
    unsigned remade;          /* of the store that has all that is open */
    struct opening_list list; /* new or changed */
    STAILQ_HEAD(removals, removal) removals;
    struct backoff retry;
    bool failing;
};

static enum stored_state stored_state(const struct opening *o)
{
    switch (o->state) {
    case RECORDING:
    case DELAYED:
    case STARTING:
        return STORED_OPENING;
    case OPEN:
    case EXTENDING:
    case CHECKING:
    case RENEWING:
        return STORED_OPEN;
    case STOPPING:
    case VERIFYING:
    case RETRYING:
        break;
    }
    return STORED_CLOSING;
}

static void flush_at(struct writeback *writeback, int64_t due)
{
    if (!timer_is_set(&writeback->flush) || due < writeback->flush.due)
        loop_timer_set(writeback->loop, &writeback->flush, due);
}

static void put_on_list(struct writeback *writeback, struct opening *o)
{
    if (!o->kept.listed) {
        o->kept.listed = true;
        TAILQ_INSERT_TAIL(&writeback->list, o, kept.link);
    }
    /* While the disk is full, the pause decides; what is new is refused quickly all the same. */
    if (!writeback->failing || o->kept.done)
        flush_at(writeback, clock_now());
}

void writeback_add(struct writeback *writeback, struct opening *o,
                   void (*done)(struct opening *opening, bool durable))
{
    o->kept.done = done;
    put_on_list(writeback, o);
}

/* Whether the store says something else of it, or will. */
static bool is_changed(const struct opening *o)
{
    return o->kept.listed || o->kept.state != stored_state(o) || o->kept.deadline != o->deadline;
}

void writeback_change(struct writeback *writeback, struct opening *o)
{
    if (writeback->store && o->kept.id && is_changed(o))
        put_on_list(writeback, o);
}

static void take_off_list(struct writeback *writeback, struct opening *o)
{
    if (o->kept.listed)
        TAILQ_REMOVE(&writeback->list, o, kept.link);
    o->kept.listed = false;
}

void writeback_remove(struct writeback *writeback, struct opening *o, const char *end)
{
    take_off_list(writeback, o);
    o->kept.done = NULL;
    if (!writeback->store || !o->kept.id)
        return;
    struct removal *removal = calloc(1, sizeof(*removal));
    if (!removal) {
        /* The next start will find it and undo what is undone already: tiresome, not harmful. */
        log_error("door %s: %s: out of memory: its end isn't recorded", o->name, o->text);
        return;
    }
    *removal = (struct removal){.id = o->kept.id, .wall = time(NULL), .end = end};
    STAILQ_INSERT_TAIL(&writeback->removals, removal, link);
    /* Who closed it by hand waits to hear whether it is recorded. */
    if (!writeback->failing || o->closed_by == DOOR_END_BY_ADMIN)
        flush_at(writeback, clock_now());
}

/* What isn't committed after this stays on the list. */
static void note_written(struct opening *o)
{
    o->kept.state = stored_state(o);
    o->kept.deadline = o->deadline;
}

static int write_new(struct writeback *writeback, struct opening *o)
{
    struct stored_door door = {.state = stored_state(o),
                               .address = o->address,
                               .port = o->port,
                               .opened_wall = time(NULL),
                               .deadline = o->deadline,
                               .length = o->length};
    memcpy(door.stop_ok, o->set->stop_ok, sizeof(door.stop_ok));
    snprintf(door.name, sizeof(door.name), "%s", o->name);
    snprintf(door.by, sizeof(door.by), "%s", o->by);
    int rc = opening_expand(o, START_COMMANDS, &door.start);
    rc = rc < 0 ? rc : opening_expand(o, STOP_COMMANDS, &door.stop);
    rc = rc < 0 ? rc : opening_expand(o, EXTEND_COMMANDS, &door.extend);
    rc = rc < 0 ? rc : opening_expand(o, CHECK_COMMANDS, &door.check);
    rc = rc < 0 ? rc : store_add(writeback->store, &door);
    stored_door_free(&door);
    if (rc < 0)
        return -1;
    o->kept.id = door.id;
    note_written(o);
    return 0;
}

static int write_change(struct writeback *writeback, struct opening *o)
{
    if (store_update(writeback->store, o->kept.id, stored_state(o), o->deadline) < 0)
        return -1;
    note_written(o);
    return 0;
}

static int write_list(struct writeback *writeback)
{
    struct opening *o;
    const struct removal *r;
    TAILQ_FOREACH(o, &writeback->list, kept.link)
        if ((o->kept.done ? write_new(writeback, o) : write_change(writeback, o)) < 0)
            return -1;
    STAILQ_FOREACH(r, &writeback->removals, link)
        if (store_remove(writeback->store, r->id, r->wall, r->end) < 0)
            return -1;
    return 0;
}

/* What is gone isn't in the new store. What is neither kept nor new will never be, as on a disk
 * that was full. */
static int write_everything(struct writeback *writeback)
{
    struct opening *o;
    TAILQ_FOREACH(o, &writeback->all->ages, age)
        if ((o->kept.id || o->kept.done) && write_new(writeback, o) < 0)
            return -1;
    return 0;
}

static int write_all(struct writeback *writeback)
{
    if (store_check_files(writeback->store) < 0)
        return -1;
    unsigned remade = store_remade(writeback->store);
    int rc = remade == writeback->remade ? write_list(writeback) : write_everything(writeback);
    if (rc < 0 || store_commit(writeback->store) < 0)
        return -1;
    writeback->remade = remade;
    return 0;
}

static void clear_removals(struct writeback *writeback)
{
    struct removal *r;
    while ((r = STAILQ_FIRST(&writeback->removals))) {
        STAILQ_REMOVE_HEAD(&writeback->removals, link);
        free(r);
    }
}

static void look_soon(struct writeback *writeback)
{
    if (writeback->store && !timer_is_set(&writeback->look))
        loop_timer_set(writeback->loop, &writeback->look, clock_now() + look_interval);
}

static void succeed(struct writeback *writeback)
{
    if (writeback->failing)
        log_notice("the state is being recorded again");
    writeback->failing = false;
    backoff_reset(&writeback->retry);
    clear_removals(writeback);
}

static void fail(struct writeback *writeback)
{
    if (!writeback->failing)
        log_error("the state can't be recorded, so nothing new is opened: %s",
                  store_error(writeback->store));
    writeback->failing = true;
    flush_at(writeback, clock_now() + backoff_next(&writeback->retry));
}

/* Takes all off the list, and puts back what is to be written again; what waits for its done()
 * comes to `finished`. */
static void settle_list(struct writeback *writeback, bool durable, struct opening_list *finished)
{
    struct opening_list list = TAILQ_HEAD_INITIALIZER(list);
    struct opening *o;
    TAILQ_CONCAT(&list, &writeback->list, kept.link);
    while ((o = TAILQ_FIRST(&list))) {
        TAILQ_REMOVE(&list, o, kept.link);
        o->kept.listed = false;
        if (o->kept.done) {
            o->kept.id = durable && writeback->store ? o->kept.id : 0;
            TAILQ_INSERT_TAIL(finished, o, kept.link);
        } else if (!durable) {
            put_on_list(writeback, o);
        }
    }
}

int writeback_flush(struct writeback *writeback)
{
    struct opening_list finished = TAILQ_HEAD_INITIALIZER(finished);
    struct opening *o;
    loop_timer_cancel(writeback->loop, &writeback->flush);
    bool durable = !writeback->store || write_all(writeback) == 0;
    look_soon(writeback);
    if (durable)
        succeed(writeback);
    else
        fail(writeback);
    settle_list(writeback, durable, &finished);
    /* done() may add, change and remove: it must find the list as it is to be. */
    while ((o = TAILQ_FIRST(&finished))) {
        TAILQ_REMOVE(&finished, o, kept.link);
        void (*done)(struct opening * opening, bool durable) = o->kept.done;
        o->kept.done = NULL;
        done(o, durable);
    }
    return durable ? 0 : -1;
}

static void on_flush(void *arg)
{
    writeback_flush(arg);
}

/* Removed by accident, the store is to be whole again before the next crash, not at the next knock.
 */
static void on_look(void *arg)
{
    struct writeback *writeback = arg;
    if (writeback->all->count == 0)
        return;
    loop_timer_set(writeback->loop, &writeback->look, clock_now() + look_interval);
    if (writeback->failing)
        return;
    if (store_check_files(writeback->store) < 0 ||
        store_remade(writeback->store) != writeback->remade)
        writeback_flush(writeback);
}

struct writeback *writeback_new(struct loop *loop, const struct openings *all, struct store *store)
{
    struct writeback *writeback = calloc(1, sizeof(*writeback));
    if (!writeback || loop_timer_register(loop, &writeback->flush, on_flush, writeback) < 0) {
        free(writeback);
        return NULL;
    }
    if (loop_timer_register(loop, &writeback->look, on_look, writeback) < 0) {
        loop_timer_unregister(loop, &writeback->flush);
        free(writeback);
        return NULL;
    }
    writeback->all = all;
    writeback->loop = loop;
    TAILQ_INIT(&writeback->list);
    STAILQ_INIT(&writeback->removals);
    writeback->store = store;
    writeback->remade = store ? store_remade(store) : 0;
    writeback->retry = retries;
    return writeback;
}

bool writeback_failing(const struct writeback *writeback)
{
    return writeback->failing;
}

void writeback_free(struct writeback *writeback)
{
    if (!writeback)
        return;
    /* What is new by now will never start. */
    for (struct opening *o = TAILQ_FIRST(&writeback->list), *next; o; o = next) {
        next = TAILQ_NEXT(o, kept.link);
        if (o->kept.done)
            take_off_list(writeback, o);
    }
    bool any = !STAILQ_EMPTY(&writeback->removals) || !TAILQ_EMPTY(&writeback->list);
    if (writeback->store && any && write_all(writeback) < 0)
        log_error("the state can't be recorded at the end: %s", store_error(writeback->store));
    clear_removals(writeback);
    loop_timer_unregister(writeback->loop, &writeback->flush);
    loop_timer_unregister(writeback->loop, &writeback->look);
    free(writeback);
}
