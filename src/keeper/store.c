#include "keeper/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/database.h"
#include "keeper/store_blob.h"
#include "keeper/store_file.h"
#include "keeper/store_layout.h"

struct store {
    struct database *db;
    char boot[64];
};

/* Made under another name: so a store under its own name is whole, whenever the power fails. */
static int make_file(struct store *store, const char *path, char *why, size_t why_size)
{
    char *name;
    int rc = -1;
    if (asprintf(&name, "%s.new", path) < 0) {
        snprintf(why, why_size, "can't make %s: out of memory", path);
        return -1;
    }
    if (store_file_make(name, why, why_size) == 0 &&
        database_open(name, true, store_layout(), &store->db, why, why_size) == DATABASE_GOOD) {
        database_close(store->db);
        store->db = NULL;
        store_file_remove(path); /* a journal without its file would be taken for the new one's */
        rc = store_file_install(name, path, why, why_size);
    }
    if (rc < 0)
        store_file_remove(name);
    free(name);
    return rc;
}

/* `make`: a store that is missing. */
static enum database_verdict open_file(struct store *store, const char *path, bool make, char *why,
                                       size_t why_size)
{
    enum store_file file = store_file_judge(path, why, why_size);
    if (file == STORE_FILE_EMPTY) {
        snprintf(why, why_size, "%s is empty", path);
        return DATABASE_DAMAGED;
    }
    if (file == STORE_FILE_MISSING && !make)
        snprintf(why, why_size, "%s isn't there", path);
    if (file == STORE_FILE_REFUSED ||
        (file == STORE_FILE_MISSING && (!make || make_file(store, path, why, why_size) < 0)))
        return DATABASE_REFUSED;
    return database_open(path, false, store_layout(), &store->db, why, why_size);
}

static int open_or_replace(struct store *store, const char *path, char **moved, char *why,
                           size_t why_size)
{
    enum database_verdict verdict = open_file(store, path, moved != NULL, why, why_size);
    if (verdict == DATABASE_DAMAGED && moved) {
        *moved = store_file_move(path, why, why_size);
        if (!*moved)
            return -1;
        verdict = open_file(store, path, true, why, why_size);
    }
    return verdict == DATABASE_GOOD ? 0 : -1;
}

struct store *store_open(const char *state_dir, const char *boot_id, char **moved, char *why,
                         size_t why_size)
{
    struct store *store = calloc(1, sizeof(*store));
    char *path = NULL;
    int rc = -1;
    if (moved)
        *moved = NULL;
    if (!store || asprintf(&path, "%s/state.db", state_dir) < 0) {
        path = NULL;
        snprintf(why, why_size, "can't open the store in %s: out of memory", state_dir);
    } else {
        snprintf(store->boot, sizeof(store->boot), "%s", boot_id);
        rc = open_or_replace(store, path, moved, why, why_size);
    }
    free(path);
    if (rc == 0)
        return store;
    free(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (store)
        database_close(store->db);
    free(store);
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
    if (database_put(store->db, ADD_HISTORY, what, "ittt", door->opened_wall, door->name, address,
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
    if (database_put(store->db, UPDATE_OPENING, what, "iiti", (int64_t)state, deadline, store->boot,
                     id) < 0)
        return -1;
    if (database_changes(store->db) == 1)
        return 0;
    return database_fail(store->db, what, "it isn't stored; was the file changed by hand?");
}

int store_remove(struct store *store, int64_t id, int64_t closed_wall, const char *end)
{
    static const char what[] = "record the end of an opening";
    if (database_put(store->db, REMOVE_OPENING, what, "i", id) < 0)
        return -1;
    return database_put(store->db, END_HISTORY, what, "iti", closed_wall, end, id);
}

bool store_dirty(const struct store *store)
{
    return database_dirty(store->db);
}

int store_commit(struct store *store)
{
    return database_commit(store->db);
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
static bool read_port(struct store *store, int column, struct step *out)
{
    int64_t port, proto;
    bool good = database_int(store->db, EACH_OPENING, column, &port) &&
                database_int(store->db, EACH_OPENING, column + 1, &proto) && port >= 0 &&
                port <= UINT16_MAX && proto >= 0 && proto <= UINT8_MAX;
    if (good)
        *out = (struct step){(uint16_t)port, (uint8_t)proto};
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
    if (database_put(store->db, USE_ONCE, "use up a one-time sequence", "tti", door, sequence,
                     wall) < 0)
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
    *last = (uint64_t)time;
    if (good || rc < 0)
        return rc;
    return database_fail(store->db, what, "its creation isn't in it; was it changed by hand?");
}

int store_sealed_use(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t time,
                     int64_t wall)
{
    if (database_put(store->db, USE_SEALED, "use up a sealed knock", "bii", (const void *)id,
                     (size_t)SEALED_ID_SIZE, (int64_t)time, wall) < 0)
        return -1;
    return database_changes(store->db) == 1 ? 0 : 1;
}

int store_sealed_delay(struct store *store, int64_t seconds)
{
    return database_put(store->db, DELAY_SEALED, "have sealed knocks begin later", "i",
                        seconds << 16);
}
