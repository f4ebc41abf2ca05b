/*
 * The life of an entry: new -> flushed with all else that is new, changed or gone -> its done() ->
 * changed, any number of times -> gone. A flush that fails refuses what is new, keeps the rest
 * on its lists, and is tried again later and later, until there is room on the disk.
 */
#include "keeper/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"

static const int64_t pause_first = 1 * CLOCK_SECOND;
static const int64_t pause_longest = 60 * CLOCK_SECOND;

struct removal {
    struct removal *next;
    int64_t id;
    int64_t wall;
    const char *end;
};

struct ledger {
    struct loop *loop;
    struct store *store;
    struct timer flush;
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

static void flush_at(struct ledger *ledger, int64_t due)
{
    if (!timer_is_set(&ledger->flush) || due < ledger->flush.due)
        loop_timer_set(ledger->loop, &ledger->flush, due);
}

static void put_on_list(struct ledger *ledger, struct opening *o)
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

void ledger_add(struct ledger *ledger, struct opening *o,
                void (*done)(struct opening *opening, bool durable))
{
    o->kept.done = done;
    put_on_list(ledger, o);
}

void ledger_change(struct ledger *ledger, struct opening *o)
{
    if (ledger->store && o->kept.id)
        put_on_list(ledger, o);
}

static void take_off_list(struct ledger *ledger, struct opening *o)
{
    struct opening **link = &ledger->list;
    while (*link && *link != o)
        link = &(*link)->kept.next;
    if (*link)
        *link = o->kept.next;
    o->kept.listed = false;
}

void ledger_remove(struct ledger *ledger, struct opening *o, const char *end)
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
    if (!ledger->failing)
        flush_at(ledger, clock_now());
}

static int write_new(struct ledger *ledger, struct opening *o)
{
    struct stored_door door = {.state = STORED_OPENING,
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

static int write_all(struct ledger *ledger)
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
    return store_commit(ledger->store);
}

static void clear_removals(struct ledger *ledger)
{
    while (ledger->removals) {
        struct removal *r = ledger->removals;
        ledger->removals = r->next;
        free(r);
    }
}

static void succeed(struct ledger *ledger)
{
    if (ledger->failing)
        log_notice("the state is being recorded again");
    ledger->failing = false;
    ledger->pause = pause_first;
    clear_removals(ledger);
}

static void fail(struct ledger *ledger)
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
    struct ledger *ledger = arg;
    bool durable = !ledger->store || write_all(ledger) == 0;
    struct opening *list = ledger->list;
    ledger->list = NULL;
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

struct ledger *ledger_new(struct loop *loop, struct store *store)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (!ledger || loop_timer_register(loop, &ledger->flush, on_flush, ledger) < 0) {
        free(ledger);
        return NULL;
    }
    ledger->loop = loop;
    ledger->store = store;
    ledger->pause = pause_first;
    return ledger;
}

bool ledger_failing(const struct ledger *ledger)
{
    return ledger->failing;
}

void ledger_free(struct ledger *ledger)
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
    free(ledger);
}
