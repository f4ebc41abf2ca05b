/*
 * The table of the openings by (door, address, port): each is found, counted and removed in
 * constant time, however many there are. How many there may be is for the doors to say.
 */
#ifndef KEEPER_OPENINGS_H
#define KEEPER_OPENINGS_H

#include "keeper/opening.h"
#include "lib/crypto.h"

enum { OPENINGS_CHAINS = 16384, OPENINGS_DOORS = 256 };

/* How many openings of a door are in the table; kept as long as an opening refers to it. */
struct opening_door {
    LIST_ENTRY(opening_door) chain;
    unsigned references;
    unsigned count;
    const struct config_door *now; /* as of the last openings_find_doors; NULL: it is no more */
    char name[CONFIG_NAME_MAX + 1];
};

struct openings {
    unsigned count;
    TAILQ_HEAD(opening_ages, opening) ages;       /* all, the oldest first */
    TAILQ_HEAD(opening_lasting, opening) lasting; /* likewise those that no time closes */
    LIST_HEAD(opening_chain, opening) * chains;   /* by door and address */
    LIST_HEAD(opening_doors, opening_door) doors[OPENINGS_DOORS];
    struct command_sets sets;
    uint8_t key[CRYPTO_KEY_SIZE];
};

/* Sets up an empty table. -1 when memory is short. */
int openings_init(struct openings *table);

/* Frees the openings, too. */
void openings_free(struct openings *table);

void openings_add(struct openings *table, struct opening *opening);
void openings_remove(struct openings *table, struct opening *opening);

/* Where a door opens several ports, each has an opening of its own. One of no particular port, of
 * an earlier configuration or version, stands for any. NULL: there is none. */
struct opening *openings_find(const struct openings *table, const char *door,
                              const struct addr *address, struct port_proto port);

/* How many openings of the door there are. */
unsigned openings_of_door(const struct openings *table, const char *door);

/* Finds the door of each opening in the configuration: its `of->now`, until something opens. */
void openings_find_doors(struct openings *table, const struct config *config);

/* The oldest of those that no time closes and that are open; NULL: there is none. */
struct opening *openings_oldest_lasting(const struct openings *table);

/*
 * Goes through the openings of a door, of an address; NULL: of any. They come the oldest first,
 * those of one door and address in no order. An opening may be removed once the next one is known.
 * NULL: there are no more.
 */
struct opening *openings_first(const struct openings *table, const char *door,
                               const struct addr *address);
struct opening *openings_next(const struct opening *opening, const char *door,
                              const struct addr *address);

#endif
