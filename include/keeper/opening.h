/* One opening of a door, the table of them by (door, address, port), and what they all share. */
#ifndef KEEPER_OPENING_H
#define KEEPER_OPENING_H

#include "keeper/runner.h"
#include "keeper/store.h"
#include "lib/crypto.h"
#include "lib/limit.h"

/* Drawn in keeper/opening_states.c. */
enum opening_state {
    RECORDING, /* waits to be durable */
    DELAYED,   /* waits for start_delay */
    STARTING,
    OPEN,
    EXTENDING,
    CHECKING,
    RENEWING, /* its start commands run again */
    STOPPING,
    JUDGING, /* a stop failed: is it open or not? */
    RETRYING,
};

/* The length of one that no time closes, in the store too: a number that nothing else has. */
#define OPENING_LASTS (INT64_MAX / 2)

/* What happens to openings, for who counts or watches. */
enum door_event_kind {
    DOOR_OPENED,
    DOOR_EXTENDED,
    DOOR_FAILED,     /* its start command failed */
    DOOR_NOT_CLOSED, /* its stop command failed; it is tried again */
    DOOR_GONE,       /* nothing is left of it; `why` says how that came */
    DOOR_REFUSED,    /* a knock that opens nothing, for the reason `why` */
    DOOR_EVENTS,
};

struct door_event {
    enum door_event_kind kind;
    const char *door; /* NULL: of a refused sealed knock, that it names none which is known */
    const struct addr *address;
    const char *by;         /* by which knock; NULL: of a refused one */
    const char *why;        /* or NULL */
    int64_t length;         /* ns that it stays open, once opened or extended */
    struct port_proto port; /* port 0: not said */
};

/* A way to close an opening that isn't its own: what its door's configuration says by now. */
struct undo {
    struct commands stop, check;
    uint64_t stop_ok[4];
    uint64_t stopped; /* as of an opening */
    bool same_stop;   /* the commands are the opening's own; what differs is how they are judged */
};

struct opening {
    struct openings *all;
    struct opening *next; /* of its bucket */
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
    struct opening *heir;    /* a knock that came while this one closes: opens when it is gone */
    bool close_next;         /* to be closed when the command that runs now is done */
    bool extend_next;        /* to be extended then */
    bool renew;              /* to be opened again once the rest of it is closed */
    bool failed;             /* its start failed: never reported as open */
    bool doubted;            /* of an earlier life: it may have been closed since it was recorded */
    bool last_try;           /* of an earlier boot: one attempt to undo it, and it is done */
    bool by_hand;            /* an administrator closes it */
    bool by_key;             /* the key that opened it closes it */
    bool undoes;             /* its start commands are the undo of another door */
    bool lasts;              /* no time closes it; so is its deadline INT64_MAX */
    bool expires;            /* has no undo: the firewall closes it, at the time that it was told */
    bool stays;              /* so it is left open when knockd ends */
    const char *by_other;    /* how it ends where another door closes it; NULL: none does */
    bool given_up;           /* to be forgotten once the command that was killed is gone */
    bool hopeless;           /* its own stop commands don't understand their words */
    struct undo *spare;      /* tried when its own undo has failed; NULL: nothing differs */
    struct undo *next_spare; /* takes its place when no command of it runs */
    bool spare_changed;      /* next_spare counts, be it NULL */
    uint64_t stopped;        /* bit n: stop command n succeeded, and needn't be run again */
    unsigned attempts;       /* stops that failed */
    struct {                 /* writeback's own */
        int64_t id;          /* in the store; 0: it isn't there */
        enum stored_state state; /* as the store has them */
        int64_t deadline;
        bool listed;
        struct opening *next;
        void (*done)(struct opening *opening, bool durable);
    } kept;
};

struct writeback;

/* The table, and what every opening works with. */
struct openings {
    struct loop *loop;
    struct runner *runner;
    struct writeback *ledger;
    struct limit talk; /* messages that knocks may cause, however many there are */
    bool closing;      /* for good: nothing opens any more */
    void (*emptied)(void *arg);
    void *arg;
    void (*happened)(void *arg, const struct door_event *event); /* NULL: nobody listens */
    void *happened_arg;
    unsigned count;
    unsigned staying; /* of them those that are left open when all are closed */
    struct opening **buckets;
    uint8_t key[CRYPTO_KEY_SIZE];
};

/* How an opening ends that an administrator gave up, in the history. */
#define OPENING_GIVEN_UP "given up by knockctl"

/* The same of one that has no stop command. */
#define OPENING_NO_UNDO "nothing to undo"

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
struct opening *opening_new(struct openings *all, const struct opening_name *name,
                            void (*due)(void *opening), void (*check)(void *opening));

/* One of an earlier life of the keeper, whose commands it takes out of `stored`. Else as above. */
struct opening *opening_restore(struct openings *all, struct stored_door *stored,
                                void (*due)(void *opening), void (*check)(void *opening));

/* Frees an undo. NULL is fine. */
void undo_free(struct undo *undo);

/* Frees it, its commands and its heir. It is in no table any more. */
void opening_free(struct opening *opening);

/* Port 0, of openings that were made without one, stands for any. */
static inline bool opening_same_port(struct port_proto a, struct port_proto b)
{
    return a.port == 0 || b.port == 0 || port_proto_equal(a, b);
}

/* Sets up an empty table. -1 when memory is short. */
int openings_init(struct openings *table);
void openings_free(struct openings *table, void (*free_one)(struct opening *o));

/* Where a door opens several ports, each has an opening of its own. One of no particular port, of
 * an earlier configuration or version, stands for any. */
struct opening *openings_find(const struct openings *table, const char *name,
                              const struct addr *address, struct port_proto port);
void openings_add(struct openings *table, struct opening *opening);
void openings_remove(struct openings *table, struct opening *opening);

/* Calls each(arg, opening) for every one; each may remove the one that it is given. */
void openings_each(const struct openings *table, void (*each)(void *arg, struct opening *opening),
                   void *arg);

#endif
