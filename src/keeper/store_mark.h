/*
 * What a folder remembers beside its store, in a file of its own that is written after each
 * transaction which opens or uses up something: so an older copy of the store can be told. Its
 * numbers never go down, whatever store is put beside it: they are all that is known of the store
 * that was there.
 */
#ifndef KEEPER_STORE_MARK_H
#define KEEPER_STORE_MARK_H

#include <stdbool.h>
#include <stdint.h>

struct store_mark {
    uint64_t serial; /* of that transaction; 0: there was none yet */
    uint64_t newest; /* no sealed message that is used up has a later time, nor has `begin` */
    uint64_t begin; /* of sealed messages, in the newest store: an older store has an earlier one */
};

/* False when there is none that can be understood. */
bool store_mark_read(const char *path, struct store_mark *out);

/* Without `sync` it survives our death, but not the system's. 0; -1 and errno. */
int store_mark_write(const char *path, const struct store_mark *mark, bool sync);

/* Each number of `mark` becomes that of `to`, if that is more. */
void store_mark_raise(struct store_mark *mark, struct store_mark to);

#endif
