/*
 * The open doors: one opening per (door, address, port), its timer, and the commands that opened it
 * and will close it. A door that was opened is closed, whatever fails on the way.
 */
#ifndef KEEPER_DOORS_H
#define KEEPER_DOORS_H

#include "keeper/opening.h"
#include "keeper/store.h"

struct doors;

/* Doors that are kept in `store`, which stays the caller's; NULL: in memory only. NULL when memory
 * is short. */
struct doors *doors_new(struct loop *loop, struct runner *runner, struct store *store);

/* How many openings there may be at a time, CONFIG_MAX_OPEN at first. */
void doors_set_max(struct doors *doors, unsigned max_open);

/* Forgets everything without closing anything: for the very end, and for tests. */
void doors_free(struct doors *doors);

/*
 * Takes up what an earlier life of the keeper left in the store: what has time left goes on, the
 * rest is closed. No command of that life may run any more. Returns how many openings can't be
 * understood, which was logged, or -1 if the store can't be read.
 */
int doors_resume(struct doors *doors);

/*
 * A valid knock: opens the door, or extends it when it is open, or closes those that it closes. All
 * is copied as far as it is needed. Says in the log what came of it.
 */
void doors_knock(struct doors *doors, const struct knock *knock);

/* Whether the knock would open its door, and neither extend nor close anything. */
bool doors_would_open(const struct doors *doors, const struct knock *knock);

/*
 * Records at once what knocks have changed, together with what was written to the store and isn't
 * committed. Returns 0; -1 if that can't be made durable: then it is lost, and what was to open
 * is refused.
 */
int doors_record(struct doors *doors);

/* Openings that are not closed yet. */
unsigned doors_count(const struct doors *doors);

/* Calls each(arg, opening) for every one of them, in no order. */
void doors_each(const struct doors *doors, void (*each)(void *arg, struct opening *opening),
                void *arg);

/* Which openings are meant; what isn't said is any. */
struct doors_choice {
    const char *door;
    const struct addr *address;
    uint16_t port;
    const char *key; /* only what this key opened; NULL: an administrator chooses */
    bool by_door;    /* or another door does */
};

/*
 * Closes, now, what is chosen and open, and drops what was chosen and waited to open after another.
 * Returns how many openings that are; what becomes of each is told as an event.
 */
unsigned doors_close(struct doors *doors, const struct doors_choice *choice);

/*
 * Gives up, without closing it, what is chosen and is being closed or couldn't be closed: what its
 * stop commands didn't undo stays as it is. Calls each(arg, opening) for every one before. Returns
 * how many that are, and in *others how many are chosen but not being closed.
 */
unsigned doors_forget(struct doors *doors, const struct doors_choice *choice,
                      void (*each)(void *arg, const struct opening *opening), void *arg,
                      unsigned *others);

/*
 * The configuration in force has changed, or is a new one for what an earlier run opened: how its
 * doors are undone now is tried as well wherever an opening's own undo fails.
 */
void doors_follow(struct doors *doors, const struct config *config, const struct plans *plans);

/* Writes, as a text for messages, what those of the chosen that aren't open are doing, of the first
 * few: "ssh for 192.0.2.1: its stop command has run for 3 s". Returns how many there are. */
unsigned doors_doing(const struct doors *doors, const struct doors_choice *choice, char *out,
                     size_t size);

/* From here on, calls happened(arg, event) for all that happens. It must not use the doors. */
void doors_watch(struct doors *doors, void (*happened)(void *arg, const struct door_event *event),
                 void *arg);

/* Tells who watches that a knock was refused elsewhere; `name` NULL: at no door that is known. */
void doors_tell_refused(const struct doors *doors, const char *name, const struct addr *address,
                        const char *why);

/* Messages that were left out of the log, since there were too many a second. */
uint64_t doors_messages_dropped(const struct doors *doors);

/* Whether the state is being recorded; else nothing new opens. */
bool doors_recorded(const struct doors *doors);

/* Closes all, now; calls done(arg) once none is left, perhaps at once. No knock opens any more.
 * Says in the log, again and again, what is still being waited for. */
void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg);

/* Opens nothing any more and checks nothing, but still closes each opening when it is due: for a
 * start that failed. */
void doors_open_no_more(struct doors *doors);

/* Openings with something still to do: all but those that are open and have time left. */
unsigned doors_due(const struct doors *doors);

/* Logs each opening that is due and still not closed, as an error. */
void doors_log_left(const struct doors *doors);

/* Logs until when each opening stays that is open and has time left: nobody closes it before. */
void doors_log_kept(const struct doors *doors);

#endif
