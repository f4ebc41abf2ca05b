/*
 * The store's database: its tables and its statements. The file is made, opened and checked, copied
 * and closed here; what the statements are run with, the store knows. The only header that includes
 * SQLite's.
 */
#ifndef KEEPER_STORE_DATABASE_H
#define KEEPER_STORE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum statement {
    ADD_HISTORY,
    TRIM_HISTORY,
    ADD_OPENING,
    ADD_COMMAND,
    UPDATE_OPENING,
    REMOVE_OPENING,
    REMOVE_COMMANDS,
    END_HISTORY,
    USE_ONCE,
    USE_SEALED,
    BEGIN_SEALED,
    FORCE_SEALED,
    END_FORCE,
    SET_NUMBER,
    ADD_SERIAL,
    EACH_OPENING,
    EACH_COMMAND,
    EACH_HISTORY,
    USED_ONCE,
    LAST_SEALED,
    FORCED_SEALED,
    NEWEST_SEALED,
    BEGIN_OF_SEALED,
    GET_NUMBER,
    STATEMENTS,
};

struct database {
    const char *path; /* the caller's */
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENTS];
    char error[640]; /* one line on what failed last, where and what to do */
};

enum database_verdict {
    DATABASE_GOOD,
    DATABASE_DAMAGED, /* it is no store, nor will be by itself */
    DATABASE_REFUSED, /* it may be one, but not now or not for us */
};

/*
 * Opens the database in the file `path`, which exists, and prepares its statements. Unless the
 * verdict is good there is nothing to close, and db->error says why.
 */
enum database_verdict database_open(struct database *db, const char *path);

/* What isn't committed is lost. */
void database_close(struct database *db);

/* Likewise, where the files at its paths may be others: those are left as they are. */
void database_abandon(struct database *db);

/*
 * Makes the tables in the empty file `path`, not yet durably. No sealed message up to the time
 * `begin` is good there, and the next transaction that counts has the number after `serial`. 0; -1
 * with one line in `why`.
 */
int database_make(const char *path, uint64_t begin, uint64_t serial, char *why, size_t why_size);

/* Writes all that is committed to the empty file `path`, not yet durably. No transaction may be
 * open. 0 or -1. */
int database_copy(struct database *db, const char *path);

/* Whether a transaction is open. */
bool database_dirty(const struct database *db);

/* Says in db->error what SQLite has just found; `what` ends the sentence "can't ...". Rolls back.
 * -1. */
int database_fail(struct database *db, const char *what);

/* The same for what the caller found wrong. */
int database_fail_because(struct database *db, const char *what, const char *problem);

#endif
