/*
 * The doors: what a knock opens, extends and closes. What is open for one address, and one port, is
 * an opening; whatever fails on the way, an opening is closed. This is all that other rooms see of
 * them.
 */
#ifndef KEEPER_DOORS_H
#define KEEPER_DOORS_H

#include "keeper/runner.h"
#include "keeper/store.h"

struct doors;

/* --- what happens --- */

enum door_event_kind {
    DOOR_OPENED,
    DOOR_EXTENDED,
    DOOR_FAILED,     /* its start command failed */
    DOOR_NOT_CLOSED, /* its stop command failed; it is tried again */
    DOOR_GONE,       /* nothing is left of it; `end` and `why` say how that came */
    DOOR_REFUSED,    /* a knock that opens nothing, for the reason `why` */
    DOOR_EVENTS,
};

/* How an opening ended. */
enum door_end {
    DOOR_END_NOT_BEGUN, /* it couldn't be recorded: no event, nothing in the history */
    DOOR_END_CLOSED,    /* its time was over */
    DOOR_END_BY_STOP,   /* knockd stopped */
    DOOR_END_BY_RELOAD, /* a knock found that a reload had changed its door */
    DOOR_END_LEFT,      /* an earlier run left it: neither open nor closed, of another boot, or
                         * to be closed by a run that serves nothing */
    DOOR_END_BY_ADMIN,
    DOOR_END_BY_KEY,
    DOOR_END_BY_DOOR,
    DOOR_END_BY_OTHERS,    /* its check found that something else closed it */
    DOOR_END_FOUND_CLOSED, /* likewise of one of an earlier run */
    DOOR_END_FAILED,       /* its start failed, and nothing is left to undo */
    DOOR_END_UNDONE,       /* likewise, and it was undone */
    DOOR_END_NOTHING_TO_CLOSE,
    DOOR_END_WITHDRAWN, /* closed before its start command ran */
    DOOR_END_NO_UNDO,   /* it has no stop command, so it was left as it is */
    DOOR_END_GIVEN_UP,  /* an administrator gave it up */
    DOOR_END_EARLIER_BOOT,
    DOOR_END_MADE_ROOM,
};

struct door_event {
    enum door_event_kind kind;
    const char *door; /* NULL: of a refused sealed knock, that it names none which is known */
    const struct addr *address;
    const char *by;            /* by which knock; NULL: of a refused one */
    const char *why;           /* or NULL */
    const char *source, *user; /* of DOOR_OPENED, as of a knock; "": none */
    int64_t length;            /* ns that it stays open, once opened or extended */
    struct port_proto port;    /* port 0: not said */
    enum door_end end;         /* of DOOR_GONE */
};

/* --- what is open --- */

enum open_door_state {
    OPEN_DOOR_STARTING,
    OPEN_DOOR_OPEN,
    OPEN_DOOR_CLOSING,
    OPEN_DOOR_NOT_CLOSED, /* its stop command failed; it is tried again */
    OPEN_DOOR_STATES,
};

/* One opening, as it is shown. What it points to lives until something is done with the doors. */
struct open_door {
    enum open_door_state state;
    const char *door;
    const struct addr *address;
    struct port_proto port; /* port 0: nothing in particular, or not known */
    const char *by;         /* by which knock, or the name of the key */
    int64_t deadline;       /* ns, when it is due to close; INT64_MAX: no time closes it */
    unsigned failed_stops;
    uint64_t stopped;              /* see open_door_undone */
    const struct opening *opening; /* for doors_next and doors_stop_commands */
};

/* Whether its stop command number `i` has succeeded. */
static inline bool open_door_undone(const struct open_door *door, unsigned i)
{
    return i < RUNNER_REMEMBERED && door->stopped >> i & 1;
}

/* Whether the ports are the same; port 0, of an opening of no particular port, stands for any. */
static inline bool doors_same_port(struct port_proto a, struct port_proto b)
{
    return a.port == 0 || b.port == 0 || port_proto_equal(a, b);
}

/* --- the doors --- */

/* Doors that are kept in `store`, which stays the caller's; NULL: in memory only. NULL when memory
 * is short. */
struct doors *doors_new(struct loop *loop, struct runner *runner, struct store *store);

/* How many openings there may be at a time, CONFIG_MAX_OPEN at first. A quarter is kept for knocks
 * that aren't `remote`. */
void doors_set_max(struct doors *doors, unsigned max_open);

/* Forgets everything without closing anything: for the very end, and for tests. */
void doors_free(struct doors *doors);

/*
 * Takes up what an earlier run of knockd left in the store: what has time left goes on, the rest is
 * closed. No command of that run may run any more. Returns how many openings can't be understood,
 * which was logged, or -1 if the store can't be read.
 */
int doors_resume(struct doors *doors);

/*
 * A valid knock: opens the door, or extends it when it is open, or closes those that it closes. All
 * is copied as far as it is needed. Logs what came of it. Returns why it was refused, a text that
 * stays; NULL: it wasn't.
 */
const char *doors_knock(struct doors *doors, const struct knock *knock);

/* Why the knock, which would open its door, finds no room by a max_open; NULL: there is room, or it
 * extends or closes something. */
const char *doors_no_room(const struct doors *doors, const struct knock *knock);

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

/* Whether an opening of the door, for the address, waits for nothing but its start_delay. */
bool doors_is_delayed(const struct doors *doors, const char *door, const struct addr *address,
                      struct port_proto port);

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
 * Returns how many openings that are; what becomes of each is reported as an event.
 */
unsigned doors_close(struct doors *doors, const struct doors_choice *choice);

/*
 * Goes through the chosen ones, the oldest first: sets *door, all zeros before the first call, to
 * the next one. Returns false when there are no more. Nothing may be done with the doors meanwhile.
 */
bool doors_next(const struct doors *doors, const struct doors_choice *choice,
                struct open_door *door);

/* What closes the opening; the caller frees it. -1 when memory is short. */
int doors_stop_commands(const struct open_door *door, struct commands *out);

/*
 * Gives up, without closing it, what is chosen and is being closed or couldn't be closed: what its
 * stop commands didn't undo stays as it is.
 */
void doors_forget(struct doors *doors, const struct doors_choice *choice);

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

/* Reports to the watcher a knock that was refused elsewhere; `name` NULL: at no door that is known.
 */
void doors_report_refused(const struct doors *doors, const char *name, const struct addr *address,
                          const char *why);

/* Messages that were left out of the log, since there were too many a second. */
uint64_t doors_messages_dropped(const struct doors *doors);

/* Whether the state is being recorded; else nothing new opens. */
bool doors_recorded(const struct doors *doors);

/* Closes all, now; calls done(arg) once none is left, perhaps at once. No knock opens any more.
 * Logs, again and again, what is still being waited for. */
void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg);

/* The same where nothing serves, of what doors_resume took up: an earlier run left it. */
void doors_close_left(struct doors *doors, void (*done)(void *arg), void *arg);

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
