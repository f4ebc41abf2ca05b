/*
 * What must survive the keeper: the openings and how each is undone, the one-time sequences and
 * sealed knocks that are used up, and a history of what was opened. SQLite (WAL, synchronous=FULL)
 * in state_dir/state.db. Written before a command runs; what happens in one
 * moment shares one transaction.
 *
 * The store belongs to the process that opened it, alone: not to be used on both sides of a fork,
 * nor may that process open state.db in another way (closing it would drop SQLite's lock). A
 * process with a limit on its files' size ignores SIGXFSZ, else that kills it.
 */
#ifndef KEEPER_STORE_H
#define KEEPER_STORE_H

#include "keeper/command.h"
#include "lib/sealed.h"

enum {
    STORE_HISTORY_MAX = 10000, /* lines that the history keeps; the oldest go first */
    STORE_BY_MAX = 63,         /* longest text for by which knock, and how it ended */
};

enum stored_state {
    STORED_OPENING, /* its start command may have run, or not, or by half */
    STORED_OPEN,
    STORED_CLOSING, /* its stop command ran or failed; it is to be tried again */
};

/* One opening as it is kept. Texts and commands belong to the holder of the struct. */
struct stored_door {
    int64_t id; /* the store's own; 0: not stored yet */
    enum stored_state state;
    char name[CONFIG_NAME_MAX + 1];
    struct addr address;
    struct port_proto port;    /* what is open; port 0: nothing in particular, or not known */
    char by[STORE_BY_MAX + 1]; /* by which knock: "sequence", "knockctl", a key's name */
    int64_t opened_wall;       /* s since 1970 */
    int64_t deadline;          /* ns, CLOCK_BOOTTIME of `this_boot` */
    int64_t length;            /* ns */
    bool this_boot;            /* false: it is of an earlier boot, and `deadline` means nothing */
    uint64_t stop_ok[4];
    struct commands start; /* to tell whether a reloaded door still does the same */
    struct commands stop;
    struct commands extend;
    struct commands check;
};

/* One line of the history. */
struct stored_event {
    int64_t opened_wall; /* s since 1970 */
    int64_t closed_wall; /* 0: still open */
    char name[CONFIG_NAME_MAX + 1];
    struct addr address;
    char by[STORE_BY_MAX + 1];
    char end[STORE_BY_MAX + 1]; /* how it ended: "closed", "failed", ...; "" while it is open */
};

struct store;

/* What store_open found, for the caller to log. */
struct store_found {
    char *moved;   /* the new name of a damaged store; the caller frees it */
    bool made;     /* a new store was made */
    bool lost;     /* likewise, though one was in use in this folder before */
    bool older;    /* the store is older than what was last written in this folder */
    bool unmarked; /* whether it is can't be told: the folder's mark is gone */
};

/*
 * Opens the store in `state_dir`, or makes one. What can't be read as a store, as one of an earlier
 * version, is moved aside to a name that ends in ".damaged-" and the time, and found->moved is set
 * to that name (NULL: nothing was moved), even if making the new one then fails; if that succeeds,
 * `why` has a line on what was wrong with the old one.
 *
 * What was used up isn't known of a store that is new, nor what was used up lately of one that is
 * older or unmarked. Sealed messages then count from a later time on: `skew` seconds from now,
 * since one by a clock ahead of ours may have been used up, or the time in the folder's mark. Not
 * moved but refused: what isn't a regular file of ours that others can't write to (it holds
 * commands that we shall run), what another process has open, a store of a newer version, and
 * whatever the system doesn't let us read or write now. `boot_id` is the kernel's
 * (/proc/sys/kernel/random/boot_id). Returns NULL with one line in `why`. With `found` NULL nothing
 * is made, moved or made of the mark: where no store is that can be read, that is an error, too.
 */
struct store *store_open(const char *state_dir, const char *boot_id, int64_t skew,
                         struct store_found *found, char *why, size_t why_size);

/* What waits for store_commit is lost. NULL is allowed. */
void store_close(struct store *store);

/*
 * The writers: each begins a transaction unless one is open. Nothing is durable before
 * store_commit. They return -1 on an error, which store_error names. Whichever call returns -1,
 * writer or not, the transaction is rolled back and all of it lost: ids that store_add gave in it
 * are void, and will be given again. The store stays usable: once the cause is gone, it works.
 *
 * Where the open file isn't the one at its path any more, it is made again there before anything is
 * written, as store_check_files does.
 */

