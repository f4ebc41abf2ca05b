/* One opening of a door, and the table of them by (door, address). */
#ifndef KEEPER_OPENING_H
#define KEEPER_OPENING_H

#include "keeper/runner.h"
#include "lib/keyed.h"

/*
 *              start done                       timer
 *   STARTING ------------> OPEN --------------------------> STOPPING --> (gone)
 *       |                   ^ |  knock, extend command          ^  |
 *       | start failed      | v                                 |  | stop failed
 *       |                EXTENDING                              |  v
 *       +-----------------------------------------------------> RETRYING (timer, then again)
 */
enum opening_state { STARTING, OPEN, EXTENDING, STOPPING, RETRYING };

struct opening {
    struct doors *doors;
    struct opening *next; /* of its bucket */
    enum opening_state state;
    char name[CONFIG_NAME_MAX + 1]; /* of the door */
    char label[CONFIG_NAME_MAX + ADDR_TEXT_SIZE + 16];
    struct addr address;
    struct commands start, stop, extend;
    uint64_t stop_ok[4];
    int64_t length;   /* ns that it stays open after a knock */
    int64_t deadline; /* when it is due to close */
    struct timer timer;
    struct job job;
    struct opening *heir; /* a knock that came while this one closes: opens when it is gone */
    bool close_next;      /* to be closed when the command that runs now is done */
    bool failed;          /* its start failed: never reported as open */
    unsigned attempts;    /* stops that failed */
};

struct openings {
    uint8_t key[KEYED_KEY_SIZE];
    struct opening **buckets;
    unsigned count;
};

/* Sets up an empty table. -1 when memory is short. */
int openings_init(struct openings *table);
void openings_free(struct openings *table, void (*free_one)(struct opening *o));

struct opening *openings_find(const struct openings *table, const char *name,
                              const struct addr *address);
void openings_add(struct openings *table, struct opening *opening);
void openings_remove(struct openings *table, struct opening *opening);

/* Calls each(opening) for every one; each may remove the one that it is given. */
void openings_each(struct openings *table, void (*each)(struct opening *opening));

#endif
