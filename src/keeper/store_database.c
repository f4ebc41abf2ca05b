/*
 * The store's database: the tables and the statements on them, what opening, making and copying the
 * file takes, and SQLite's errors put into words.
 */
#include "keeper/store_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is in it --- */

enum {
    APPLICATION = 0x6b6e6b64, /* "knkd" */
    VERSION = 4,              /* of the tables; a store of an earlier one isn't read */
};

/*
 * An opening has the id of its line in the history, which AUTOINCREMENT never gives again. What
 * changes of it is state, boot and deadline; `sum` is over the rest and over its commands. Bit n of
 * ok0 to ok3 says that its stop command may exit with status n, n + 64, and so on.
 *
 * Of each sealed key the time of the last message that is used up is kept for ever. The row of no
 * key is the store's creation: what was sent before may have been used up in a store that was lost.
 * `force` says that the key is in force, 2 while that is being written.
 *
 * All is NOT NULL: what could not be bound for want of memory is an error and not a hole.
 */
static const char tables[] =
    "CREATE TABLE opening(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, boot TEXT NOT NULL,"
    " deadline INTEGER NOT NULL, length INTEGER NOT NULL, opened INTEGER NOT NULL,"
    " door TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL, proto INTEGER NOT NULL,"
    " knock TEXT NOT NULL, ok0 INTEGER NOT NULL, ok1 INTEGER NOT NULL, ok2 INTEGER NOT NULL,"
    " ok3 INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE TABLE command(opening INTEGER NOT NULL, kind TEXT NOT NULL, position INTEGER NOT NULL,"
    " words TEXT NOT NULL, PRIMARY KEY(opening, kind, position)) WITHOUT ROWID;"
    "CREATE TABLE history(id INTEGER PRIMARY KEY AUTOINCREMENT, opened INTEGER NOT NULL,"
    " closed INTEGER NOT NULL DEFAULT 0, door TEXT NOT NULL, address TEXT NOT NULL,"
    " knock TEXT NOT NULL, ending TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE once(door TEXT NOT NULL, sequence TEXT NOT NULL, used INTEGER NOT NULL,"
    " PRIMARY KEY(door, sequence)) WITHOUT ROWID;"
    "CREATE TABLE sealed(key BLOB NOT NULL PRIMARY KEY, last INTEGER NOT NULL,"
    " used INTEGER NOT NULL, force INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE number(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID";

static const char *const statements[STATEMENTS] = {
    [ADD_HISTORY] = "INSERT INTO history(opened, door, address, knock) VALUES(?, ?, ?, ?)",
    [TRIM_HISTORY] = "DELETE FROM history WHERE id <= ?",
    [ADD_OPENING] = "INSERT INTO opening VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_COMMAND] = "INSERT INTO command VALUES(?, ?, ?, ?)",
    [UPDATE_OPENING] = "UPDATE opening SET state = ?, deadline = ?, boot = ? WHERE id = ?",
    [REMOVE_OPENING] = "DELETE FROM opening WHERE id = ?",
    [REMOVE_COMMANDS] = "DELETE FROM command WHERE opening = ?",
    [END_HISTORY] = "UPDATE history SET closed = ?, ending = ? WHERE id = ? AND closed = 0",
    [USE_ONCE] = "INSERT OR IGNORE INTO once(door, sequence, used) VALUES(?, ?, ?)",
    [USE_SEALED] = "INSERT INTO sealed(key, last, used) VALUES(?, ?, ?) ON CONFLICT(key) DO UPDATE"
                   " SET last = excluded.last, used = excluded.used WHERE excluded.last > last",
    [BEGIN_SEALED] = "UPDATE sealed SET last = max(last, ?) WHERE key = x''",
    /* A key that isn't in force already counts from then on. */
    [FORCE_SEALED] = "INSERT INTO sealed(key, last, used, force) VALUES(?, ?, 0, 2)"
                     " ON CONFLICT(key) DO UPDATE SET last = CASE force WHEN 0"
                     " THEN max(last, excluded.last) ELSE last END, force = 2",
    [END_FORCE] = "UPDATE sealed SET force = force - 1 WHERE force > 0",
    [SET_NUMBER] = "INSERT INTO number(name, value) VALUES(?, ?)"
                   " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    [ADD_SERIAL] = "UPDATE number SET value = value + 1 WHERE name = 'serial'",
    [EACH_OPENING] = "SELECT id, state, boot, deadline, length, opened, door, address, port, proto,"
                     " knock, ok0, ok1, ok2, ok3, sum FROM opening ORDER BY id",
    [EACH_COMMAND] = "SELECT words FROM command WHERE opening = ? AND kind = ? ORDER BY position",
    [EACH_HISTORY] = "SELECT opened, closed, door, address, knock, ending FROM history"
                     " ORDER BY id DESC LIMIT ?",
    [USED_ONCE] = "SELECT 1 FROM once WHERE door = ? AND sequence = ?",
    [LAST_SEALED] = "SELECT max(last), max(used) FROM sealed WHERE key = ? OR key = x''",
    [FORCED_SEALED] = "SELECT 1 FROM sealed WHERE key = ? AND force > 0",
    [NEWEST_SEALED] = "SELECT coalesce(max(last), 0) FROM sealed",
    [BEGIN_OF_SEALED] = "SELECT coalesce(max(last), 0) FROM sealed WHERE key = x''",
    [GET_NUMBER] = "SELECT value FROM number WHERE name = ?",
};

