/*
 * A store is made or opened -> written in transactions, before each of which its files are checked:
 * those that aren't at their paths any more are made again -> closed. Each transaction that opens
 * or uses up something has a serial number, which the folder's mark follows, so that an older copy
 * of the store can be told.
 */
#include "keeper/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper/store_database.h"
#include "keeper/store_file.h"
#include "keeper/store_mark.h"
#include "keeper/stored_door.h"
#include "lib/log.h"

struct store {
    struct database db;
    char boot[64];
    char *path;      /* of the database */
    char *mark_path; /* NULL: the mark is left alone */
    int64_t skew;
    struct store_files files;
    struct store_mark mark; /* as the database and the folder have it */
    uint64_t begin;         /* no sealed message up to that time is good, recorded or not */
    bool counts;            /* the open transaction opens or uses up something */
    bool begun;             /* a transaction was, and it isn't committed: open or rolled back */
    bool unwritten;         /* the folder's mark couldn't follow */
    bool away;              /* its files were, and it isn't made again yet */
    unsigned remade;
    bool (*may_replace)(void *arg, char *why, size_t why_size); /* NULL: it may */
    void *arg;
};

static const int64_t second = 1 << 16; /* in units of a message's time */

static const char *const kinds[STORED_KINDS] = {
    [STORED_START] = "start",
    [STORED_STOP] = "stop",
    [STORED_EXTEND] = "extend",
    [STORED_CHECK] = "check",
};

/* --- statements --- */

/* Of the last row, or of none. */
static void reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* The bytes stay the caller's until the statement is reset. */
static void bind_text(sqlite3_stmt *statement, int number, const char *text)
{
    sqlite3_bind_text(statement, number, text, -1, SQLITE_STATIC);
}

static void bind_key(sqlite3_stmt *statement, int number, const uint8_t id[SEALED_ID_SIZE])
{
    sqlite3_bind_blob(statement, number, id, SEALED_ID_SIZE, SQLITE_STATIC);
}

/* Runs a statement that writes, once its parameters are bound. 0 or -1. */
static int run(struct store *store, enum statement which, const char *what)
{
    sqlite3_stmt *statement = store->db.statements[which];
    int rc = sqlite3_step(statement);
    reset(statement);
    return rc == SQLITE_DONE ? 0 : database_fail(&store->db, what);
}

/* Goes to the next row of a statement that reads: 1, 0 when there is none, -1. */
static int next_row(struct store *store, sqlite3_stmt *row, const char *what)
{
    int rc = sqlite3_step(row);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    sqlite3_reset(row);
    return database_fail(&store->db, what);
}

/* Columns are counted from 0. False when one is of another type, or doesn't fit. */
static bool read_number(sqlite3_stmt *row, int column, int64_t *out)
{
    *out = sqlite3_column_int64(row, column);
    return sqlite3_column_type(row, column) == SQLITE_INTEGER;
}

static bool read_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
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

static bool read_address(sqlite3_stmt *row, int column, struct addr *out)
{
    char text[ADDR_TEXT_SIZE];
    return read_text(row, column, text, sizeof(text)) && addr_parse(text, strlen(text), out);
}

/* Ports of all 16 bits, protocols of 8, in two columns. */
static bool read_port(sqlite3_stmt *row, int column, struct port_proto *out)
{
    int64_t port, proto;
    bool good = read_number(row, column, &port) && read_number(row, column + 1, &proto) &&
                port >= 0 && port <= UINT16_MAX && proto >= 0 && proto <= UINT8_MAX;
    if (good)
        *out = (struct port_proto){(uint16_t)port, (uint8_t)proto};
    return good;
}

/* The one number that a statement finds. 0 or -1. */
static int query_number(struct store *store, enum statement which, const char *what, int64_t *out)
{
    sqlite3_stmt *row = store->db.statements[which];
    bool good = next_row(store, row, what) == 1 && read_number(row, 0, out);
    reset(row);
    return good ? 0 : -1;
}

/* Whether a statement finds a row: 1, 0 or -1. */
static int query_row(struct store *store, enum statement which, const char *what)
{
    int found = next_row(store, store->db.statements[which], what);
    reset(store->db.statements[which]);
    return found;
}

/* `skew` from now: a clock ahead of ours may have made what was used up in a store that is gone. */
static uint64_t safe_begin(const struct store *store)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return sealed_time(now.tv_sec, (int32_t)now.tv_nsec) + (uint64_t)(store->skew * second);
}

