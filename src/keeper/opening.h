/*
 * One opening: a door that is open for an address, or is being opened or closed. Its states are
 * drawn in keeper/opening_states.c; the table of all openings is keeper/openings.h.
 */
#ifndef KEEPER_OPENING_H
#define KEEPER_OPENING_H

#include <sys/queue.h>

#include "keeper/doors.h"
#include "lib/limit.h"

enum opening_state {
    RECORDING, /* waits until the store has it */
    DELAYED,   /* waits for its start_delay */
    STARTING,  /* its start commands run */
    OPEN,
    EXTENDING, /* its extend commands run */
    CHECKING,  /* its check commands run */
    RENEWING,  /* its start commands run again, since something else closed it */
    STOPPING,  /* its stop commands run */
    VERIFYING, /* a stop command failed: its check commands tell whether it is still open */
    RETRYING,  /* waits until its stop commands run again */
};

/* The length of one that no time closes, in the store too: a number that nothing else has. */
#define OPENING_LASTS (INT64_MAX / 2)

/* What all openings work with. */
struct opening_context {
    struct loop *loop;
    struct runner *runner;
    struct writeback *writeback;
    struct openings *openings;
    struct limit messages;      /* that knocks may log, however many there are */
    bool stopping;              /* nothing opens any more */
    unsigned left_open;         /* openings that stay open when all are closed */
    void (*emptied)(void *arg); /* called when none but those are left while knockd stops */
    void *emptied_arg;
    void (*happened)(void *arg, const struct door_event *event); /* NULL: nobody watches */
    void *happened_arg;
};

/* A way to close an opening that isn't its own: what its door's configuration says by now. */
struct undo {
    struct commands stop, check;
    uint64_t stop_ok[4];
    uint64_t stopped; /* as of an opening */
    bool same_stop; /* the commands are the opening's own; what differs is what counts as success */
};

struct opening {
    struct opening_context *context;
    enum opening_state state;
    char name[CONFIG_NAME_MAX + 1]; /* of the door */
    char label[CONFIG_NAME_MAX + ADDR_TEXT_SIZE + 16];
    char text[ADDR_TEXT_SIZE];       /* of the address */
    char by[64];                     /* by which knock, or the name of the key */
    char note[CONFIG_NAME_MAX + 24]; /* of a sealed knock: whose, and which port, for messages */
    struct addr address;
    struct port_proto port; /* what it opens; port 0: nothing in particular, or not known */
    struct commands start, stop, extend, check;
    uint64_t stop_ok[4];
    int64_t knocked;  /* when it was asked for */
    int64_t delay;    /* ns before it starts */
    int64_t length;   /* ns that it stays open after a knock */
    int64_t deadline; /* when it is due to close */
    int64_t interval; /* ns between checks */
    struct timer timer;
    struct timer check_timer;
    struct job job;
    struct opening *reopen;  /* a knock that came while this one closes: opens when it is gone */
    bool close_next;         /* to be closed when the command that runs now is done */
    bool extend_next;        /* to be extended then */
    bool renew;              /* to be opened again once the rest of it is closed */
    bool failed;             /* its start failed: never reported as open */
    bool unconfirmed;        /* of an earlier run: may have been closed since it was recorded */
    bool last_try;           /* of an earlier boot: one attempt to undo it, and it is done */
    enum door_end closed_by; /* how it ends once it is closed */
    bool undoes;             /* its start commands are the undo of another door */
    bool lasts;              /* no time closes it; so is its deadline INT64_MAX */
    bool expires;            /* has no undo: the firewall closes it, at the time that it was told */
    bool left_open;          /* when knockd ends, since no time closes it */
    bool given_up;           /* to be forgotten once the command that was killed is gone */
    bool stop_misused;       /* its own stop commands don't understand their words */
    struct undo *new_undo;   /* tried when its own undo has failed; NULL: nothing differs */
    struct undo *next_undo;  /* takes the place of new_undo when no command of that runs */
    bool undo_changed;       /* next_undo counts, be it NULL */
    uint64_t stopped;        /* bit n: stop command n succeeded, and needn't be run again */
    unsigned attempts;       /* stops that failed */
    /* The table's own. */
    struct opening_door *of;
    LIST_ENTRY(opening) chain; /* those of one hash */
    TAILQ_ENTRY(opening) age;  /* all, the oldest first */
    TAILQ_ENTRY(opening) lasting;
    struct {                     /* the writeback's own */
        int64_t id;              /* in the store; 0: it isn't there */
        enum stored_state state; /* as the store has them */
        int64_t deadline;
        bool listed;
        TAILQ_ENTRY(opening) link;
        void (*done)(struct opening *opening, bool durable);
    } kept;
};

/* Who knocked, as an opening keeps it. */
struct opening_name {
    const char *door;
    struct addr address;
    struct port_proto port;
    const char *by;
};

/*
 * An opening that nothing has happened to yet; its timers call due() and check() with it. NULL when
 * memory is short.
 */
struct opening *opening_new(struct opening_context *context, const struct opening_name *name,
                            void (*due)(void *opening), void (*check)(void *opening));

/* One of an earlier run, whose commands it takes out of `stored`. Else as above. */
struct opening *opening_restore(struct opening_context *context, struct stored_door *stored,
                                void (*due)(void *opening), void (*check)(void *opening));

/* Frees it, its commands and what would reopen it. It is in no table any more. */
void opening_free(struct opening *opening);

/* Frees an undo. NULL is fine. */
void undo_free(struct undo *undo);

#endif
