/* An opening is made by a knock or out of the store, is in the table as long as something of it may
 * be open, and is freed. What happens meanwhile is for keeper/opening_states.c. */
#include "keeper/openings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

/* --- one opening --- */

static struct opening_door *door_find(const struct openings *table, const char *name);
static struct opening_door *door_refer(struct openings *table, const char *name);
static void door_release(struct opening_door *door);

/* No other kind of knock has a name that a key could have. */
static void make_note(struct opening *o)
{
    if (!config_is_key_name(o->by))
        return;
    if (o->port.port)
        snprintf(o->note, sizeof(o->note), " (%s, %u:%s)", o->by, o->port.port,
                 proto_name(o->port.proto));
    else
        snprintf(o->note, sizeof(o->note), " (%s)", o->by);
}

static int register_timers(struct opening *o, void (*due)(void *opening),
                           void (*check)(void *opening))
{
    struct loop *loop = o->context->loop;
    if (loop_timer_register(loop, &o->timer, due, o) < 0)
        return -1;
    if (loop_timer_register(loop, &o->check_timer, check, o) == 0)
        return 0;
    loop_timer_unregister(loop, &o->timer);
    return -1;
}

struct opening *opening_new(struct opening_context *context, const struct opening_name *name,
                            void (*due)(void *opening), void (*check)(void *opening))
{
    struct opening *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    o->context = context;
    o->of = door_refer(context->openings, name->door);
    if (!o->of || register_timers(o, due, check) < 0) {
        if (o->of)
            door_release(o->of);
        free(o);
        return NULL;
    }
    o->address = name->address;
    o->port = name->port;
    o->closed_by = DOOR_END_CLOSED;
    addr_format(&name->address, o->text);
    snprintf(o->name, sizeof(o->name), "%s", name->door);
    snprintf(o->by, sizeof(o->by), "%s", name->by);
    snprintf(o->label, sizeof(o->label), "door %s: %s", name->door, o->text);
    make_note(o);
    return o;
}

struct opening *opening_restore(struct opening_context *context, struct stored_door *stored,
                                void (*due)(void *opening), void (*check)(void *opening))
{
    struct opening_name name = {stored->name, stored->address, stored->port, stored->by};
    struct opening *o = opening_new(context, &name, due, check);
    if (!o)
        return NULL;
    o->start = stored->start;
    o->stop = stored->stop;
    o->extend = stored->extend;
    o->check = stored->check;
    stored->start = stored->stop = stored->extend = stored->check = (struct commands){0};
    memcpy(o->stop_ok, stored->stop_ok, sizeof(o->stop_ok));
    o->length = stored->length;
    /* Whatever the store says, it isn't open for longer than a knock just now would make it. */
    int64_t now = clock_now();
    bool sound = stored->length >= 0 && stored->length <= INT64_MAX - now;
    int64_t longest = sound ? now + stored->length : now;
    o->lasts = stored->length == OPENING_LASTS;
    o->deadline = o->lasts ? INT64_MAX : stored->deadline < longest ? stored->deadline : longest;
    o->interval = CONFIG_CHECK_INTERVAL;
    o->kept.id = stored->id;
    o->last_try = !stored->this_boot;
    o->failed = stored->state == STORED_OPENING;
    return o;
}

void undo_free(struct undo *undo)
{
    if (!undo)
        return;
    commands_free(&undo->stop);
    commands_free(&undo->check);
    free(undo);
}

void opening_free(struct opening *o)
{
    undo_free(o->new_undo);
    undo_free(o->next_undo);
    if (o->reopen)
        opening_free(o->reopen);
    loop_timer_unregister(o->context->loop, &o->timer);
    loop_timer_unregister(o->context->loop, &o->check_timer);
    commands_free(&o->start);
    commands_free(&o->stop);
    commands_free(&o->extend);
    commands_free(&o->check);
    door_release(o->of);
    free(o);
}

/* --- the doors' counts --- */

static uint64_t hash_name(const struct openings *table, const char *door)
{
    return crypto_keyed_hash(table->key, door, strnlen(door, CONFIG_NAME_MAX));
}

