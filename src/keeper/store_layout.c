#include "keeper/store_layout.h"

/* An opening has the id of its line in the history, which AUTOINCREMENT never gives again. */
static const char first[] =
    "CREATE TABLE opening(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, boot TEXT NOT NULL,"
    " deadline INTEGER NOT NULL, length INTEGER NOT NULL, opened INTEGER NOT NULL,"
    " door TEXT NOT NULL, address TEXT NOT NULL, knock TEXT NOT NULL, commands BLOB NOT NULL);"
    "CREATE TABLE history(id INTEGER PRIMARY KEY AUTOINCREMENT, opened INTEGER NOT NULL,"
    " closed INTEGER NOT NULL DEFAULT 0, door TEXT NOT NULL, address TEXT NOT NULL,"
    " knock TEXT NOT NULL, ending TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE once(door TEXT NOT NULL, sequence TEXT NOT NULL, used INTEGER NOT NULL,"
    " PRIMARY KEY(door, sequence)) WITHOUT ROWID";

/*
 * Sealed knocks, of which each key's last time is kept for ever. The row of no key is the store's
 * creation, to the millisecond and not before it, in units of a message's time: what was sent
 * before may have been used up in a store that was lost.
 */
static const char second[] =
    "ALTER TABLE opening ADD COLUMN port INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE opening ADD COLUMN proto INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE sealed(key BLOB NOT NULL PRIMARY KEY, last INTEGER NOT NULL,"
    " used INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO sealed VALUES(x'', 66 + CAST((julianday('now') - 2440587.5) * 86400.0 * 65536.0"
    " AS INTEGER), 0)";

/*
 * Which keys are in force (2 while that is being written), and numbers that have a name. "serial"
 * counts the transactions that open or use up something: an older copy of the store has a smaller
 * one than the folder's mark.
 */
static const char third[] =
    "ALTER TABLE sealed ADD COLUMN force INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE mark(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO mark VALUES('serial', 0)";

static const char *const steps[] = {first, second, third};

static const char *const statements[STATEMENTS] = {
    [ADD_HISTORY] = "INSERT INTO history(opened, door, address, knock) VALUES(?, ?, ?, ?)",
    [TRIM_HISTORY] = "DELETE FROM history WHERE id <= ?",
    [ADD_OPENING] = "INSERT INTO opening(id, state, boot, deadline, length, opened, door, address,"
                    " knock, commands, port, proto) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [UPDATE_OPENING] = "UPDATE opening SET state = ?, deadline = ?, boot = ? WHERE id = ?",
    [REMOVE_OPENING] = "DELETE FROM opening WHERE id = ?",
    [END_HISTORY] = "UPDATE history SET closed = ?, ending = ? WHERE id = ? AND closed = 0",
    [USE_ONCE] = "INSERT OR IGNORE INTO once(door, sequence, used) VALUES(?, ?, ?)",
    [USE_SEALED] = "INSERT INTO sealed(key, last, used) VALUES(?, ?, ?) ON CONFLICT(key) DO UPDATE"
                   " SET last = excluded.last, used = excluded.used WHERE excluded.last > last",
    [BEGIN_SEALED] = "UPDATE sealed SET last = max(last, ?) WHERE key = x''",
    [DELAY_SEALED] = "UPDATE sealed SET last = last + ? WHERE key = x''",
    /* A key that isn't in force already counts from then on. */
    [FORCE_SEALED] = "INSERT INTO sealed(key, last, used, force) VALUES(?, ?, 0, 2)"
                     " ON CONFLICT(key) DO UPDATE SET last = CASE force WHEN 0"
                     " THEN max(last, excluded.last) ELSE last END, force = 2",
    [END_FORCE] = "UPDATE sealed SET force = force - 1 WHERE force > 0",
    [SET_MARK] = "INSERT INTO mark(name, value) VALUES(?, ?)"
                 " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    [ADD_SERIAL] = "UPDATE mark SET value = value + 1 WHERE name = 'serial'",
    [EACH_OPENING] = "SELECT id, state, boot, deadline, length, opened, door, address, knock,"
                     " commands, port, proto FROM opening ORDER BY id",
    [EACH_HISTORY] = "SELECT opened, closed, door, address, knock, ending FROM history"
                     " ORDER BY id DESC LIMIT ?",
    [USED_ONCE] = "SELECT 1 FROM once WHERE door = ? AND sequence = ?",
    [LAST_SEALED] = "SELECT max(last), max(used) FROM sealed WHERE key = ? OR key = x''",
    [FORCED_SEALED] = "SELECT 1 FROM sealed WHERE key = ? AND force > 0",
    [NEWEST_SEALED] = "SELECT coalesce(max(last), 0) FROM sealed",
    [BEGIN_OF_SEALED] = "SELECT coalesce(max(last), 0) FROM sealed WHERE key = x''",
    [GET_MARK] = "SELECT value FROM mark WHERE name = ?",
};

const struct database_layout *store_layout(void)
{
    static const struct database_layout layout = {
        .application = 0x6b6e6b64, /* "knkd" */
        .version = sizeof(steps) / sizeof(*steps),
        .steps = steps,
        .statements = statements,
        .count = STATEMENTS,
    };
    return &layout;
}
