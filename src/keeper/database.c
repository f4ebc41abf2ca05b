#include "keeper/database.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct database {
    sqlite3 *db;
    const struct database_layout *layout;
    char *path;
    int version; /* that it was found in; 0: just made */
    char error[640];
    sqlite3_stmt *statements[];
};

/* EXCLUSIVE before anything is read: then there is no -shm file, and nobody else gets in. No mmap:
 * an error of the disk is to be an error, not SIGBUS. */
static const char settings[] =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;"
    "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
    "PRAGMA journal_size_limit=4194304";

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

static int roll_back(struct database *db)
{
    if (db->db && database_dirty(db))
        sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

/* What SQLite has just said, in a line. Some errors roll back by themselves, others don't. */
static int failed(struct database *db, const char *what)
{
    int code = sqlite3_extended_errcode(db->db), error = sqlite3_system_errno(db->db);
    char detail[96] = "";
    /* The system's error is kept for these alone, and not always. */
    if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN)
        snprintf(detail, sizeof(detail), " (SQLite's error %d%s%s)", code, error ? ": " : "",
                 error ? strerror(error) : "");
    snprintf(db->error, sizeof(db->error), "%s: can't %s: %s%s%s", db->path, what,
             sqlite3_errmsg(db->db), detail, advice(code & 0xff));
    return roll_back(db);
}

int database_fail(struct database *db, const char *what, const char *problem)
{
    snprintf(db->error, sizeof(db->error), "%s: can't %s: %s", db->path, what, problem);
    return roll_back(db);
}

void database_remark(struct database *db, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int at = snprintf(db->error, sizeof(db->error), "%s: ", db->path);
    if (at > 0 && (size_t)at < sizeof(db->error))
        vsnprintf(db->error + at, sizeof(db->error) - (size_t)at, format, args);
    va_end(args);
}

const char *database_error(const struct database *db)
{
    return db->error;
}

static enum database_verdict judge(struct database *db, const char *what)
{
    int code = sqlite3_errcode(db->db) & 0xff;
    failed(db, what);
    /* SQLITE_ERROR: a table or a column that a statement names isn't there. */
    bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
    return damaged ? DATABASE_DAMAGED : DATABASE_REFUSED;
}

static enum database_verdict execute(struct database *db, const char *sql, const char *what)
{
    int rc = sqlite3_exec(db->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? DATABASE_GOOD : judge(db, what);
}

/* The first column of the first row; "" if it isn't text or a number. */
static enum database_verdict ask_once(struct database *db, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->db, sql, -1, &statement, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(statement) : rc;
    const unsigned char *text = rc == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    snprintf(out, size, "%s", text ? (const char *)text : "");
    sqlite3_finalize(statement); /* keeps the error of a step that failed */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? DATABASE_GOOD : judge(db, "read it");
}

/* From the version it is in to ours. */
static enum database_verdict upgrade(struct database *db)
{
    char marks[96];
    const char *what = db->version == 0 ? "make it" : "upgrade it";
    if (db->version == db->layout->version)
        return DATABASE_GOOD;
    snprintf(marks, sizeof(marks), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             db->layout->application, db->layout->version);
    enum database_verdict verdict = execute(db, "BEGIN IMMEDIATE", what);
    for (int i = db->version; i < db->layout->version && verdict == DATABASE_GOOD; i++)
        verdict = execute(db, db->layout->steps[i], what);
    return verdict == DATABASE_GOOD ? execute(db, marks, what) : verdict;
}

static enum database_verdict check_marks(struct database *db)
{
    char text[32];
    enum database_verdict verdict = ask_once(db, "PRAGMA application_id", text, sizeof(text));
    if (verdict == DATABASE_GOOD && atoll(text) != db->layout->application) {
        database_fail(db, "use it", "it is another program's database");
        return DATABASE_DAMAGED;
    }
    if (verdict == DATABASE_GOOD)
        verdict = ask_once(db, "PRAGMA user_version", text, sizeof(text));
    db->version = (int)atoll(text);
    if (verdict != DATABASE_GOOD || (db->version > 0 && db->version <= db->layout->version))
        return verdict;
    if (db->version <= 0) {
        database_fail(db, "use it", "its version is none that there was");
        return DATABASE_DAMAGED;
    }
    database_remark(db,
                    "a newer knockd wrote it, in version %d of the format and not %d: install that "
                    "one again, or move the file away, and what it left open stays open",
                    db->version, db->layout->version);
    return DATABASE_REFUSED;
}

static enum database_verdict check_pages(struct database *db)
{
    char text[160];
    enum database_verdict verdict = ask_once(db, "PRAGMA quick_check(1)", text, sizeof(text));
    if (verdict != DATABASE_GOOD)
        return verdict;
    /* We may write to the file, so it is its header that says no. */
    if (strcmp(text, "ok") == 0 && sqlite3_db_readonly(db->db, "main") == 1)
        snprintf(text, sizeof(text), "its header is of no version that there was");
    if (strcmp(text, "ok") == 0)
        return verdict;
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ' ';
    database_fail(db, "read it", text);
    return DATABASE_DAMAGED;
}

static enum database_verdict use_wal(struct database *db)
{
    char mode[16];
    enum database_verdict verdict = ask_once(db, "PRAGMA journal_mode=WAL", mode, sizeof(mode));
    if (verdict != DATABASE_GOOD || strcmp(mode, "wal") == 0)
        return verdict;
    database_fail(db, "keep a write-ahead log for it", "SQLite refuses to");
    return DATABASE_REFUSED;
}

static enum database_verdict prepare(struct database *db)
{
    for (unsigned i = 0; i < db->layout->count; i++)
        if (sqlite3_prepare_v3(db->db, db->layout->statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i], NULL) != SQLITE_OK)
            return judge(db, "use it");
    return DATABASE_GOOD;
}

