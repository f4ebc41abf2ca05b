/*
 * A store is made or opened -> written in transactions, before each of which its files are looked
 * at: those that aren't at their paths any more are made again -> closed. Each transaction that
 * opens or uses up something has a number, which the folder's mark follows.
 */
#include "keeper/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper/database.h"
#include "keeper/store_blob.h"
#include "keeper/store_file.h"
#include "keeper/store_layout.h"
#include "lib/log.h"

struct store {
    struct database *db;
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
};

static const int64_t second = 1 << 16; /* in units of a message's time */

/* --- making, opening, replacing --- */

static int write_mark(struct store *store, bool sync)
{
    if (!store->mark_path)
        return 0;
    store->unwritten = store_mark_write(store->mark_path, &store->mark, sync) < 0;
    return store->unwritten ? -1 : 0;
}

/* Goes on counting where an earlier store of this folder ended, so that a copy of that one is told
 * from this; and nothing that may have been used up there is good here. */
static int fill_new(const struct store *store, struct database *db)
{
    static const char what[] = "make it";
    if (database_put(db, DELAY_SEALED, what, "i", store->skew * second) < 0 ||
        database_put(db, BEGIN_SEALED, what, "i", (int64_t)store->mark.newest) < 0 ||
        database_put(db, SET_MARK, what, "ti", "serial", (int64_t)store->mark.serial) < 0)
        return -1;
    return database_commit(db);
}

/* An empty store in the file `name`. */
static int make_empty(const struct store *store, const char *name, char *why, size_t why_size)
{
    struct database *db;
    if (store_file_make(name, why, why_size) < 0 ||
        database_open(name, true, store_layout(), &db, why, why_size) != DATABASE_GOOD)
        return -1;
    int rc = fill_new(store, db);
    if (rc < 0)
        snprintf(why, why_size, "%s", database_error(db));
    database_close(db);
    return rc;
}

/*
 * Made under another name: so a store under its own name is whole, whenever the power fails. It
 * begins with what is committed in `old`, unless that is NULL.
 */
static int make_file(const struct store *store, struct database *old, char *why, size_t why_size)
{
    char *name;
    int rc;
    if (asprintf(&name, "%s.new", store->path) < 0) {
        snprintf(why, why_size, "can't make %s: out of memory", store->path);
        return -1;
    }
    if (!old) {
        rc = make_empty(store, name, why, why_size);
    } else {
        rc = store_file_make(name, why, why_size);
        if (rc == 0 && (rc = database_copy(old, name)) < 0)
            snprintf(why, why_size, "%s", database_error(old));
    }
    if (rc == 0) {
        store_file_remove(store->path); /* its journal would be taken for the new one's */
        rc = store_file_install(name, store->path, why, why_size);
    }
    if (rc < 0)
        store_file_remove(name);
    free(name);
    return rc;
}

/* `make`: a store that is missing. */
static enum database_verdict open_file(struct store *store, bool make, struct store_found *found,
                                       char *why, size_t why_size)
{
    enum store_file file = store_file_judge(store->path, why, why_size);
    if (file == STORE_FILE_EMPTY) {
        snprintf(why, why_size, "%s is empty", store->path);
        return DATABASE_DAMAGED;
    }
    if (file == STORE_FILE_MISSING && !make)
        snprintf(why, why_size, "%s isn't there", store->path);
    if (file == STORE_FILE_REFUSED ||
        (file == STORE_FILE_MISSING && (!make || make_file(store, NULL, why, why_size) < 0)))
        return DATABASE_REFUSED;
    found->made = file == STORE_FILE_MISSING;
    return database_open(store->path, false, store_layout(), &store->db, why, why_size);
}

static int open_or_replace(struct store *store, bool make, struct store_found *found, char *why,
                           size_t why_size)
{
    enum database_verdict verdict = open_file(store, make, found, why, why_size);
    if (verdict == DATABASE_DAMAGED && make) {
        found->moved = store_file_move(store->path, "damaged", why, why_size);
        if (!found->moved)
            return -1;
        verdict = open_file(store, true, found, why, why_size);
    }
    return verdict == DATABASE_GOOD ? 0 : -1;
}

