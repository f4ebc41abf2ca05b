/* Doors that are kept in a store, and a look at what is in there. */
#ifndef TEST_WRITEBACK_HELP_H
#define TEST_WRITEBACK_HELP_H

#include "doors_help.h"
#include "store_help.h"

#define LONG (10 * PATIENCE)

struct kept_world {
    struct doors_world w;
    struct folder folder;
    struct store *store;
};

/* The doors of the world from here on, in a store of the folder. */
static inline void kept_begin(struct kept_world *k)
{
    k->store = folder_open(&k->folder);
    doors_free(k->w.doors);
    k->w.doors = doors_new(k->w.bench.loop, k->w.runner, k->store);
    assert_non_null(k->w.doors);
}

static inline void kept_make(struct kept_world *k, int64_t length, const char *start,
                             const char *stop)
{
    make_world(&k->w, length, start, stop, NULL);
    folder_make(&k->folder);
    kept_begin(k);
}

/* As kill -9 does, but what waits to be written is written. */
static inline void kept_die(struct kept_world *k)
{
    runner_free(k->w.runner);
    doors_free(k->w.doors);
    store_close(k->store);
    k->w.runner = runner_new(k->w.bench.loop, 2 * PATIENCE, -1);
    assert_non_null(k->w.runner);
    k->w.doors = NULL;
    k->store = NULL;
}

static inline void kept_end(struct kept_world *k)
{
    doors_free(k->w.doors);
    k->w.doors = NULL;
    store_close(k->store);
    folder_end(&k->folder);
    end_world(&k->w);
}

/* How many doors a store keeps that nobody has open. */
static inline unsigned left_in(struct folder *folder)
{
    struct store *store = folder_open(folder);
    unsigned count = doors_kept(store);
    store_close(store);
    return count;
}

#endif