/* --- the mark --- */

static int write_mark(struct store *store, bool sync)
{
    if (!store->mark_path)
        return 0;
    store->unwritten = store_mark_write(store->mark_path, &store->mark, sync) < 0;
    return store->unwritten ? -1 : 0;
}

/* As far as the database knows. */
static int read_mark(struct store *store, struct store_mark *out)
{
    static const char what[] = "read it";
    int64_t serial = store_number(store, "serial"), newest, begin;
    if (serial < 0 || query_number(store, NEWEST_SEALED, what, &newest) < 0 ||
        query_number(store, BEGIN_OF_SEALED, what, &begin) < 0)
        return database_fail_because(&store->db, what, "its serial number isn't in it");
    *out = (struct store_mark){(uint64_t)serial, (uint64_t)newest, (uint64_t)begin};
    return 0;
}

/* Has sealed messages begin where the mark says, in the database as well if that can be written:
 * if not, the next start finds the same. */
static void begin_later(struct store *store, uint64_t begin)
{
    store->begin = begin;
    store_mark_raise(&store->mark, (struct store_mark){.begin = begin});
    if (store_sealed_begin(store, begin) == 0 &&
        store_number_set(store, "serial", (int64_t)store->mark.serial) == 0)
        store_commit(store);
}

/* Compares the store with the folder's mark: what was used up since a copy was made isn't known. */
static int compare_mark(struct store *store, bool marked, struct store_found *found)
{
    struct store_mark before = store->mark, now;
    if (read_mark(store, &now) < 0)
        return -1;
    found->lost = found->made && !found->moved && before.serial > 0;
    found->older = !found->made && (now.serial < before.serial || now.begin < before.begin);
    found->unmarked = !found->made && !marked;
    store_mark_raise(&store->mark, now);
    if (found->older) {
        store->mark.serial++;
        begin_later(store, store->mark.newest);
    } else if (found->unmarked) {
        begin_later(store, sealed_later(now.begin, safe_begin(store)));
    }
    return 0;
}

/* The mark's file is as long as it should be, or it is made again. */
static int take_up_mark(struct store *store, bool marked, struct store_found *found)
{
    if (store_files_hold(&store->files, store->path) < 0)
        return database_fail_because(&store->db, "watch it", strerror(errno));
    if (!store->mark_path)
        return 0;
    if (compare_mark(store, marked, found) < 0)
        return -1;
    if (!marked)
        unlink(store->mark_path);
    /* What is stored is to be undone, though nothing can be written now. */
    write_mark(store, true);
    return 0;
}

/* --- opening and closing a store, and making it again --- */

/*
 * Makes the file of the store, with what is committed in the one that is open or, without `copy`,
 * empty: then it goes on counting where an earlier store of this folder ended, so that a copy of
 * that one is told from this; and nothing that may have been used up there is good here. It gets
 * another name first: so a store under its own name is whole, whenever the power fails.
 */
static int make_file(struct store *store, bool copy)
{
    char *name, *why = store->db.error;
    size_t size = sizeof(store->db.error);
    if (asprintf(&name, "%s.new", store->path) < 0)
        return database_fail_because(&store->db, "make it", "out of memory");
    int rc = store_file_make(name, why, size);
    if (rc == 0 && copy)
        rc = database_copy(&store->db, name);
    else if (rc == 0)
        rc = database_make(name, sealed_later(safe_begin(store), store->mark.newest),
                           store->mark.serial, why, size);
    if (rc == 0) {
        store_file_remove(store->path); /* its journal would be taken for the new one's */
        rc = store_file_install(name, store->path, why, size);
    }
    if (rc < 0)
        store_file_remove(name);
    free(name);
    return rc;
}

/* `make`: a store that is missing. */
static enum database_verdict open_file(struct store *store, bool make, struct store_found *found)
{
    switch (store_file_check(store->path, store->db.error, sizeof(store->db.error))) {
    case STORE_FILE_REFUSED:
        return DATABASE_REFUSED;
    case STORE_FILE_EMPTY:
        snprintf(store->db.error, sizeof(store->db.error), "%s is empty", store->path);
        return DATABASE_DAMAGED;
    case STORE_FILE_MISSING:
        if (!make)
            snprintf(store->db.error, sizeof(store->db.error), "%s isn't there", store->path);
        if (!make || make_file(store, false) < 0)
            return DATABASE_REFUSED;
        found->made = true;
        break;
    case STORE_FILE_THERE:
        break;
    }
    return database_open(&store->db, store->path);
}