/* EXCLUSIVE before anything is read: then there is no -shm file, and nobody else gets in. No mmap:
 * an error of the disk is to be an error, not SIGBUS. */
static const char settings[] =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;"
    "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
    "PRAGMA journal_size_limit=4194304";

/* --- errors --- */

static const char *advice(int code)
{
    switch (code) {
    case SQLITE_FULL:
        return "; free space there";
    case SQLITE_READONLY:
        return "; make it writable";
    case SQLITE_BUSY:
        return "; another process has it open: end that one";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "; it is damaged: a restart moves it aside and makes a new one";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return "; look at that file system, and at the kernel's messages about its disk";
    default:
        return "";
    }
}

bool database_dirty(const struct database *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

/* Some errors roll back by themselves, others don't. */
static int roll_back(struct database *db)
{
    if (db->handle && database_dirty(db))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

int database_fail(struct database *db, const char *what)
{
    sqlite3 *handle = db->handle;
    int code = sqlite3_extended_errcode(handle), error = sqlite3_system_errno(handle);
    char detail[96] = "";
    /* The system's error is kept for these alone, and not always. */
    if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN)
        snprintf(detail, sizeof(detail), " (SQLite's error %d%s%s)", code, error ? ": " : "",
                 error ? strerror(error) : "");
    snprintf(db->error, sizeof(db->error), "%s: can't %s: %s%s%s", db->path, what,
             sqlite3_errmsg(handle), detail, advice(code & 0xff));
    return roll_back(db);
}

int database_fail_because(struct database *db, const char *what, const char *problem)
{
    snprintf(db->error, sizeof(db->error), "%s: can't %s: %s", db->path, what, problem);
    return roll_back(db);
}

/* --- opening a database --- */

static enum database_verdict classify_error(struct database *db, const char *what)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    database_fail(db, what);
    /* SQLITE_ERROR: a table or a column that a statement names isn't there. */
    bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
    return damaged ? DATABASE_DAMAGED : DATABASE_REFUSED;
}

static enum database_verdict execute(struct database *db, const char *sql, const char *what)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? DATABASE_GOOD : classify_error(db, what);
}

/* The first column of the first row; "" if it isn't text or a number. */
static enum database_verdict query_text(struct database *db, const char *sql, char *out,
                                        size_t size)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    const unsigned char *text = rc == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    snprintf(out, size, "%s", text ? (const char *)text : "");
    sqlite3_finalize(statement); /* keeps the error of a step that failed */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? DATABASE_GOOD : classify_error(db, "read it");
}

