/*
 * One-time sequences: a file with one a line, as knockd's users know it, and what of it is used up.
 * The file is only read; the store remembers. Any of the next 16 unused ones opens, and spends
 * those before it, so that a knock that got lost doesn't end it for ever.
 */
#ifndef KEEPER_ONCE_H
#define KEEPER_ONCE_H

#include "keeper/store.h"
#include "lib/config.h"

enum { ONCE_AHEAD = 16, ONCE_LINES_MAX = 16384 };

struct once_line {
    unsigned door;
    struct sequence sequence;
    char *text; /* canonical: "7000:tcp,8000:udp" */
};

/* The lines of all doors, one door after the other, in the order of their files. */
struct once {
    unsigned count;
    struct once_line *lines;
};

/*
 * Reads the files that the doors of `config` name. A line that is empty or begins with # doesn't
 * count. False after telling `report`.
 */
bool once_load(const struct config *config, struct once *once, struct report *report);
void once_free(struct once *once);

/* Warns of each door all of whose one-time sequences are used up. */
void once_warn(const struct once *once, const struct config *config, struct store *store);

/*
 * Spends line `index` for good: 0 once that is durable. Else -1, and *why says why it opens
 * nothing: it was used before, it is further ahead than the next 16, or it can't be recorded.
 */
int once_spend(const struct once *once, unsigned index, const struct config *config,
               struct store *store, const char **why);

#endif
