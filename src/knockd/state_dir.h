/* The state folder of a running knockd: its locks, which are kept whole while it runs, and the note
 * of which folder a configuration has. */
#ifndef KNOCKD_STATE_DIR_H
#define KNOCKD_STATE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_dir {
    char *path;
    int folder;   /* locked itself, so that removing a lock's file lets no second knockd start */
    int lock;     /* FOLDER/lock, by which knockd runs once */
    int commands; /* FOLDER/commands.lock, which commands inherit; -1: not taken */
    int claim;    /* the configuration's lock in /run; -1: there is none */
};

enum state_dir_taken {
    STATE_DIR_TAKEN,
    STATE_DIR_BUSY,    /* another knockd has it */
    STATE_DIR_REFUSED, /* it can't be locked, or others than root could change it */
};

/*
 * Locks the folder `path`, which must exist. Unless that is STATE_DIR_TAKEN, there is one line in
 * `why`, and nothing to release.
 */
enum state_dir_taken state_dir_take(struct state_dir *dir, const char *path, char *why,
                                    size_t why_size);

/* Waits until commands of an earlier run are over, at most `limit` ns, as orphans_wait does.
 * False with one line in `why`. */
bool state_dir_wait(struct state_dir *dir, int64_t limit, char *why, size_t why_size);

/* Gives the locks back. One that took nothing is fine. */
void state_dir_release(struct state_dir *dir);

enum state_dir_found {
    STATE_DIR_WHOLE,
    STATE_DIR_MENDED,   /* one was removed or replaced, and is there again; `commands` may differ */
    STATE_DIR_BROKEN,   /* it can't be mended */
    STATE_DIR_ANOTHERS, /* another knockd has the folder that is at the path now */
};

/*
 * Checks whether folder and locks are still those at their paths, and mends the first that isn't.
 * Unless all is whole, there is one line in `why`. To be called again after STATE_DIR_MENDED. Waits
 * for no lock.
 */
enum state_dir_found state_dir_check(struct state_dir *dir, char *why, size_t why_size);

/*
 * Locks the configuration at the absolute path `config` until state_dir_release, so that no second
 * knockd starts with it, wherever the state folder is moved. False, with one line in `why`, when
 * another has it; it is no error when there can be no such lock.
 */
bool state_dir_claim(struct state_dir *dir, const char *config, char *why, size_t why_size);

/* Removes the file of that lock: this process is about to end. */
void state_dir_unclaim(const char *config);

/* Notes that the configuration at the absolute path `config` has its state in `state_dir`, until
 * the machine stops. It is no error if that fails. */
void state_dir_note(const char *config, const char *state_dir);

/* The folder of the notes. */
#define STATE_DIR_NOTES "/run/knockd/state"

/* Makes the note, and the lock of state_dir_claim, again where they are gone: the stop of another
 * knockd's unit may remove its folder in /run with all that is in it. It is no error if that fails.
 */
void state_dir_keep_note(struct state_dir *dir, const char *config);

/* Removes the note: nothing is open any more that is on record there. */
void state_dir_forget(const char *config);

/* The folder that was noted. False if none was. */
bool state_dir_noted(const char *config, char *out, size_t size);

#endif
