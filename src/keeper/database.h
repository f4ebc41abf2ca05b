/*
 * One SQLite database that this process has to itself: opened, checked, its statements prepared,
 * its errors put into words. The only module that knows SQLite; what is in it, its callers know.
 */
#ifndef KEEPER_DATABASE_H
#define KEEPER_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a database is to hold. Every column should be NOT NULL: then a value that could not be
 * bound for want of memory is an error and not a hole.
 */
struct database_layout {
    int32_t application;      /* application_id: whose file it is */
    int version;              /* user_version, from 1 */
    const char *const *steps; /* SQL: number n leads from version n to n + 1, 0 makes the tables */
    const char *const *statements;
    unsigned count; /* of them; a statement is spoken of by its index */
};

enum database_verdict {
    DATABASE_GOOD,
    DATABASE_DAMAGED, /* it isn't what the layout says, nor will be by itself */
    DATABASE_REFUSED, /* it may be good, but not now or not for us */
};

struct database;

/*
 * Opens the file `path`, which exists; with `make` it is empty, and the tables are made. One of an
 * older version is brought to this one, as a whole or not at all. `layout` lives as long as the
 * database. *out is NULL unless the verdict is good; then one line in `why`.
 */
enum database_verdict database_open(const char *path, bool make,
                                    const struct database_layout *layout, struct database **out,
                                    char *why, size_t why_size);

/* What isn't committed is lost. NULL is allowed. */
void database_close(struct database *db);

/* Likewise, where the files at its paths may be others': those are left as they are. */
void database_abandon(struct database *db);

/* Writes all that is committed to a new file `path`, not yet durably. No transaction may be open.
 * 0 or -1. */
int database_copy(struct database *db, const char *path);

/*
 * In the following, `what` ends the sentence "can't ...", for database_error; `types` has a letter
 * for each argument after it: i for int64_t, t for text, b for const void * and size_t. After any
 * -1 what wasn't committed is rolled back.
 */

/* Runs a statement that writes, and begins a transaction unless one is open. 0 or -1. */
int database_put(struct database *db, unsigned statement, const char *what, const char *types, ...);

/* Of the last database_put: how many rows it changed, and the id of the one it inserted. */
int database_changes(const struct database *db);
int64_t database_last_id(const struct database *db);

/* Starts a statement that reads; its arguments must stay until database_end. */
void database_ask(struct database *db, unsigned statement, const char *types, ...);

/* Goes to the next row: 1, 0 when there is none, -1. */
int database_next(struct database *db, unsigned statement, const char *what);

/* To be called when no more rows of it are wanted, whatever database_next said. */
void database_end(struct database *db, unsigned statement);

/* A column of the row, counted from 0. False when it is of another type, or doesn't fit. */
bool database_int(struct database *db, unsigned statement, int column, int64_t *out);
bool database_text(struct database *db, unsigned statement, int column, char *out, size_t size);

/* The bytes are the database's, until database_next or database_end. */
bool database_blob(struct database *db, unsigned statement, int column, const uint8_t **out,
                   size_t *size);

/* Whether a transaction is open. */
bool database_dirty(const struct database *db);

/* 0 when the disk has it. After -1 it is rolled back, but a crash right then may still keep it. */
int database_commit(struct database *db);

/* For what the caller found wrong: composes the error as if SQLite had said `problem`. -1. */
int database_fail(struct database *db, const char *what, const char *problem);

/* Composes a line about something that is no failure of the database, to be had as the error. */
void database_remark(struct database *db, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *database_error(const struct database *db);

#endif