static struct opening_door *door_find(const struct openings *table, const char *name)
{
    struct opening_door *door;
    LIST_FOREACH(door, &table->doors[hash_name(table, name) % OPENINGS_DOORS], chain)
        if (strcmp(door->name, name) == 0)
            return door;
    return NULL;
}

/* The door's count, made if there is none yet. NULL when memory is short. */
static struct opening_door *door_refer(struct openings *table, const char *name)
{
    struct opening_door *door = door_find(table, name);
    if (!door) {
        door = calloc(1, sizeof(*door));
        if (!door)
            return NULL;
        snprintf(door->name, sizeof(door->name), "%s", name);
        LIST_INSERT_HEAD(&table->doors[hash_name(table, name) % OPENINGS_DOORS], door, chain);
    }
    door->references++;
    return door;
}

static void door_release(struct opening_door *door)
{
    if (--door->references > 0)
        return;
    LIST_REMOVE(door, chain);
    free(door);
}

unsigned openings_of_door(const struct openings *table, const char *name)
{
    const struct opening_door *door = door_find(table, name);
    return door ? door->count : 0;
}

/* --- the table --- */

int openings_init(struct openings *table)
{
    *table = (struct openings){.chains = calloc(OPENINGS_CHAINS, sizeof(*table->chains))};
    TAILQ_INIT(&table->ages);
    TAILQ_INIT(&table->lasting);
    crypto_random(table->key, sizeof(table->key));
    return table->chains ? 0 : -1;
}

void openings_free(struct openings *table)
{
    for (struct opening *o = TAILQ_FIRST(&table->ages), *next; o; o = next) {
        next = TAILQ_NEXT(o, age);
        opening_free(o);
    }
    free(table->chains);
}

static struct opening_chain *chain_of(const struct openings *table, const char *door,
                                      const struct addr *address)
{
    struct {
        struct addr address;
        char name[CONFIG_NAME_MAX + 1];
    } key = {.address = *address};
    memcpy(key.name, door, strnlen(door, CONFIG_NAME_MAX));
    return &table->chains[crypto_keyed_hash(table->key, &key, sizeof(key)) % OPENINGS_CHAINS];
}

void openings_add(struct openings *table, struct opening *o)
{
    LIST_INSERT_HEAD(chain_of(table, o->name, &o->address), o, chain);
    TAILQ_INSERT_TAIL(&table->ages, o, age);
    if (o->lasts)
        TAILQ_INSERT_TAIL(&table->lasting, o, lasting);
    o->of->count++;
    table->count++;
}

void openings_remove(struct openings *table, struct opening *o)
{
    LIST_REMOVE(o, chain);
    TAILQ_REMOVE(&table->ages, o, age);
    if (o->lasts)
        TAILQ_REMOVE(&table->lasting, o, lasting);
    o->of->count--;
    table->count--;
}

static bool is_of(const struct opening *o, const char *door, const struct addr *address)
{
    return (!door || strcmp(o->name, door) == 0) && (!address || addr_equal(&o->address, address));
}

struct opening *openings_find(const struct openings *table, const char *door,
                              const struct addr *address, struct port_proto port)
{
    struct opening *o;
    LIST_FOREACH(o, chain_of(table, door, address), chain)
        if (is_of(o, door, address) && doors_same_port(o->port, port))
            return o;
    return NULL;
}

struct opening *openings_oldest_lasting(const struct openings *table)
{
    struct opening *o;
    TAILQ_FOREACH(o, &table->lasting, lasting)
        if (o->state == OPEN)
            return o;
    return NULL;
}

struct opening *openings_first(const struct openings *table, const char *door,
                               const struct addr *address)
{
    struct opening *o =
        door && address ? LIST_FIRST(chain_of(table, door, address)) : TAILQ_FIRST(&table->ages);
    return !o || is_of(o, door, address) ? o : openings_next(o, door, address);
}

struct opening *openings_next(const struct opening *opening, const char *door,
                              const struct addr *address)
{
    struct opening *o = NULL;
    do
        o = door && address ? LIST_NEXT(o ? o : opening, chain) : TAILQ_NEXT(o ? o : opening, age);
    while (o && !is_of(o, door, address));
    return o;
}
