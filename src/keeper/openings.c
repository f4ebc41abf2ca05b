/* The openings there are, found by door, address and port; and the memory of each. */
#include "keeper/opening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

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

struct opening *opening_new(struct openings *all, const struct opening_name *name,
                            void (*due)(void *opening), void (*check)(void *opening))
{
    struct opening *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    int rc = loop_timer_register(all->loop, &o->timer, due, o);
    if (rc == 0 && loop_timer_register(all->loop, &o->check_timer, check, o) < 0) {
        loop_timer_unregister(all->loop, &o->timer);
        rc = -1;
    }
    if (rc < 0) {
        free(o);
        return NULL;
    }
    o->all = all;
    o->address = name->address;
    o->port = name->port;
    addr_format(&name->address, o->text);
    snprintf(o->name, sizeof(o->name), "%s", name->door);
    snprintf(o->by, sizeof(o->by), "%s", name->by);
    snprintf(o->label, sizeof(o->label), "door %s: %s", name->door, o->text);
    make_note(o);
    return o;
}

struct opening *opening_restore(struct openings *all, struct stored_door *stored,
                                void (*due)(void *opening), void (*check)(void *opening))
{
    struct opening_name name = {stored->name, stored->address, stored->port, stored->by};
    struct opening *o = opening_new(all, &name, due, check);
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
    undo_free(o->spare);
    undo_free(o->next_spare);
    if (o->heir)
        opening_free(o->heir);
    loop_timer_unregister(o->all->loop, &o->timer);
    loop_timer_unregister(o->all->loop, &o->check_timer);
    commands_free(&o->start);
    commands_free(&o->stop);
    commands_free(&o->extend);
    commands_free(&o->check);
    free(o);
}

/* About one opening a bucket when it is full (CONFIG_MAX_OPEN). */
enum { BUCKETS = 16384 };

int openings_init(struct openings *table)
{
    table->count = 0;
    table->buckets = calloc(BUCKETS, sizeof(struct opening *));
    crypto_random(table->key, sizeof(table->key));
    return table->buckets ? 0 : -1;
}

void openings_free(struct openings *table, void (*free_one)(struct opening *o))
{
    for (unsigned i = 0; table->buckets && i < BUCKETS; i++) {
        for (struct opening *o = table->buckets[i], *next; o; o = next) {
            next = o->next;
            free_one(o);
        }
    }
    free(table->buckets);
}

static struct opening **bucket(const struct openings *table, const char *name,
                               const struct addr *address)
{
    struct {
        struct addr address;
        char name[CONFIG_NAME_MAX + 1];
    } key = {.address = *address};
    memcpy(key.name, name, strnlen(name, CONFIG_NAME_MAX));
    return &table->buckets[crypto_keyed_hash(table->key, &key, sizeof(key)) % BUCKETS];
}

struct opening *openings_find(const struct openings *table, const char *name,
                              const struct addr *address, struct port_proto port)
{
    struct opening *o = *bucket(table, name, address);
    while (o && (strcmp(o->name, name) != 0 || !addr_equal(&o->address, address) ||
                 !opening_same_port(o->port, port)))
        o = o->next;
    return o;
}

void openings_add(struct openings *table, struct opening *opening)
{
    struct opening **head = bucket(table, opening->name, &opening->address);
    opening->next = *head;
    *head = opening;
    table->count++;
}

void openings_remove(struct openings *table, struct opening *opening)
{
    struct opening **link = bucket(table, opening->name, &opening->address);
    while (*link != opening)
        link = &(*link)->next;
    *link = opening->next;
    table->count--;
    table->staying -= opening->stays;
}

void openings_each(const struct openings *table, void (*each)(void *arg, struct opening *opening),
                   void *arg)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct opening *o = table->buckets[i], *next; o; o = next) {
            next = o->next;
            each(arg, o);
        }
    }
}