typedef enum database_verdict check(struct database *db);
static check *const checks[] = {check_marks, check_pages, use_wal, upgrade, prepare};

static enum database_verdict start(struct database *db, bool make)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(db->path, &db->db, flags, NULL) != SQLITE_OK)
        return judge(db, "open it");
    /* What turns out to be damaged is to be left as it was found, its journal included. */
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    enum database_verdict verdict = execute(db, settings, "set it up");
    /* Nothing was lost with a file that we could not make. */
    if (verdict == DATABASE_GOOD && make && upgrade(db) != DATABASE_GOOD)
        verdict = DATABASE_REFUSED;
    for (unsigned i = 0; i < sizeof(checks) / sizeof(*checks) && verdict == DATABASE_GOOD; i++)
        verdict = checks[i](db);
    if (verdict == DATABASE_GOOD)
        sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return verdict;
}

enum database_verdict database_open(const char *path, bool make,
                                    const struct database_layout *layout, struct database **out,
                                    char *why, size_t why_size)
{
    struct database *db = calloc(1, sizeof(*db) + layout->count * sizeof(*db->statements));
    *out = NULL;
    if (!db || !(db->path = strdup(path))) {
        snprintf(why, why_size, "%s: can't open it: out of memory", path);
        free(db);
        return DATABASE_REFUSED;
    }
    db->layout = layout;
    enum database_verdict verdict = start(db, make);
    if (verdict == DATABASE_GOOD) {
        *out = db;
    } else {
        snprintf(why, why_size, "%s", db->error);
        database_close(db);
    }
    return verdict;
}

void database_close(struct database *db)
{
    if (!db)
        return;
    for (unsigned i = 0; i < db->layout->count; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->db);
    free(db->path);
    free(db);
}

void database_abandon(struct database *db)
{
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    database_close(db);
}

int database_copy(struct database *db, const char *path)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->db, "VACUUM INTO ?", -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        rc = sqlite3_step(statement);
    }
    rc = rc == SQLITE_DONE ? 0 : failed(db, "copy it");
    sqlite3_finalize(statement);
    return rc;
}

/* The bytes stay the caller's: no copy, so that nothing but a number's place can fail here. */
static void bind(sqlite3_stmt *statement, const char *types, va_list args)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 'i') {
            sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        } else if (*types == 't') {
            sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *bytes = va_arg(args, const void *);
            sqlite3_bind_blob64(statement, i, bytes, va_arg(args, size_t), SQLITE_STATIC);
        }
    }
}

int database_put(struct database *db, unsigned statement, const char *what, const char *types, ...)
{
    if (!database_dirty(db) &&
        sqlite3_exec(db->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return failed(db, what);
    va_list args;
    va_start(args, types);
    bind(db->statements[statement], types, args);
    va_end(args);
    int rc = sqlite3_step(db->statements[statement]);
    database_end(db, statement);
    return rc == SQLITE_DONE ? 0 : failed(db, what);
}

int database_changes(const struct database *db)
{
    return sqlite3_changes(db->db);
}

int64_t database_last_id(const struct database *db)
{
    return sqlite3_last_insert_rowid(db->db);
}

void database_ask(struct database *db, unsigned statement, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    bind(db->statements[statement], types, args);
    va_end(args);
}

int database_next(struct database *db, unsigned statement, const char *what)
{
    int rc = sqlite3_step(db->statements[statement]);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    sqlite3_reset(db->statements[statement]);
    return failed(db, what);
}

void database_end(struct database *db, unsigned statement)
{
    sqlite3_reset(db->statements[statement]);
    sqlite3_clear_bindings(db->statements[statement]);
}

bool database_int(struct database *db, unsigned statement, int column, int64_t *out)
{
    sqlite3_stmt *row = db->statements[statement];
    *out = sqlite3_column_int64(row, column);
    return sqlite3_column_type(row, column) == SQLITE_INTEGER;
}

bool database_text(struct database *db, unsigned statement, int column, char *out, size_t size)
{
    sqlite3_stmt *row = db->statements[statement];
    if (sqlite3_column_type(row, column) != SQLITE_TEXT)
        return false;
    const unsigned char *text = sqlite3_column_text(row, column);
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    if (!text || len >= size || memchr(text, '\0', len))
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

bool database_blob(struct database *db, unsigned statement, int column, const uint8_t **out,
                   size_t *size)
{
    sqlite3_stmt *row = db->statements[statement];
    if (sqlite3_column_type(row, column) != SQLITE_BLOB)
        return false;
    *out = sqlite3_column_blob(row, column);
    *size = (size_t)sqlite3_column_bytes(row, column);
    return *out != NULL;
}

bool database_dirty(const struct database *db)
{
    return !sqlite3_get_autocommit(db->db);
}

int database_commit(struct database *db)
{
    if (!database_dirty(db) || sqlite3_exec(db->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return failed(db, "make what was written durable");
}