static int open_or_replace(struct store *store, bool make, struct store_found *found)
{
    enum database_verdict verdict = open_file(store, make, found);
    if (verdict == DATABASE_DAMAGED && make) {
        char damage[sizeof(store->db.error)];
        memcpy(damage, store->db.error, sizeof(damage));
        found->moved =
            store_file_move(store->path, "damaged", store->db.error, sizeof(store->db.error));
        if (!found->moved)
            return -1;
        verdict = open_file(store, true, found);
        if (verdict == DATABASE_GOOD)
            memcpy(store->db.error, damage, sizeof(damage));
    }
    return verdict == DATABASE_GOOD ? 0 : -1;
}

struct store *store_open(const char *state_dir, const char *boot_id, int64_t skew,
                         struct store_found *found, char *why, size_t why_size)
{
    struct store *store = calloc(1, sizeof(*store));
    struct store_found ignored = {0};
    bool make = found != NULL;
    found = make ? found : &ignored;
    *found = (struct store_found){0};
    if (!store || asprintf(&store->path, "%s/state.db", state_dir) < 0 ||
        (make && asprintf(&store->mark_path, "%s/state.mark", state_dir) < 0)) {
        snprintf(why, why_size, "can't open the store in %s: out of memory", state_dir);
        free(store);
        return NULL;
    }
    store->db.path = store->path;
    snprintf(store->boot, sizeof(store->boot), "%s", boot_id);
    store->skew = skew;
    store->files = (struct store_files){.file = {{.fd = -1}, {.fd = -1}}};
    bool marked = make && store_mark_read(store->mark_path, &store->mark);
    bool good = open_or_replace(store, make, found) == 0 && take_up_mark(store, marked, found) == 0;
    snprintf(why, why_size, "%s", store->db.error);
    if (good)
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->db.handle && store_files_there(&store->files)) {
        write_mark(store, true);
        database_close(&store->db);
    } else if (store->db.handle) {
        database_abandon(&store->db);
    }
    store_files_drop(&store->files);
    free(store->path);
    free(store->mark_path);
    free(store);
}

/* Puts a store at its path, in place of whatever is there, and works with that from here on. It has
 * what the one before had if that is `whole`. */
static int replace(struct store *store, bool whole)
{
    char *moved = NULL;
    if (store->may_replace &&
        !store->may_replace(store->arg, store->db.error, sizeof(store->db.error)))
        return -1;
    if (store_file_folder(store->path, store->db.error, sizeof(store->db.error)) < 0)
        return -1;
    if (access(store->path, F_OK) == 0 &&
        !(moved =
              store_file_move(store->path, "replaced", store->db.error, sizeof(store->db.error))))
        return -1;
    if (moved)
        log_error("what is at its path is moved to %s", moved);
    free(moved);
    store->mark.serial += !whole;
    if (make_file(store, whole) < 0)
        return -1;
    struct database made;
    if (database_open(&made, store->path) != DATABASE_GOOD) {
        memcpy(store->db.error, made.error, sizeof(made.error));
        return -1;
    }
    store_files_drop(&store->files);
    database_abandon(&store->db);
    store->db = made;
    store->remade += !whole;
    if (store_files_hold(&store->files, store->path) < 0)
        return database_fail_because(&store->db, "watch it", strerror(errno));
    struct store_mark now;
    if (read_mark(store, &now) < 0)
        return -1;
    store_mark_raise(&store->mark, now);
    write_mark(store, true);
    return 0;
}