static int read_number(struct store *store, unsigned statement, const char *what, int64_t *out)
{
    int rc = database_next(store->db, statement, what);
    bool good = rc == 1 && database_int(store->db, statement, 0, out);
    database_end(store->db, statement);
    return good ? 0 : -1;
}

static uint64_t wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return sealed_time(now.tv_sec, (int32_t)now.tv_nsec);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The mark never goes down: what was used up in a store that is gone is known by it alone. */
static void raise_mark(struct store_mark *mark, struct store_mark to)
{
    mark->serial = later(mark->serial, to.serial);
    mark->begin = later(mark->begin, to.begin);
    mark->newest = later(mark->newest, later(to.newest, to.begin));
}

/* As far as the database knows. */
static int read_mark(struct store *store, struct store_mark *out)
{
    int64_t serial = store_number(store, "serial"), newest, begin;
    if (serial < 0 || read_number(store, NEWEST_SEALED, "read it", &newest) < 0 ||
        read_number(store, BEGIN_OF_SEALED, "read it", &begin) < 0)
        return database_fail(store->db, "read it", "its serial number isn't in it");
    *out = (struct store_mark){(uint64_t)serial, (uint64_t)newest, (uint64_t)begin};
    return 0;
}

/* Has sealed messages begin where the mark says, in the database as well if that can be written:
 * if not, the next start finds the same. */
static void begin_later(struct store *store, uint64_t begin)
{
    store->begin = begin;
    raise_mark(&store->mark, (struct store_mark){.begin = begin});
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
    raise_mark(&store->mark, now);
    if (found->older) {
        store->mark.serial++;
        begin_later(store, store->mark.newest);
    } else if (found->unmarked) {
        begin_later(store, later(now.begin, wall_time() + (uint64_t)(store->skew * second)));
    }
    return 0;
}

/* The mark's file is as long as it should be, or it is made again. */
static int take_up_mark(struct store *store, bool marked, struct store_found *found, char *why,
                        size_t why_size)
{
    if (store_files_hold(&store->files, store->path) < 0) {
        snprintf(why, why_size, "%s: can't watch it: %s", store->path, strerror(errno));
        return -1;
    }
    if (!store->mark_path)
        return 0;
    if (compare_mark(store, marked, found) < 0) {
        snprintf(why, why_size, "%s", database_error(store->db));
        return -1;
    }
    if (!marked)
        unlink(store->mark_path);
    /* What is stored is to be undone, though nothing can be written now. */
    write_mark(store, true);
    return 0;
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
    snprintf(store->boot, sizeof(store->boot), "%s", boot_id);
    store->skew = skew;
    store->files = (struct store_files){.file = {{.fd = -1}, {.fd = -1}}};
    bool marked = make && store_mark_read(store->mark_path, &store->mark);
    if (open_or_replace(store, make, found, why, why_size) == 0 &&
        take_up_mark(store, marked, found, why, why_size) == 0)
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->db && store_files_there(&store->files)) {
        write_mark(store, true);
        database_close(store->db);
    } else if (store->db) {
        database_abandon(store->db);
    }
    store_files_drop(&store->files);
    free(store->path);
    free(store->mark_path);
    free(store);
}

/* Puts a whole store at its path, in place of whatever is there, and works with that from here on.
 */
static int replace(struct store *store, bool whole, char *why, size_t why_size)
{
    struct database *old = store->db, *db;
    char *moved = NULL;
    if (store_file_folder(store->path, why, why_size) < 0)
        return -1;
    if (access(store->path, F_OK) == 0 &&
        !(moved = store_file_move(store->path, "replaced", why, why_size)))
        return -1;
    if (moved)
        log_error("what is at its path is moved to %s", moved);
    free(moved);
    store->mark.serial += !whole;
    if (make_file(store, whole ? old : NULL, why, why_size) < 0 ||
        database_open(store->path, false, store_layout(), &db, why, why_size) != DATABASE_GOOD)
        return -1;
    store_files_drop(&store->files);
    database_abandon(old);
    store->db = db;
    store->remade += !whole;
    if (store_files_hold(&store->files, store->path) < 0) {
        snprintf(why, why_size, "can't watch %s: %s", store->path, strerror(errno));
        return -1;
    }
    struct store_mark now;
    if (read_mark(store, &now) < 0) {
        snprintf(why, why_size, "%s", database_error(store->db));
        return -1;
    }
    raise_mark(&store->mark, now);
    write_mark(store, true);
    return 0;
}

