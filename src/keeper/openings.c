/* An opening is made by a knock or out of the store, is in the table as long as something of it may
 * be open, and is freed. What happens meanwhile is for keeper/opening_states.c. */
#include "keeper/openings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/batch.h"
#include "lib/clock.h"

/* --- one opening --- */

static struct opening_door *door_find(const struct openings *table, const char *name);
static struct opening_door *door_refer(struct openings *table, const char *name);
static void door_release(struct opening_door *door);

/* Only a sealed knock may choose a port. No other kind has a name that a key could have. */
const char *opening_note(const struct opening *o, char out[OPENING_NOTE])
{
    if (o->port.port && config_is_key_name(o->by))
        snprintf(out, OPENING_NOTE, " (%s, %u:%s)", o->by, o->port.port, proto_name(o->port.proto));
    else
        snprintf(out, OPENING_NOTE, " (%s)", o->by);
    return out;
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

/* Copies the text behind what is there of the opening's texts. */
static const char *add_text(char **at, const char *text)
{
    const char *added = *at;
    *at = stpcpy(*at, text) + 1;
    return added;
}

struct opening *opening_new(struct opening_context *context, const struct opening_name *name,
                            void (*due)(void *opening), void (*check)(void *opening))
{
    const char *source = name->source ? name->source : "", *user = name->user ? name->user : "";
    struct opening *o =
        calloc(1, sizeof(*o) + strlen(name->by) + strlen(source) + strlen(user) + 3);
    if (!o)
        return NULL;
    char *at = o->texts;
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
    o->name = o->of->name;
    o->by = add_text(&at, name->by);
    o->source = add_text(&at, source);
    o->user = add_text(&at, user);
    addr_format(&name->address, o->text);
    return o;
}

/* --- its commands --- */

static struct command_names names_of(const struct opening *o)
{
    return (struct command_names){o->text, o->by};
}

static bool run_together(const struct commands *commands)
{
    struct batch_kind kind;
    for (unsigned i = 0; i < commands->count; i++)
        if (!batch_kind_of(&commands->items[i], &kind))
            return false;
    return commands->count > 0;
}

int opening_set_commands(struct opening *o, const struct commands lists[COMMAND_LISTS],
                         const uint64_t stop_ok[4])
{
    o->checks_meet = run_together(&lists[CHECK_COMMANDS]);
    const struct command_names names = names_of(o);
    o->set = command_set_refer(&o->context->openings->sets, lists, stop_ok, &names);
    return o->set ? 0 : -1;
}

struct undo *undo_new(const struct opening *o, const struct commands lists[COMMAND_LISTS],
                      const uint64_t stop_ok[4])
{
    const struct command_names names = names_of(o);
    struct undo *undo = calloc(1, sizeof(*undo));
    if (!undo)
        return NULL;
    undo->set = command_set_refer(&o->context->openings->sets, lists, stop_ok, &names);
    if (undo->set)
        return undo;
    free(undo);
    return NULL;
}

int opening_expand_set(const struct opening *o, const struct command_set *set,
                       enum command_list list, struct commands *out)
{
    const struct command_names names = names_of(o);
    return command_set_expand(set, list, &names, out);
}

int opening_expand(const struct opening *o, enum command_list list, struct commands *out)
{
    return opening_expand_set(o, o->set, list, out);
}

bool opening_has(const struct opening *o, enum command_list list, const struct commands *commands)
{
    struct commands own;
    if (opening_expand(o, list, &own) < 0)
        return false;
    bool equal = commands_equal(&own, commands);
    commands_free(&own);
    return equal;
}

struct opening *opening_restore(struct opening_context *context, const struct stored_door *stored,
                                void (*due)(void *opening), void (*check)(void *opening))
{
    struct opening_name name = {
        .door = stored->name, .address = stored->address, .port = stored->port, .by = stored->by};
    const struct commands lists[COMMAND_LISTS] = {stored->start, stored->stop, stored->extend,
                                                  stored->check};
    struct opening *o = opening_new(context, &name, due, check);
    if (!o || opening_set_commands(o, lists, stored->stop_ok) < 0) {
        if (o)
            opening_free(o);
        return NULL;
    }
    o->length = stored->length;
    /* Whatever the store says, it isn't open for longer than a knock just now would make it. */
    int64_t now = clock_now();
    bool sound = stored->length >= 0 && stored->length <= INT64_MAX - now;
    int64_t longest = sound ? now + stored->length : now;
    o->lasts = stored->length == OPENING_LASTS;
    o->deadline = o->lasts ? INT64_MAX : stored->deadline < longest ? stored->deadline : longest;
    o->interval = CONFIG_CHECK_INTERVAL;
    o->kept.id = stored->id;
    o->kept.state = stored->state;
    o->kept.deadline = stored->deadline;
    o->last_try = !stored->this_boot;
    o->failed = stored->state == STORED_OPENING;
    /* The run before may have closed it, and ended before that was recorded. */
    o->doubtful = true;
    return o;
}

void opening_drop_task(struct opening *o)
{
    if (!o->task)
        return;
    o->last_kind = o->task->job.kind;
    o->last_hung = o->task->job.hung;
    o->last_alone = o->task->job.alone;
    commands_free(&o->task->commands);
    free(o->task);
    o->task = NULL;
}

void undo_free(struct undo *undo)
{
    if (!undo)
        return;
    command_set_release(undo->set);
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
    opening_drop_task(o);
    command_set_release(o->set);
    door_release(o->of);
    free(o->told);
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

void openings_find_doors(struct openings *table, const struct config *config)
{
    for (unsigned i = 0; i < OPENINGS_DOORS; i++)
        for (struct opening_door *door = LIST_FIRST(&table->doors[i]); door;
             door = LIST_NEXT(door, chain))
            door->now = config_find_door(config, door->name);
}

/* --- the table --- */

int openings_init(struct openings *table)
{
    *table = (struct openings){.chains = calloc(OPENINGS_CHAINS, sizeof(*table->chains))};
    TAILQ_INIT(&table->ages);
    TAILQ_INIT(&table->lasting);
    command_sets_init(&table->sets);
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
