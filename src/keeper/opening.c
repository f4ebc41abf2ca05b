#include "keeper/opening.h"

#include <stdlib.h>
#include <string.h>

/* About one opening a bucket when it is full (DOORS_MAX). */
enum { BUCKETS = 16384 };

int openings_init(struct openings *table)
{
    *table = (struct openings){.buckets = calloc(BUCKETS, sizeof(struct opening *))};
    keyed_random(table->key, sizeof(table->key));
    return table->buckets ? 0 : -1;
}

void openings_free(struct openings *table, void (*free_one)(struct opening *o))
{
    if (table->buckets)
        openings_each(table, free_one);
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
    return &table->buckets[keyed_hash(table->key, &key, sizeof(key)) % BUCKETS];
}

struct opening *openings_find(const struct openings *table, const char *name,
                              const struct addr *address)
{
    struct opening *o = *bucket(table, name, address);
    while (o && (strcmp(o->name, name) != 0 || !addr_equal(&o->address, address)))
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
}

void openings_each(struct openings *table, void (*each)(struct opening *opening))
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct opening *o = table->buckets[i], *next; o; o = next) {
            next = o->next;
            each(o);
        }
    }
}
