/*
 * The life of an entry: new -> flushed with all else that is new, changed or gone -> its done() ->
 * changed, any number of times -> gone. A flush that fails refuses what is new, keeps the rest
 * on its lists, and is tried again later and later, until there is room on the disk. A store that
 * had to be made again without what was in it gets all that is open, whatever changed.
 */
#include "keeper/writeback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"

static const int64_t pause_first = 1 * CLOCK_SECOND;
static const int64_t pause_longest = 60 * CLOCK_SECOND;

/* How often the store's files are looked at, while something is open. */
static const int64_t look_interval = 2 * CLOCK_SECOND;

struct removal {
    struct removal *next;
    int64_t id;
    int64_t wall;
    const char *end;
};

struct writeback {
    struct openings *all;
    struct loop *loop;
    struct store *store;
    struct timer flush;
    struct timer look;
    unsigned remade;      /* of the store that has all that is open */
    struct opening *list; /* new or changed, linked by kept.next */
    struct removal *removals;
    int64_t pause;
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
    case JUDGING:
    case RETRYING:
        break;
    }
    return STORED_CLOSING;
}

static void flush_at(struct writeback *ledger, int64_t due)
{
    if (!timer_is_set(&ledger->flush) || due < ledger->flush.due)
        loop_timer_set(ledger->loop, &ledger->flush, due);
}

static void put_on_list(struct writeback *ledger, struct opening *o)
{
    if (!o->kept.listed) {
        o->kept.listed = true;
        o->kept.next = ledger->list;
        ledger->list = o;
    }
    /* While the disk is full, the pause decides; what is new is refused quickly all the same. */
    if (!ledger->failing || o->kept.done)
        flush_at(ledger, clock_now());
}

void writeback_add(struct writeback *ledger, struct opening *o,
                   void (*done)(struct opening *opening, bool durable))
{
    o->kept.done = done;
    put_on_list(ledger, o);
}

void writeback_change(struct writeback *ledger, struct opening *o)
{
    if (ledger->store && o->kept.id)
        put_on_list(ledger, o);
}

static void take_off_list(struct writeback *ledger, struct opening *o)
{
    struct opening **link = &ledger->list;
    while (*link && *link != o)
        link = &(*link)->kept.next;
    if (*link)
        *link = o->kept.next;
    o->kept.listed = false;
}

void writeback_remove(struct writeback *ledger, struct opening *o, const char *end)
{
    if (o->kept.listed)
        take_off_list(ledger, o);
    o->kept.done = NULL;
    if (!ledger->store || !o->kept.id)
        return;
    struct removal *removal = calloc(1, sizeof(*removal));
    if (!removal) {
        /* The next start will find it and undo what is undone already: tiresome, not harmful. */
        log_error("%s: out of memory: its end isn't recorded", o->label);
        return;
    }
    *removal = (struct removal){ledger->removals, o->kept.id, time(NULL), end};
    ledger->removals = removal;
    /* Who closed it by hand waits to hear whether it is recorded. */
    if (!ledger->failing || o->by_hand)
        flush_at(ledger, clock_now());
}

static int write_new(struct writeback *ledger, struct opening *o)
{
    struct stored_door door = {.state = stored_state(o),
                               .address = o->address,
                               .port = o->port,
                               .opened_wall = time(NULL),
                               .deadline = o->deadline,
                               .length = o->length,
                               .start = o->start,
                               .stop = o->stop,
                               .extend = o->extend,
                               .check = o->check};
    memcpy(door.stop_ok, o->stop_ok, sizeof(door.stop_ok));
    snprintf(door.name, sizeof(door.name), "%s", o->name);
    snprintf(door.by, sizeof(door.by), "%s", o->by);
    if (store_add(ledger->store, &door) < 0)
        return -1;
    o->kept.id = door.id;
    return 0;
}

static int write_list(struct writeback *ledger)
{
    for (struct opening *o = ledger->list; o; o = o->kept.next) {
        int rc = o->kept.done
                     ? write_new(ledger, o)
                     : store_update(ledger->store, o->kept.id, stored_state(o), o->deadline);
        if (rc < 0)
            return -1;
    }
    for (const struct removal *r = ledger->removals; r; r = r->next)
        if (store_remove(ledger->store, r->id, r->wall, r->end) < 0)
            return -1;
    return 0;
}

struct rewriting {
    struct writeback *ledger;
    int rc;
};

static void write_again(void *arg, struct opening *o)
{
    struct rewriting *rewriting = arg;
    /* What is neither kept nor new will never be, as on a disk that was full. */
    if (rewriting->rc == 0 && (o->kept.id || o->kept.done))
        rewriting->rc = write_new(rewriting->ledger, o);
}

