/* Requests that can't be answered at once, and who watches: a few, each with its deadline. */
#ifndef KNOCKD_ERRAND_H
#define KNOCKD_ERRAND_H

#include "keeper/control.h"
#include "keeper/doors.h"
#include "lib/clock.h"

/* How long a request waits for commands to end, or for a listener to begin. */
static const int64_t ERRAND_TIME = ROW_WAIT_MAX * CLOCK_SECOND;

enum errand_kind {
    ERRAND_NONE,
    ERRAND_OPEN,
    ERRAND_CLOSE,
    ERRAND_RELOAD,
    ERRAND_QUERY,
    ERRAND_WATCH
};

/* What who asked for it is told if the listener doesn't answer in time. */
extern const char errand_no_answer[];

/* What waits for the end of something. */
struct errand {
    enum errand_kind kind;
    const struct errands *all;
    struct answer *answer;
    struct timer deadline;
    char door[CONFIG_NAME_MAX + 1]; /* "": any */
    struct addr address;            /* family 0: any */
    struct step port;               /* port 0: any */
    uint32_t query;                 /* number of the question to the listener; 0: not asked yet */
    unsigned depth;                 /* of the rows that answer it */
    bool settling;                  /* all is closed: waits until it is recorded, or can't be */
    bool counted;                   /* to be closed: `asked` is known */
    unsigned asked, closed, failed, given_up, left; /* openings */
};

struct errands {
    struct loop *loop;
    const struct doors *doors; /* to say what is still going on */
    struct errand list[CONTROL_CONNECTIONS];
};

int errands_init(struct errands *errands, struct loop *loop, const struct doors *doors);
void errands_free(struct errands *errands);

/* An errand for `answer`, given up at `deadline` (INT64_MAX: never). There is a place for every
 * connection. */
struct errand *errand_begin(struct errands *errands, enum errand_kind kind, struct answer *answer,
                            int64_t deadline);

/* It was answered, or nobody waits for it any more. */
void errand_end(struct errands *errands, struct errand *errand);
void errands_forget(struct errands *errands, const struct answer *answer);

/* Something happened to a door: answers whoever waited for that. */
void errands_event(struct errands *errands, const struct door_event *event);

/* All that was asked to be closed has been counted: `count`, some of it closed by now. */
void errand_count(struct errands *errands, struct errand *errand, unsigned count);

/* A reload is over; `why` it failed, or NULL. `row` is the answer. */
void errands_reloaded(struct errands *errands, const char *why, const struct row *row);

#endif
