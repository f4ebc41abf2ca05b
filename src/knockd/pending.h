/* Requests that can't be answered at once, and who watches: a few, each with its deadline. */
#ifndef KNOCKD_PENDING_H
#define KNOCKD_PENDING_H

#include "control/control.h"
#include "keeper/doors.h"
#include "lib/clock.h"

/* How long a request waits for commands to end, or for a listener to begin. */
static const int64_t PENDING_TIME = ROW_WAIT_MAX * CLOCK_SECOND;

enum pending_kind {
    PENDING_NONE,
    PENDING_OPEN,
    PENDING_CLOSE,
    PENDING_RELOAD,
    PENDING_QUERY,
    PENDING_WATCH
};

/* What who asked for it is told if the listener doesn't answer in time. */
extern const char pending_no_answer[];

/* What waits for the end of something. */
struct pending {
    enum pending_kind kind;
    const struct pending_all *all;
    struct answer *answer;
    struct timer deadline;
    char door[CONFIG_NAME_MAX + 1]; /* "": any */
    struct addr address;            /* family 0: any */
    struct port_proto port;         /* port 0: any */
    uint32_t query;                 /* number of the question to the listener; 0: not asked yet */
    unsigned depth;                 /* of the rows that answer it */
    bool settling;                  /* all is closed: waits until it is recorded, or can't be */
    bool counted;                   /* to be closed: `asked` is known */
    unsigned asked, closed, failed, given_up, left; /* openings */
};

struct pending_all {
    struct loop *loop;
    const struct doors *doors; /* to say what is still going on */
    struct pending list[CONTROL_CONNECTIONS];
};

int pending_all_init(struct pending_all *errands, struct loop *loop, const struct doors *doors);
void pending_all_free(struct pending_all *errands);

/* An errand for `answer`, given up at `deadline` (INT64_MAX: never). There is a place for every
 * connection. */
struct pending *pending_begin(struct pending_all *errands, enum pending_kind kind,
                              struct answer *answer, int64_t deadline);

/* It was answered, or nobody waits for it any more. */
void pending_end(struct pending_all *errands, struct pending *errand);
void pending_all_forget(struct pending_all *errands, const struct answer *answer);

/* Something happened to a door: answers whoever waited for that. */
void pending_all_event(struct pending_all *errands, const struct door_event *event);

/* All that was asked to be closed has been counted: `count`, some of it closed by now. */
void pending_count(struct pending_all *errands, struct pending *errand, unsigned count);

/* A reload is over; `why` it failed, or NULL. `row` is the answer. */
void pending_all_reloaded(struct pending_all *errands, const char *why, const struct row *row);

#endif