int store_look(struct store *store)
{
    char why[512];
    if (database_dirty(store->db))
        return 0;
    /* What was rolled back may have been in the journal by then. */
    if (store->begun)
        store_files_note(&store->files);
    store->begun = false;
    enum store_files_verdict verdict = store_files_look(&store->files);
    if (verdict == STORE_FILES_SAME)
        return 0;
    if (!store->away)
        log_error("THE STATE IS NOT WHERE IT WAS: %s was %s while knockd runs; making it again",
                  store->path,
                  verdict == STORE_FILES_AWAY ? "removed, renamed or replaced"
                                              : "written to by another program");
    store->away = true;
    if (replace(store, verdict == STORE_FILES_AWAY, why, sizeof(why)) < 0)
        return database_fail(store->db, "make it again", why);
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

unsigned store_remade(const struct store *store)
{
    return store->remade;
}

/* --- writing --- */

/* What comes first in each writer. */
static int begin(struct store *store, bool counts)
{
    if (database_dirty(store->db)) {
        store->counts |= counts;
        return 0;
    }
    if (store_look(store) < 0)
        return -1;
    store->counts = counts;
    store->begun = true;
    return 0;
}

static int put_opening(struct store *store, const struct stored_door *door, const char *address,
                       const char *what)
{
    size_t size;
    uint8_t *blob = store_blob_encode(door, &size);
    if (!blob)
        return database_fail(store->db, what, "out of memory");
    int rc = database_put(store->db, ADD_OPENING, what, "iitiiitttbii", door->id,
                          (int64_t)door->state, store->boot, door->deadline, door->length,
                          door->opened_wall, door->name, address, door->by, (const void *)blob,
                          size, (int64_t)door->port.port, (int64_t)door->port.proto);
    free(blob);
    return rc;
}

int store_add(struct store *store, struct stored_door *door)
{
    static const char what[] = "record an opening";
    char address[ADDR_TEXT_SIZE];
    assert(door->address.family != 0);
    addr_format(&door->address, address);
    if (begin(store, true) < 0 ||
        database_put(store->db, ADD_HISTORY, what, "ittt", door->opened_wall, door->name, address,
                     door->by) < 0)
        return -1;
    door->id = database_last_id(store->db);
    door->this_boot = true;
    if (database_put(store->db, TRIM_HISTORY, what, "i", door->id - STORE_HISTORY_MAX) < 0)
        return -1;
    return put_opening(store, door, address, what);
}

int store_update(struct store *store, int64_t id, enum stored_state state, int64_t deadline)
{
    static const char what[] = "record a change of an opening";
    if (begin(store, false) < 0 || database_put(store->db, UPDATE_OPENING, what, "iiti",
                                                (int64_t)state, deadline, store->boot, id) < 0)
        return -1;
    if (database_changes(store->db) == 1)
        return 0;
    return database_fail(store->db, what, "it isn't stored; was the file changed by hand?");
}

int store_remove(struct store *store, int64_t id, int64_t closed_wall, const char *end)
{
    static const char what[] = "record the end of an opening";
    if (begin(store, false) < 0 || database_put(store->db, REMOVE_OPENING, what, "i", id) < 0)
        return -1;
    return database_put(store->db, END_HISTORY, what, "iti", closed_wall, end, id);
}

bool store_dirty(const struct store *store)
{
    return database_dirty(store->db);
}

/* An older copy of the store can be told by the mark alone: what that can't follow isn't opened. */
static int commit_counted(struct store *store)
{
    static const char what[] = "make what was written durable";
    if (store->unwritten && write_mark(store, false) < 0) {
        char why[160];
        snprintf(why, sizeof(why), "%s: %s", store->mark_path, strerror(errno));
        return database_fail(store->db, what, why);
    }
    if (database_put(store->db, ADD_SERIAL, what, "") < 0 || database_commit(store->db) < 0)
        return -1;
    store->mark.serial++;
    write_mark(store, false);
    return 0;
}

int store_commit(struct store *store)
{
    if (!database_dirty(store->db))
        return 0;
    if (!store_files_there(&store->files))
        return database_fail(store->db, "make what was written durable",
                             "it isn't at its path any more");
    int rc = store->counts ? commit_counted(store) : database_commit(store->db);
    store_files_note(&store->files);
    store->begun = false;
    return rc;
}

const char *store_error(const struct store *store)
{
    return database_error(store->db);
}

static bool read_address(struct store *store, unsigned statement, int column, struct addr *out)
{
    char text[ADDR_TEXT_SIZE];
    return database_text(store->db, statement, column, text, sizeof(text)) &&
           addr_parse(text, strlen(text), out);
}

/* Ports of all 16 bits, protocols of 8. */
static bool read_port(struct store *store, int column, struct port_proto *out)
{
    int64_t port, proto;
    bool good = database_int(store->db, EACH_OPENING, column, &port) &&
                database_int(store->db, EACH_OPENING, column + 1, &proto) && port >= 0 &&
                port <= UINT16_MAX && proto >= 0 && proto <= UINT8_MAX;
    if (good)
        *out = (struct port_proto){(uint16_t)port, (uint8_t)proto};
    return good;
}

/* As store_blob_decode. */
static int read_opening(struct store *store, struct stored_door *door)
{
    struct database *db = store->db;
    char boot[sizeof(store->boot)];
    int64_t state;
    const uint8_t *blob;
    size_t size;
    bool good = database_int(db, EACH_OPENING, 0, &door->id) &&
                database_int(db, EACH_OPENING, 1, &state) && state >= STORED_OPENING &&
                state <= STORED_CLOSING && database_text(db, EACH_OPENING, 2, boot, sizeof(boot)) &&
                database_int(db, EACH_OPENING, 3, &door->deadline) &&
                database_int(db, EACH_OPENING, 4, &door->length) &&
                database_int(db, EACH_OPENING, 5, &door->opened_wall) &&
                database_text(db, EACH_OPENING, 6, door->name, sizeof(door->name)) &&
                read_address(store, EACH_OPENING, 7, &door->address) &&
                database_text(db, EACH_OPENING, 8, door->by, sizeof(door->by)) &&
                database_blob(db, EACH_OPENING, 9, &blob, &size) &&
                read_port(store, 10, &door->port);
    if (!good)
        return -1;
    door->state = (enum stored_state)state;
    door->this_boot = strcmp(boot, store->boot) == 0;
    return store_blob_decode(blob, size, door);
}

int store_each(struct store *store, void (*each)(void *arg, struct stored_door *door), void *arg)
{
    static const char what[] = "read the openings";
    int more, bad = 0;
    while ((more = database_next(store->db, EACH_OPENING, what)) == 1) {
        struct stored_door door = {0};
        int rc = read_opening(store, &door);
        if (rc == -2) {
            more = database_fail(store->db, what, "out of memory");
            break;
        }
        if (rc == 0)
            each(arg, &door);
        else if (bad++ == 0)
            database_remark(store->db,
                            "opening %lld can't be understood, and what it opened may be open: "
                            "close that by hand, stop knockd, and run sqlite3 on the file with "
                            "\"DELETE FROM opening WHERE id = %lld\"",
                            (long long)door.id, (long long)door.id);
        stored_door_free(&door);
    }
    database_end(store->db, EACH_OPENING);
    return more < 0 ? -1 : bad;
}

static bool read_event(struct store *store, struct stored_event *event)
{
    struct database *db = store->db;
    return database_int(db, EACH_HISTORY, 0, &event->opened_wall) &&
           database_int(db, EACH_HISTORY, 1, &event->closed_wall) &&
           database_text(db, EACH_HISTORY, 2, event->name, sizeof(event->name)) &&
           read_address(store, EACH_HISTORY, 3, &event->address) &&
           database_text(db, EACH_HISTORY, 4, event->by, sizeof(event->by)) &&
           database_text(db, EACH_HISTORY, 5, event->end, sizeof(event->end));
}

int store_history(struct store *store, unsigned max,
                  void (*each)(void *arg, const struct stored_event *event), void *arg)
{
    int more, bad = 0;
    database_ask(store->db, EACH_HISTORY, "i", (int64_t)max);
    while ((more = database_next(store->db, EACH_HISTORY, "read the history")) == 1) {
        struct stored_event event = {0};
        if (read_event(store, &event))
            each(arg, &event);
        else
            bad++;
    }
    database_end(store->db, EACH_HISTORY);
    return more < 0 ? -1 : bad;
}

int store_once_used(struct store *store, const char *door, const char *sequence)
{
    database_ask(store->db, USED_ONCE, "tt", door, sequence);
    int used = database_next(store->db, USED_ONCE, "look up a one-time sequence");
    database_end(store->db, USED_ONCE);
    return used;
}

int store_once_use(struct store *store, const char *door, const char *sequence, int64_t wall)
{
    if (begin(store, true) < 0 || database_put(store->db, USE_ONCE, "use up a one-time sequence",
                                               "tti", door, sequence, wall) < 0)
        return -1;
    return database_changes(store->db) == 1 ? 0 : 1;
}

int store_sealed_last(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t *last,
                      int64_t *wall)
{
    static const char what[] = "look up the last knock of a key";
    int64_t time = 0;
    database_ask(store->db, LAST_SEALED, "b", (const void *)id, (size_t)SEALED_ID_SIZE);
    int rc = database_next(store->db, LAST_SEALED, what) < 0 ? -1 : 0;
    bool good = rc == 0 && database_int(store->db, LAST_SEALED, 0, &time) && time > 0 &&
                database_int(store->db, LAST_SEALED, 1, wall);
    database_end(store->db, LAST_SEALED);
    *last = (uint64_t)time > store->begin ? (uint64_t)time : store->begin;
    if (good || rc < 0)
        return rc;
    return database_fail(store->db, what, "its creation isn't in it; was it changed by hand?");
}

int store_sealed_use(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t time,
                     int64_t wall)
{
    if (begin(store, true) < 0 ||
        database_put(store->db, USE_SEALED, "use up a sealed knock", "bii", (const void *)id,
                     (size_t)SEALED_ID_SIZE, (int64_t)time, wall) < 0)
        return -1;
    if (database_changes(store->db) != 1)
        return 1;
    /* Of a transaction that isn't committed, this forbids too much, which is safe. */
    if (time > store->mark.newest)
        store->mark.newest = time;
    return 0;
}

int store_sealed_begin(struct store *store, uint64_t time)
{
    if (begin(store, false) < 0)
        return -1;
    return database_put(store->db, BEGIN_SEALED, "have sealed knocks begin later", "i",
                        (int64_t)time);
}

int store_sealed_forced(struct store *store, const uint8_t id[SEALED_ID_SIZE])
{
    database_ask(store->db, FORCED_SEALED, "b", (const void *)id, (size_t)SEALED_ID_SIZE);
    int forced = database_next(store->db, FORCED_SEALED, "look up a key");
    database_end(store->db, FORCED_SEALED);
    return forced;
}

static const char what_force[] = "record which keys are in force";

int store_sealed_force(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t time)
{
    if (begin(store, false) < 0)
        return -1;
    return database_put(store->db, FORCE_SEALED, what_force, "bi", (const void *)id,
                        (size_t)SEALED_ID_SIZE, (int64_t)time);
}

int store_sealed_force_end(struct store *store)
{
    return begin(store, false) < 0 ? -1 : database_put(store->db, END_FORCE, what_force, "");
}

int64_t store_number(struct store *store, const char *name)
{
    int64_t value = -1;
    database_ask(store->db, GET_MARK, "t", name);
    return read_number(store, GET_MARK, "read a number", &value) < 0 ? -1 : value;
}

int store_number_set(struct store *store, const char *name, int64_t value)
{
    if (begin(store, false) < 0)
        return -1;
    return database_put(store->db, SET_MARK, "record a number", "ti", name, value);
}