int store_check_files(struct store *store)
{
    if (store_dirty(store))
        return 0;
    /* What was rolled back may have been in the journal by then. */
    if (store->begun)
        store_files_note(&store->files);
    store->begun = false;
    enum store_files_verdict verdict = store_files_check(&store->files);
    if (verdict == STORE_FILES_SAME)
        return 0;
    if (!store->away)
        log_error("THE STATE IS NOT WHERE IT WAS: %s was %s while knockd runs; making it again",
                  store->path,
                  verdict == STORE_FILES_AWAY ? "removed, renamed or replaced"
                                              : "written to by another program");
    store->away = true;
    if (replace(store, verdict == STORE_FILES_AWAY) < 0) {
        char why[sizeof(store->db.error)];
        memcpy(why, store->db.error, sizeof(why));
        return database_fail_because(&store->db, "make it again", why);
    }
    store->away = false;
    if (verdict == STORE_FILES_AWAY)
        log_notice("the state is at its path again, and nothing of it was lost");
    else
        log_error(
            "the state was made again with what is open; the history is lost, one-time "
            "sequences that were used have to be taken out of their files, and keys whose last "
            "knock isn't known wait for %lld s",
            (long long)store->skew);
    return 0;
}

void store_ask_before_replacing(struct store *store,
                                bool (*may_replace)(void *arg, char *why, size_t why_size),
                                void *arg)
{
    store->may_replace = may_replace;
    store->arg = arg;
}

unsigned store_remade(const struct store *store)
{
    return store->remade;
}

/* --- transactions --- */

bool store_dirty(const struct store *store)
{
    return database_dirty(&store->db);
}

const char *store_error(const struct store *store)
{
    return store->db.error;
}

