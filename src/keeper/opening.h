/*
 * One opening: a door that is open for an address, or is being opened or closed. Its states are
 * drawn in keeper/opening_states.c; the table of all openings is keeper/openings.h.
 */
#ifndef KEEPER_OPENING_H
#define KEEPER_OPENING_H

#include <sys/queue.h>

#include "keeper/command_set.h"
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
    struct command_set *set; /* stop and check commands alone */
    uint64_t stopped;        /* as of an opening */
    bool same_stop; /* the commands are the opening's own; what differs is what counts as success */
};

/* What of an opening is run. */
enum opening_task {
    TASK_START = START_COMMANDS,
    TASK_STOP = STOP_COMMANDS,
    TASK_EXTEND = EXTEND_COMMANDS,
    TASK_CHECK = CHECK_COMMANDS,
    TASK_NEW_STOP, /* of its new_undo */
    TASK_NEW_CHECK,
};

/* What the runner has of an opening; there as long as it runs, and what came of it counts. */
struct task {
    struct job job;
    enum opening_task what;
    struct commands commands;
    char label[CONFIG_NAME_MAX + ADDR_TEXT_SIZE + 16];
};

/* Ten thousand of them are there at a time: what is needed at some moments alone is made then. */
struct opening {
    struct opening_context *context;
    enum opening_state state;
    char text[ADDR_TEXT_SIZE]; /* of the address */
    struct addr address;
    const char *name;          /* of the door */
    const char *by;            /* by which knock, or the name of the key */
    const char *source, *user; /* as of its knock; "": none */
    struct port_proto port;    /* what it opens; port 0: nothing in particular, or not known */
    struct command_set *set;   /* what it runs; NULL: nothing yet */
    int64_t knocked;           /* when it was asked for */
    int64_t delay;             /* ns before it starts */
    int64_t length;            /* ns that it stays open after a knock */
    int64_t deadline;          /* when it is due to close */
    int64_t interval;          /* ns between checks */
    struct timer timer;
    struct timer check_timer;
    struct task *task;       /* NULL: nothing is with the runner */
    enum job_kind last_kind; /* of the task before; and what jobs take over, see struct job */
    bool last_hung : 1, last_alone : 1;
    bool checks_meet : 1;     /* its check commands run together with those of others */
    bool close_next : 1;      /* to be closed when the command that runs now is done */
    bool extend_next : 1;     /* to be extended then */
    bool renew : 1;           /* to be opened again once the rest of it is closed */
    bool failed : 1;          /* its start failed: never reported as open */
    bool doubtful : 1;        /* a start or stop command of it may have been killed, or have run
                               * before a crash: there may be nothing to undo */
    bool unconfirmed : 1;     /* of an earlier run: may have been closed since it was recorded */
    bool last_try : 1;        /* of an earlier boot: one attempt to undo it, and it is done */
    bool undoes : 1;          /* its start commands are the undo of another door */
    bool lasts : 1;           /* no time closes it; so is its deadline INT64_MAX */
    bool expires : 1;         /* has no undo: the firewall closes it, at the time it was told */
    bool left_open : 1;       /* when knockd ends, since no time closes it */
    bool given_up : 1;        /* to be forgotten once the command that was killed is gone */
    bool stop_misused : 1;    /* its own stop commands don't understand their words */
    bool undo_changed : 1;    /* next_undo counts, be it NULL */
    enum door_end closed_by;  /* how it ends once it is closed */
    struct runner_told *told; /* of what runs again and again: attempts to close it, checks */
    struct opening *reopen;   /* a knock that came while this one closes: opens when it is gone */
    struct undo *new_undo;    /* tried when its own undo has failed; NULL: nothing differs */
    struct undo *next_undo;   /* takes the place of new_undo when no command of that runs */
    uint64_t stopped;         /* bit n: stop command n succeeded, and needn't be run again */
    unsigned attempts;        /* stops that failed */
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
    char texts[]; /* that others point to */
};

/* Who knocked, as an opening keeps it. */
struct opening_name {
    const char *door;
    struct addr address;
    struct port_proto port;
    const char *by;
    const char *source, *user; /* NULL: none */
};

/*
 * An opening that nothing has happened to yet; its timers call due() and check() with it. NULL when
 * memory is short.
 */
struct opening *opening_new(struct opening_context *context, const struct opening_name *name,
                            void (*due)(void *opening), void (*check)(void *opening));

/* What it is to run, and which exit statuses of its stop commands mean closed. -1 when memory is
 * short. */
int opening_set_commands(struct opening *opening, const struct commands lists[COMMAND_LISTS],
                         const uint64_t stop_ok[4]);

/* How many commands there are in a list of it. */
static inline unsigned opening_count(const struct opening *opening, enum command_list list)
{
    return opening->set ? opening->set->counts[list] : 0;
}

/* The commands of a list; the caller frees them. -1 when memory is short: then there are none. */
int opening_expand(const struct opening *opening, enum command_list list, struct commands *out);

/* Likewise of another set for its names, as of an undo. */
int opening_expand_set(const struct opening *opening, const struct command_set *set,
                       enum command_list list, struct commands *out);

/* The undo that has those lists, of the opening's address. NULL when memory is short. */
struct undo *undo_new(const struct opening *opening, const struct commands lists[COMMAND_LISTS],
                      const uint64_t stop_ok[4]);

/* Whether the list has just these commands; when memory is short, it hasn't. */
bool opening_has(const struct opening *opening, enum command_list list,
                 const struct commands *commands);

/* " (BY)", of a sealed knock with its port, for messages. */
#define OPENING_NOTE (CONFIG_NAME_MAX + 24)
const char *opening_note(const struct opening *opening, char out[OPENING_NOTE]);

/* Frees its task, which isn't with the runner. */
void opening_drop_task(struct opening *opening);

/* One of an earlier run. Else as opening_new. */
struct opening *opening_restore(struct opening_context *context, const struct stored_door *stored,
                                void (*due)(void *opening), void (*check)(void *opening));

/* Frees it, its commands and what would reopen it. It is in no table any more. */
void opening_free(struct opening *opening);

/* Frees an undo. NULL is fine. */
void undo_free(struct undo *undo);

#endif