/*
 * Whether the store's files are where they were, as we left them. Where they were removed, renamed
 * or replaced, the store is made again at its path, with all that was in it, loudly; another's file
 * there is moved aside. Where another program wrote to them, the new store is empty: store_remade()
 * counts on, and what is open is to be added again. 0, or -1.
 */
int store_check_files(struct store *store);
unsigned store_remade(const struct store *store);

/* Keeps *door as an opening of this boot, with a line in the history, and sets its id and
 * this_boot. */
int store_add(struct store *store, struct stored_door *door);

/* The deadline is one of this boot. An id that isn't stored is an error. */
int store_update(struct store *store, int64_t id, enum stored_state state, int64_t deadline);

/* Forgets an opening and completes its line of the history. An id that isn't stored is no error. */
int store_remove(struct store *store, int64_t id, int64_t closed_wall, const char *end);

/*
 * From here on, asks may_replace(arg, why, size) before the store's files are made again at their
 * path: false, with one line in `why`, when what is there belongs to another process; then nothing
 * is touched, and the check fails.
 */
void store_ask_before_replacing(struct store *store,
                                bool (*may_replace)(void *arg, char *why, size_t why_size),
                                void *arg);

/* Whether something waits for store_commit. */
bool store_dirty(const struct store *store);

/*
 * Makes what was written durable: 0, after the disk said so. After -1 it is lost for this process,
 * but a crash right then may still keep it, so nothing may rest on its absence.
 */
int store_commit(struct store *store);

/* One line on what failed last, where and what to do; good until the next call. */
const char *store_error(const struct store *store);

/*
 * Calls each() for every opening that is kept, in the order in which they were added; it may keep
 * the door's commands by taking them out of the struct (leaving zeros), else they are freed. It
 * must not use the store. Commands are as they were added, or the row counts as one that can't be
 * understood; a deadline could be any number. Returns how many can't be understood: they stay for
 * an administrator, and store_error names the first. -1: error.
 */
int store_each(struct store *store, void (*each)(void *arg, struct stored_door *door), void *arg);

/*
 * The newest `max` lines of the history, newest first. each() must not use the store. Returns how
 * many of them can't be understood and were left out, or -1.
 */
int store_history(struct store *store, unsigned max,
                  void (*each)(void *arg, const struct stored_event *event), void *arg);

/* Whether the one-time sequence `sequence` of a door is used up: 1, 0, or -1. */
int store_once_used(struct store *store, const char *door, const char *sequence);

/* A writer: uses it up. 0, 1 when that was done before, or -1. */
int store_once_use(struct store *store, const char *door, const char *sequence, int64_t wall);

/*
 * The time of the last message of a sealed key that was used up, and when that was, in s since
 * 1970: also of keys that were removed meanwhile. Of a key that has none: the store's creation, and
 * 0. Returns 0, or -1.
 */
int store_sealed_last(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t *last,
                      int64_t *wall);

/* A writer: uses up a key's message of that `time`, and all before it. 0, 1 when that was done
 * before, or -1. */
int store_sealed_use(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t time,
                     int64_t wall);

/* A writer: no message of any key up to that `time` is good. 0 or -1. */
int store_sealed_begin(struct store *store, uint64_t time);

/* Sets *begin to the time up to which no message of any key is good, for the store is newer or
 * older than what it stands for. Returns 0, or -1. */
int store_sealed_begun(struct store *store, uint64_t *begin);

/* Whether a key was in force when that was last recorded: 1, 0, or -1. */
int store_sealed_forced(struct store *store, const uint8_t id[SEALED_ID_SIZE]);

/* Writers: a key is in force, and if it wasn't, its messages up to `begin` are not good; then, that
 * those were all. 0 or -1. */
int store_sealed_force(struct store *store, const uint8_t id[SEALED_ID_SIZE], uint64_t begin);
int store_sealed_force_end(struct store *store);

/* A number that is kept under a name; -1 where there is none, or on an error. The second is a
 * writer: 0 or -1. */
int64_t store_number(struct store *store, const char *name);
int store_number_set(struct store *store, const char *name, int64_t value);

#endif
