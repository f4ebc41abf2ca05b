/* The store's file as a file: made with the right mode, judged, moved aside. No SQLite here. */
#ifndef KEEPER_STORE_FILE_H
#define KEEPER_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum store_file {
    STORE_FILE_MISSING,
    STORE_FILE_THERE,   /* a regular file that only we can read and write */
    STORE_FILE_EMPTY,   /* the same, but without a byte: a store is never that by itself */
    STORE_FILE_REFUSED, /* nothing to touch; one line in `why` */
};

/* Judges `path`, and takes others' right to read it. */
enum store_file store_file_judge(const char *path, char *why, size_t why_size);

/* Makes an empty file of mode 0600, in place of what an earlier attempt left. 0; -1 and `why`. */
int store_file_make(const char *path, char *why, size_t why_size);

/* Gives `from` the name `to` for good, whatever happens to the power. 0; -1 and `why`. */
int store_file_install(const char *from, const char *to, char *why, size_t why_size);

/* Removes the file and its journals, as far as they are there. */
void store_file_remove(const char *path);

/*
 * Renames `path`, and its journals with it so that they can still be studied together, to the same
 * name with ".damaged-" and the time (UTC). Returns the new name, which the caller frees, or NULL
 * with one line in `why`.
 */
char *store_file_move(const char *path, char *why, size_t why_size);

#endif