static enum database_verdict check_version(struct database *db)
{
    char text[192];
    enum database_verdict verdict = query_text(db, "PRAGMA application_id", text, sizeof(text));
    if (verdict == DATABASE_GOOD && atoll(text) != APPLICATION) {
        database_fail_because(db, "use it", "it is another program's database");
        return DATABASE_DAMAGED;
    }
    if (verdict == DATABASE_GOOD)
        verdict = query_text(db, "PRAGMA user_version", text, sizeof(text));
    long long version = atoll(text);
    if (verdict != DATABASE_GOOD || version == VERSION)
        return verdict;
    if (version > VERSION)
        snprintf(text, sizeof(text),
                 "a newer knockd wrote it, in version %lld of the format and not %d: install that "
                 "one again, or move the file away, and what it left open stays open",
                 version, VERSION);
    else
        snprintf(text, sizeof(text), "it has version %lld of the format and not %d", version,
                 VERSION);
    database_fail_because(db, "use it", text);
    return version > VERSION ? DATABASE_REFUSED : DATABASE_DAMAGED;
}

static enum database_verdict check_pages(struct database *db)
{
    char text[160];
    enum database_verdict verdict = query_text(db, "PRAGMA quick_check(1)", text, sizeof(text));
    if (verdict != DATABASE_GOOD)
        return verdict;
    /* We may write to the file, so it is its header that says no. */
    if (strcmp(text, "ok") == 0 && sqlite3_db_readonly(db->handle, "main") == 1)
        snprintf(text, sizeof(text), "its header is of no version that there was");
    if (strcmp(text, "ok") == 0)
        return verdict;
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ' ';
    database_fail_because(db, "read it", text);
    return DATABASE_DAMAGED;
}

static enum database_verdict use_wal(struct database *db)
{
    char mode[16];
    enum database_verdict verdict = query_text(db, "PRAGMA journal_mode=WAL", mode, sizeof(mode));
    if (verdict != DATABASE_GOOD || strcmp(mode, "wal") == 0)
        return verdict;
    database_fail_because(db, "keep a write-ahead log for it", "SQLite refuses to");
    return DATABASE_REFUSED;
}

static enum database_verdict prepare(struct database *db)
{
    for (unsigned i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(db->handle, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i], NULL) != SQLITE_OK)
            return classify_error(db, "use it");
    return DATABASE_GOOD;
}

static enum database_verdict connect_to(struct database *db, const char *path)
{
    *db = (struct database){.path = path};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK)
        return classify_error(db, "open it");
    /* What turns out to be damaged is to be left as it was found, its journal included. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return execute(db, settings, "set it up");
}

void database_close(struct database *db)
{
    for (unsigned i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    sqlite3_close(db->handle);
    db->handle = NULL;
}

void database_abandon(struct database *db)
{
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    database_close(db);
}

enum database_verdict database_open(struct database *db, const char *path)
{
    enum database_verdict verdict = connect_to(db, path);
    if (verdict == DATABASE_GOOD)
        verdict = check_version(db);
    if (verdict == DATABASE_GOOD)
        verdict = check_pages(db);
    if (verdict == DATABASE_GOOD)
        verdict = use_wal(db);
    if (verdict == DATABASE_GOOD)
        verdict = prepare(db);
    if (verdict == DATABASE_GOOD)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    else
        database_close(db);
    return verdict;
}

/* --- making and copying --- */

int database_make(const char *path, uint64_t begin, uint64_t serial, char *why, size_t why_size)
{
    static const char what[] = "make it";
    struct database db;
    enum database_verdict verdict = connect_to(&db, path);
    char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s;"
                                "INSERT INTO sealed(key, last, used) VALUES(x'', %lld, 0);"
                                "INSERT INTO number VALUES('serial', %lld);"
                                "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                                tables, (long long)begin, (long long)serial, APPLICATION, VERSION);
    int rc = verdict == DATABASE_GOOD ? 0 : -1;
    if (rc == 0 && !sql)
        rc = database_fail_because(&db, what, "out of memory");
    else if (rc == 0 && sqlite3_exec(db.handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        rc = database_fail(&db, what);
    if (rc < 0)
        snprintf(why, why_size, "%s", db.error);
    sqlite3_free(sql);
    database_close(&db);
    return rc;
}

int database_copy(struct database *db, const char *path)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->handle, "VACUUM INTO ?", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    rc = rc == SQLITE_DONE ? 0 : database_fail(db, "copy it");
    sqlite3_finalize(statement);
    return rc;
}
