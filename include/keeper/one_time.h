/*
 * One-time sequences: a file with one a line, as knockd's users know it, and what of it is used up.
 * The file is only read; the store remembers. Any of the next 16 unused ones opens, and spends
 * those before it, so that a knock that got lost doesn't end it for ever.
 */
#ifndef KEEPER_ONE_TIME_H
#define KEEPER_ONE_TIME_H

#include "keeper/store.h"
#include "lib/config.h"

enum { ONE_TIME_AHEAD = 16, ONE_TIME_LINES_MAX = 16384 };

struct one_time_line {
    unsigned door;
    unsigned first;  /* line of the same door */
    unsigned unused; /* of a door's first line: the first that isn't used up */
    int line;        /* of its file */
    bool used;
    bool unrecorded; /* used, but the store couldn't be told: this run alone knows */
    struct sequence sequence;
    char *text; /* canonical: "7000:tcp,8000:udp" */
};

/* The lines of all doors, one door after the other, in the order of their files. */
struct one_time {
    unsigned count;
    struct one_time_line *lines;
    bool known; /* what is used up is known */
};

/*
 * Reads the files that the doors of `config` name. A line that is empty or begins with # doesn't
 * count. False after telling `report`, which also hears, once a file, of lines that port scans open
 * and of lines that are equal.
 */
bool one_time_load(const struct config *config, struct one_time *one_time, struct report *report);
void one_time_free(struct one_time *one_time);

/*
 * Looks up in the store which lines are used up, unless that is known: from then on it is
 * remembered here. -1 if the store can't be read.
 */
int one_time_recall(struct one_time *one_time, const struct config *config, struct store *store);

/*
 * The door, of the configuration's `doors`, that the listener means by `number`: what it calls a
 * door beyond those is a one-time sequence of one. `doors`: there is no such door. NULL has no
 * lines.
 */
unsigned one_time_door(const struct one_time *one_time, unsigned doors, uint32_t number);

/* Warns of each door all of whose one-time sequences are used up. */
void one_time_warn(struct one_time *one_time, const struct config *config, struct store *store);

/*
 * Why line `index` opens nothing now: it was used before, or is further ahead than the next 16
 * unused ones. NULL: it may open. What is used up must be known; the store isn't asked.
 */
const char *one_time_refuse(const struct one_time *one_time, unsigned index);

/*
 * Spends line `index`, which one_time_refuse doesn't, for good, and with it those of its door
 * before it: NULL once that is durable, else why it opens nothing. What can't be recorded is used
 * up all the same, and left to one_time_record: who overheard it must not open by it.
 */
const char *one_time_spend(struct one_time *one_time, unsigned index, const struct config *config,
                           struct store *store);

/* Records what one_time_spend couldn't; writes nothing where all is recorded. False as long as the
 * store can't take it. */
bool one_time_record(struct one_time *one_time, const struct config *config, struct store *store);

/* After a reload: the lines of `before`, of the configuration before, that are used up and not
 * recorded are so here, too. */
void one_time_follow(struct one_time *one_time, const struct config *config,
                     const struct one_time *before, const struct config *config_before);

#endif