/* What is gone isn't in the new store. */
static int write_everything(struct writeback *ledger)
{
    struct rewriting rewriting = {ledger, 0};
    openings_each(ledger->all, write_again, &rewriting);
    return rewriting.rc;
}

static int write_all(struct writeback *ledger)
{
    if (store_look(ledger->store) < 0)
        return -1;
    unsigned remade = store_remade(ledger->store);
    int rc = remade == ledger->remade ? write_list(ledger) : write_everything(ledger);
    if (rc < 0 || store_commit(ledger->store) < 0)
        return -1;
    ledger->remade = remade;
    return 0;
}

static void clear_removals(struct writeback *ledger)
{
    while (ledger->removals) {
        struct removal *r = ledger->removals;
        ledger->removals = r->next;
        free(r);
    }
}

static void look_soon(struct writeback *ledger)
{
    if (ledger->store && !timer_is_set(&ledger->look))
        loop_timer_set(ledger->loop, &ledger->look, clock_now() + look_interval);
}

static void succeed(struct writeback *ledger)
{
    if (ledger->failing)
        log_notice("the state is being recorded again");
    ledger->failing = false;
    ledger->pause = pause_first;
    clear_removals(ledger);
}

static void fail(struct writeback *ledger)
{
    if (!ledger->failing)
        log_error("the state can't be recorded, so nothing new is opened: %s",
                  store_error(ledger->store));
    ledger->failing = true;
    flush_at(ledger, clock_now() + ledger->pause);
    ledger->pause = 2 * ledger->pause < pause_longest ? 2 * ledger->pause : pause_longest;
}

static void on_flush(void *arg)
{
    struct writeback *ledger = arg;
    bool durable = !ledger->store || write_all(ledger) == 0;
    struct opening *list = ledger->list;
    ledger->list = NULL;
    look_soon(ledger);
    if (durable)
        succeed(ledger);
    else
        fail(ledger);
    /* done() may add, change and remove: it must find the lists as they are to be. */
    struct opening *finished = NULL;
    for (struct opening *o = list, *next; o; o = next) {
        next = o->kept.next;
        o->kept.listed = false;
        if (o->kept.done) {
            o->kept.id = durable && ledger->store ? o->kept.id : 0;
            o->kept.next = finished;
            finished = o;
        } else if (!durable) {
            put_on_list(ledger, o);
        }
    }
    for (struct opening *o = finished, *next; o; o = next) {
        next = o->kept.next;
        void (*done)(struct opening * opening, bool durable) = o->kept.done;
        o->kept.done = NULL;
        done(o, durable);
    }
}

/* Removed by accident, the store is to be whole again before the next crash, not at the next knock.
 */
static void on_look(void *arg)
{
    struct writeback *ledger = arg;
    if (ledger->all->count == 0)
        return;
    loop_timer_set(ledger->loop, &ledger->look, clock_now() + look_interval);
    if (ledger->failing)
        return;
    if (store_look(ledger->store) < 0 || store_remade(ledger->store) != ledger->remade)
        on_flush(ledger);
}

struct writeback *writeback_new(struct openings *all, struct store *store)
{
    struct writeback *ledger = calloc(1, sizeof(*ledger));
    if (!ledger || loop_timer_register(all->loop, &ledger->flush, on_flush, ledger) < 0) {
        free(ledger);
        return NULL;
    }
    if (loop_timer_register(all->loop, &ledger->look, on_look, ledger) < 0) {
        loop_timer_unregister(all->loop, &ledger->flush);
        free(ledger);
        return NULL;
    }
    ledger->all = all;
    ledger->loop = all->loop;
    ledger->store = store;
    ledger->remade = store ? store_remade(store) : 0;
    ledger->pause = pause_first;
    return ledger;
}

bool writeback_failing(const struct writeback *ledger)
{
    return ledger->failing;
}

void writeback_free(struct writeback *ledger)
{
    if (!ledger)
        return;
    /* What is new by now will never start. */
    for (struct opening **link = &ledger->list; *link;)
        if ((*link)->kept.done)
            *link = (*link)->kept.next;
        else
            link = &(*link)->kept.next;
    if (ledger->store && (ledger->removals || ledger->list) && write_all(ledger) < 0)
        log_error("the state can't be recorded at the end: %s", store_error(ledger->store));
    clear_removals(ledger);
    loop_timer_unregister(ledger->loop, &ledger->flush);
    loop_timer_unregister(ledger->loop, &ledger->look);
    free(ledger);
}
