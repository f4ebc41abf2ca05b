/*
 * The store's files as files: made with the right mode, checked, moved aside, and watched, so that
 * nothing is written to a file that isn't the one at its path any more. No SQLite here.
 */
#ifndef KEEPER_STORE_FILE_H
#define KEEPER_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum store_file {
    STORE_FILE_MISSING,
    STORE_FILE_THERE,   /* a regular file that only we can read and write */
    STORE_FILE_EMPTY,   /* the same, but without a byte: a store is never that by itself */
    STORE_FILE_REFUSED, /* nothing to touch; one line in `why` */
};

/* Whether there is a file at `path` that may be a store. Takes others' right to read it. */
enum store_file store_file_check(const char *path, char *why, size_t why_size);

/* Makes an empty file of mode 0600, in place of what an earlier attempt left. 0; -1 and `why`. */
int store_file_make(const char *path, char *why, size_t why_size);

/* Gives `from` the name `to` for good, whatever happens to the power. 0; -1 and `why`. */
int store_file_install(const char *from, const char *to, char *why, size_t why_size);

/* Removes the file and its journals, as far as they are there. */
void store_file_remove(const char *path);

/*
 * Renames `path`, and its journals with it so that they can still be studied together, to the same
 * name with ".WORD-" and the time (UTC). Returns the new name, which the caller frees, or NULL with
 * one line in `why`.
 */
char *store_file_move(const char *path, const char *word, char *why, size_t why_size);

/* Makes the folder of `path` again if it is gone; refuses one that others may write to. 0; -1 and
 * `why`. */
int store_file_folder(const char *path, char *why, size_t why_size);

/* The files of an open database: the one at `path`, and its journal once there is one. */
struct store_files {
    const char *path; /* the caller's */
    struct {
        int fd; /* by which nothing is read or written: closing it frees no lock of SQLite's; -1 */
        struct stat seen; /* as our own last write left it */
    } file[2];
};

enum store_files_verdict {
    STORE_FILES_SAME,
    STORE_FILES_AWAY,    /* removed, renamed or replaced, and whole: what is open can be read */
    STORE_FILES_CHANGED, /* another program wrote to them */
};

/* Begins to watch the files that have just been opened. 0; -1 and errno. */
int store_files_hold(struct store_files *files, const char *path);
void store_files_drop(struct store_files *files);

/* We have just written to them, or tried to. */
void store_files_note(struct store_files *files);

/* Whether the open files are at their paths, as our last write left them. */
enum store_files_verdict store_files_check(const struct store_files *files);

/* Whether the open files are at their paths, whatever is in them. */
bool store_files_there(const struct store_files *files);

#endif
