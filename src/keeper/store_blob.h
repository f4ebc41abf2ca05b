/*
 * How the store keeps the commands of an opening: one blob, so that it is understood as a whole or
 * not at all. Numbers are little-endian.
 *
 *   stop_ok  4 x 8 bytes
 *   start, stop, extend, check, each:  count 4, then for each command  words 4, size 4, text
 *   sum      8 bytes: over all before it, and over what in the row tells what is undone for whom
 *
 * The sum is there because SQLite notices no damage inside a value, and these words are executed.
 */
#ifndef KEEPER_STORE_BLOB_H
#define KEEPER_STORE_BLOB_H

#include "keeper/store.h"

/* The blob of `door`, *size bytes, which the caller frees. NULL when memory is short. */
uint8_t *store_blob_encode(const struct stored_door *door, size_t *size);

/*
 * Sets the commands and stop_ok of `door`, whose other fields are set, from a blob of untrusted
 * content. Returns 0; -1, having set nothing, when it isn't what store_blob_encode made of this
 * very door; -2 when memory is short.
 */
int store_blob_decode(const uint8_t *blob, size_t size, struct stored_door *door);

/* Frees the commands of a door. */
void stored_door_free(struct stored_door *door);

#endif