/* What comes first in each writer. `counts`: what it does opens or uses up something. */
static int begin(struct store *store, bool counts, const char *what)
{
    if (!store_dirty(store)) {
        if (store_check_files(store) < 0)
            return -1;
        store->counts = false;
        store->begun = true;
        if (sqlite3_exec(store->db.handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
            return database_fail(&store->db, what);
    }
    store->counts |= counts;
    return 0;
}

static const char what_commit[] = "make what was written durable";

static int commit(struct store *store)
{
    int rc = sqlite3_exec(store->db.handle, "COMMIT", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : database_fail(&store->db, what_commit);
}

/* An older copy of the store can be told by the mark alone: what that can't follow isn't opened. */
static int commit_counted(struct store *store)
{
    if (store->unwritten && write_mark(store, false) < 0) {
        char why[160];
        snprintf(why, sizeof(why), "%s: %s", store->mark_path, strerror(errno));
        return database_fail_because(&store->db, what_commit, why);
    }
    if (run(store, ADD_SERIAL, what_commit) < 0 || commit(store) < 0)
        return -1;
    store->mark.serial++;
    write_mark(store, false);
    return 0;
}

int store_commit(struct store *store)
{
    if (!store_dirty(store))
        return 0;
    if (!store_files_there(&store->files))
        return database_fail_because(&store->db, what_commit, "it isn't at its path any more");
    int rc = store->counts ? commit_counted(store) : commit(store);
    store_files_note(&store->files);
    store->begun = false;
    return rc;
}

/* --- openings --- */

static int put_command(struct store *store, int64_t opening, enum stored_kind kind,
                       unsigned position, const struct command *command, const char *what)
{
    sqlite3_stmt *add = store->db.statements[ADD_COMMAND];
    char *words = stored_command_text(command);
    if (!words)
        return database_fail_because(&store->db, what, "out of memory");
    sqlite3_bind_int64(add, 1, opening);
    bind_text(add, 2, kinds[kind]);
    sqlite3_bind_int64(add, 3, position);
    bind_text(add, 4, words);
    int rc = run(store, ADD_COMMAND, what);
    free(words);
    return rc;
}

static int put_commands(struct store *store, const struct stored_door *door, const char *what)
{
    for (unsigned kind = 0; kind < STORED_KINDS; kind++) {
        const struct commands *list = stored_commands(door, kind);
        for (unsigned i = 0; i < list->count; i++)
            if (put_command(store, door->id, kind, i, &list->items[i], what) < 0)
                return -1;
    }
    return 0;
}

static int put_opening(struct store *store, const struct stored_door *door, const char *address,
                       const char *what)
{
    sqlite3_stmt *add = store->db.statements[ADD_OPENING];
    sqlite3_bind_int64(add, 1, door->id);
    sqlite3_bind_int64(add, 2, door->state);
    bind_text(add, 3, store->boot);
    sqlite3_bind_int64(add, 4, door->deadline);
    sqlite3_bind_int64(add, 5, door->length);
    sqlite3_bind_int64(add, 6, door->opened_wall);
    bind_text(add, 7, door->name);
    bind_text(add, 8, address);
    sqlite3_bind_int64(add, 9, door->port.port);
    sqlite3_bind_int64(add, 10, door->port.proto);
    bind_text(add, 11, door->by);
    for (int i = 0; i < 4; i++)
        sqlite3_bind_int64(add, 12 + i, (int64_t)door->stop_ok[i]);
    sqlite3_bind_int64(add, 16, (int64_t)stored_door_sum(door));
    return run(store, ADD_OPENING, what);
}

static int put_history(struct store *store, const struct stored_door *door, const char *address,
                       const char *what)
{
    sqlite3_stmt *add = store->db.statements[ADD_HISTORY];
    sqlite3_bind_int64(add, 1, door->opened_wall);
    bind_text(add, 2, door->name);
    bind_text(add, 3, address);
    bind_text(add, 4, door->by);
    return run(store, ADD_HISTORY, what);
}

int store_add(struct store *store, struct stored_door *door)
{
    static const char what[] = "record an opening";
    char address[ADDR_TEXT_SIZE];
    assert(door->address.family != 0);
    addr_format(&door->address, address);
    if (begin(store, true, what) < 0 || put_history(store, door, address, what) < 0)
        return -1;
    door->id = sqlite3_last_insert_rowid(store->db.handle);
    door->this_boot = true;
    sqlite3_bind_int64(store->db.statements[TRIM_HISTORY], 1, door->id - STORE_HISTORY_MAX);
    if (run(store, TRIM_HISTORY, what) < 0 || put_opening(store, door, address, what) < 0)
        return -1;
    return put_commands(store, door, what);
}

int store_update(struct store *store, int64_t id, enum stored_state state, int64_t deadline)
{
    static const char what[] = "record a change of an opening";
    if (begin(store, false, what) < 0)
        return -1;
    sqlite3_stmt *update = store->db.statements[UPDATE_OPENING];
    sqlite3_bind_int64(update, 1, state);
    sqlite3_bind_int64(update, 2, deadline);
    bind_text(update, 3, store->boot);
    sqlite3_bind_int64(update, 4, id);
    if (run(store, UPDATE_OPENING, what) < 0)
        return -1;
    if (sqlite3_changes(store->db.handle) == 1)
        return 0;
    return database_fail_because(&store->db, what,
                                 "it isn't stored; was the file changed by hand?");
}

int store_remove(struct store *store, int64_t id, int64_t closed_wall, const char *end)
{
    static const char what[] = "record the end of an opening";
    if (begin(store, false, what) < 0)
        return -1;
    sqlite3_bind_int64(store->db.statements[REMOVE_OPENING], 1, id);
    sqlite3_bind_int64(store->db.statements[REMOVE_COMMANDS], 1, id);
    sqlite3_bind_int64(store->db.statements[END_HISTORY], 1, closed_wall);
    bind_text(store->db.statements[END_HISTORY], 2, end);
    sqlite3_bind_int64(store->db.statements[END_HISTORY], 3, id);
    int rc = run(store, REMOVE_OPENING, what);
    if (rc == 0)
        rc = run(store, REMOVE_COMMANDS, what);
    return rc == 0 ? run(store, END_HISTORY, what) : rc;
}

enum understood { UNDERSTOOD, NOT_UNDERSTOOD, NOT_READ };

/* Adds the command of a row to a list. As stored_command_parse. */
static int read_command(sqlite3_stmt *row, struct commands *list)
{
    struct command *items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items)
        return -2;
    list->items = items;
    /* The type comes first: it is that of the row until the text is asked for. */
    bool is_text = sqlite3_column_type(row, 0) == SQLITE_TEXT;
    const char *text = (const char *)sqlite3_column_text(row, 0);
    if (!is_text || !text)
        return is_text ? -2 : -1;
    int rc = stored_command_parse(text, (size_t)sqlite3_column_bytes(row, 0), &items[list->count]);
    list->count += rc == 0;
    return rc;
}

static enum understood read_commands(struct store *store, int64_t opening, enum stored_kind kind,
                                     struct commands *list, const char *what)
{
    sqlite3_stmt *row = store->db.statements[EACH_COMMAND];
    int more = 0, rc = 0;
    sqlite3_bind_int64(row, 1, opening);
    bind_text(row, 2, kinds[kind]);
    while (rc == 0 && (more = next_row(store, row, what)) == 1)
        rc = read_command(row, list);
    reset(row);
    if (rc == -2)
        database_fail_because(&store->db, what, "out of memory");
    return rc == -2 || more < 0 ? NOT_READ : rc < 0 ? NOT_UNDERSTOOD : UNDERSTOOD;
}

/* All columns but the last, which is the sum. */
static bool read_columns(const struct store *store, sqlite3_stmt *row, struct stored_door *door)
{
    char boot[sizeof(store->boot)];
    int64_t state, ok;
    bool good = read_number(row, 0, &door->id) && read_number(row, 1, &state) &&
                state >= STORED_OPENING && state <= STORED_CLOSING &&
                read_text(row, 2, boot, sizeof(boot)) && read_number(row, 3, &door->deadline) &&
                read_number(row, 4, &door->length) && read_number(row, 5, &door->opened_wall) &&
                read_text(row, 6, door->name, sizeof(door->name)) &&
                read_address(row, 7, &door->address) && read_port(row, 8, &door->port) &&
                read_text(row, 10, door->by, sizeof(door->by));
    for (int i = 0; i < 4 && good; i++) {
        good = read_number(row, 11 + i, &ok);
        door->stop_ok[i] = (uint64_t)ok;
    }
    if (!good)
        return false;
    door->state = (enum stored_state)state;
    door->this_boot = strcmp(boot, store->boot) == 0;
    return true;
}

/* Nothing of an opening may be another than what was added: its commands are run. */
static enum understood read_opening(struct store *store, sqlite3_stmt *row,
                                    struct stored_door *door, const char *what)
{
    struct commands *const lists[STORED_KINDS] = {
        [STORED_START] = &door->start,
        [STORED_STOP] = &door->stop,
        [STORED_EXTEND] = &door->extend,
        [STORED_CHECK] = &door->check,
    };
    int64_t sum;
    enum understood understood = UNDERSTOOD;
    if (!read_columns(store, row, door) || !read_number(row, 15, &sum))
        return NOT_UNDERSTOOD;
    for (unsigned kind = 0; kind < STORED_KINDS && understood == UNDERSTOOD; kind++)
        understood = read_commands(store, door->id, kind, lists[kind], what);
    if (understood == UNDERSTOOD && (uint64_t)sum != stored_door_sum(door))
        understood = NOT_UNDERSTOOD;
    return understood;
}

int store_each(struct store *store, void (*each)(void *arg, struct stored_door *door), void *arg)
{
    static const char what[] = "read the openings";
    sqlite3_stmt *row = store->db.statements[EACH_OPENING];
    enum understood understood = UNDERSTOOD;
    int more = 0, bad = 0;
    while (understood != NOT_READ && (more = next_row(store, row, what)) == 1) {
        struct stored_door door = {0};
        understood = read_opening(store, row, &door, what);
        if (understood == UNDERSTOOD)
            each(arg, &door);
        else if (understood == NOT_UNDERSTOOD && bad++ == 0)
            snprintf(store->db.error, sizeof(store->db.error),
                     "%s: opening %lld can't be understood, and what it opened may be open: close "
                     "that by hand, stop knockd, and run sqlite3 on the file with \"DELETE FROM "
                     "opening WHERE id = %lld\"",
                     store->path, (long long)door.id, (long long)door.id);
        stored_door_free(&door);
    }
    reset(row);
    return more < 0 || understood == NOT_READ ? -1 : bad;
}

/* --- the history --- */

static bool read_event(sqlite3_stmt *row, struct stored_event *event)
{
    return read_number(row, 0, &event->opened_wall) && read_number(row, 1, &event->closed_wall) &&
           read_text(row, 2, event->name, sizeof(event->name)) &&
           read_address(row, 3, &event->address) &&
           read_text(row, 4, event->by, sizeof(event->by)) &&
           read_text(row, 5, event->end, sizeof(event->end));
}

int store_history(struct store *store, unsigned max,
                  void (*each)(void *arg, const struct stored_event *event), void *arg)
{
    sqlite3_stmt *row = store->db.statements[EACH_HISTORY];
    int more, bad = 0;
    sqlite3_bind_int64(row, 1, max);
    while ((more = next_row(store, row, "read the history")) == 1) {
        struct stored_event event = {0};
        if (read_event(row, &event))
            each(arg, &event);
        else
            bad++;
    }
    reset(row);
    return more < 0 ? -1 : bad;
}

/* --- one-time sequences --- */

int store_once_used(struct store *store, const char *door, const char *sequence)
{
    bind_text(store->db.statements[USED_ONCE], 1, door);
    bind_text(store->db.statements[USED_ONCE], 2, sequence);
    return query_row(store, USED_ONCE, "look up a one-time sequence");
}

int store_once_use(struct store *store, const char *door, const char *sequence, int64_t wall)
{
    static const char what[] = "use up a one-time sequence";
    if (begin(store, true, what) < 0)
        return -1;
    sqlite3_stmt *use = store->db.statements[USE_ONCE];
    bind_text(use, 1, door);
    bind_text(use, 2, sequence);
    sqlite3_bind_int64(use, 3, wall);
    if (run(store, USE_ONCE, what) < 0)
        return -1;
    return sqlite3_changes(store->db.handle) == 1 ? 0 : 1;
}

/* --- sealed knocks --- */

int store_sealed_last(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t *last,
                      int64_t *wall)
{
    static const char what[] = "look up the last knock of a key";
    sqlite3_stmt *row = store->db.statements[LAST_SEALED];
    int64_t time = 0;
    bind_key(row, 1, id);
    int rc = next_row(store, row, what) < 0 ? -1 : 0;
    bool good = rc == 0 && read_number(row, 0, &time) && time > 0 && read_number(row, 1, wall);
    reset(row);
    *last = sealed_later((uint64_t)time, store->begin);
    if (good || rc < 0)
        return rc;
    return database_fail_because(&store->db, what,
                                 "its creation isn't in it; was it changed by hand?");
}

int store_sealed_use(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t time,
                     int64_t wall)
{
    static const char what[] = "use up a sealed knock";
    if (begin(store, true, what) < 0)
        return -1;
    sqlite3_stmt *use = store->db.statements[USE_SEALED];
    bind_key(use, 1, id);
    sqlite3_bind_int64(use, 2, (int64_t)time);
    sqlite3_bind_int64(use, 3, wall);
    if (run(store, USE_SEALED, what) < 0)
        return -1;
    if (sqlite3_changes(store->db.handle) != 1)
        return 1;
    /* Of a transaction that isn't committed, this forbids too much, which is safe. */
    store_mark_raise(&store->mark, (struct store_mark){.newest = time});
    return 0;
}

int store_sealed_begin(struct store *store, uint64_t time)
{
    static const char what[] = "have sealed knocks begin later";
    if (begin(store, false, what) < 0)
        return -1;
    sqlite3_bind_int64(store->db.statements[BEGIN_SEALED], 1, (int64_t)time);
    return run(store, BEGIN_SEALED, what);
}

int store_sealed_begun(struct store *store, uint64_t *begin)
{
    int64_t recorded = 0;
    int rc = query_number(store, BEGIN_OF_SEALED, "look up when sealed knocks begin", &recorded);
    *begin = sealed_later((uint64_t)recorded, store->begin);
    return rc < 0 ? -1 : 0;
}

int store_sealed_forced(struct store *store, const uint8_t id[SEALED_ID_SIZE])
{
    bind_key(store->db.statements[FORCED_SEALED], 1, id);
    return query_row(store, FORCED_SEALED, "look up a key");
}

static const char what_force[] = "record which keys are in force";

int store_sealed_force(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t time)
{
    if (begin(store, false, what_force) < 0)
        return -1;
    bind_key(store->db.statements[FORCE_SEALED], 1, id);
    sqlite3_bind_int64(store->db.statements[FORCE_SEALED], 2, (int64_t)time);
    return run(store, FORCE_SEALED, what_force);
}

int store_sealed_force_end(struct store *store)
{
    return begin(store, false, what_force) < 0 ? -1 : run(store, END_FORCE, what_force);
}

/* --- numbers --- */

int64_t store_number(struct store *store, const char *name)
{
    int64_t value = -1;
    bind_text(store->db.statements[GET_NUMBER], 1, name);
    return query_number(store, GET_NUMBER, "read a number", &value) < 0 ? -1 : value;
}

int store_number_set(struct store *store, const char *name, int64_t value)
{
    static const char what[] = "record a number";
    if (begin(store, false, what) < 0)
        return -1;
    bind_text(store->db.statements[SET_NUMBER], 1, name);
    sqlite3_bind_int64(store->db.statements[SET_NUMBER], 2, value);
    return run(store, SET_NUMBER, what);
}
