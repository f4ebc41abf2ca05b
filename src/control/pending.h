/* The requests whose answer has to wait, and the watchers: one for each connection at most, each
 * with its deadline. */
#ifndef CONTROL_PENDING_H
#define CONTROL_PENDING_H

#include "control/control.h"
#include "keeper/doors.h"
#include "lib/clock.h"

/* How long a request waits for commands to end, or for a listener to be ready. */
static const int64_t PENDING_TIME = ROW_WAIT_MAX * CLOCK_SECOND;

enum pending_kind {
    PENDING_NONE,
    PENDING_OPEN,
    PENDING_CLOSE,
    PENDING_RELOAD,
    PENDING_QUERY,
    PENDING_STRAYS, /* until knockctl has been told to be patient */
    PENDING_WATCH
};

/* The error if the listener doesn't answer in time. */
extern const char pending_no_answer[];

struct pending {
    enum pending_kind kind;
    const struct pending_list *list;
    struct answer *answer;
    struct timer deadline;
    char door[CONFIG_NAME_MAX + 1]; /* "": any */
    struct addr address;            /* family 0: any */
    struct port_proto port;         /* port 0: any */
    int64_t limit;                  /* ns, the door's for knocks, which is exceeded; 0: isn't */
    uint32_t query;                 /* number of the question to the listener; 0: not asked yet */
    unsigned depth;                 /* of the rows that answer it */
    bool settling;                  /* all is closed: waits until it is recorded, or can't be */
    bool counted;                   /* to be closed: `asked` is known */
    bool remove;                    /* the strays that are found */
    unsigned asked, closed, failed, given_up, left; /* openings */
};

struct pending_list {
    struct loop *loop;
    const struct doors *doors; /* to say what is still going on */
    /* Answers a PENDING_STRAYS whose time has come. */
    void (*find_strays)(void *arg, struct answer *answer, bool remove);
    void *arg;
    struct pending items[CONTROL_CONNECTIONS];
};

int pending_list_init(struct pending_list *list, struct loop *loop, const struct doors *doors);
void pending_list_free(struct pending_list *list);

/* Lets `answer` wait, until `deadline` at most (INT64_MAX: for ever). There is room for every
 * connection. */
struct pending *pending_begin(struct pending_list *list, enum pending_kind kind,
                              struct answer *answer, int64_t deadline);

/* It was answered. */
void pending_end(struct pending *pending);

/* The connection of `answer` is gone: nobody waits for it any more. */
void pending_forget(struct pending_list *list, const struct answer *answer);

/* Answers the requests that waited for this event of a door. */
void pending_door_event(struct pending_list *list, const struct door_event *event);

/* `count` openings were asked to be closed; some of them may be closed by now. */
void pending_count(struct pending *pending, unsigned count);

/* A reload is over: answers those who asked for it with `row`; or, unless `why` it failed is NULL,
 * with a row for each line of `errors`, and with that. */
void pending_reloaded(struct pending_list *list, const char *why, const char *errors,
                      const struct row *row);

#endif
