/* What the daemon's two halves share: its life (daemon.c) and its listeners (regime.c). */
#ifndef KNOCKD_GENERATION_H
#define KNOCKD_GENERATION_H

#include "keeper/authorize.h"
#include "keeper/in_force.h"
#include "knockd/daemon.h"
#include "knockd/listener_process.h"
#include "control/requests.h"
#include "knockd/signals.h"

enum phase {
    PHASE_STARTING,
    PHASE_SERVING,
    PHASE_STOPPING,
    PHASE_FAILED, /* the start failed; doors of an earlier run are closed when they are due */
};

/* A setting with the listener that works by it. */
struct generation {
    struct daemon *daemon;
    struct setting setting;
    struct listener_process *child; /* NULL: dead, to be started again */
    int64_t started;
};

struct daemon {
    const char *path;
    enum phase phase;
    int parent; /* waits for us to be ready; -1: nobody */
    struct loop *loop;
    struct runner *runner;
    struct doors *doors;
    struct requests *requests;
    struct state_dir *dir;
    struct own_files *own_files;
    bool dir_broken; /* which was said */
    struct store *store;
    struct job hook; /* init_command, exit_command */
    struct generation *current;
    struct generation *next; /* a reload that isn't ready yet */
    uint32_t generation;
    struct signals *signals;
    struct timer restart, pulse, deadline;
    int64_t pause;             /* before the listener is started again */
    int64_t watchdog_interval; /* 0: no service manager wants signs of life */
    bool reload_wanted;        /* SIGHUP came before the first listener was ready */
    struct admission admission;
    struct refused *refused; /* sealed messages */
    struct refusal_log *refusals;
    struct limit messages;
    int status;
};

/* A report whose findings go to the log. */
struct report daemon_report(void);

/* The wall clock as sealed messages have it, and max_skew in s. */
struct in_force_time daemon_sealed_time(const struct config *config);

/* Ends the loop, with exit status 1. */
void daemon_fail(struct daemon *d);

/* A regime of `setting`, whose parts it takes over. NULL after the error was logged. */
struct generation *generation_new(struct daemon *d, struct setting *setting);

/* Ends its listener and frees it. NULL is fine. */
void generation_free(struct generation *r);

/* Makes the listener's empty root if it is missing. False with one line in `why`. */
bool generation_make_root(char *why, size_t why_size);

/* Starts its listener; what then becomes of it is the regime's business. */
bool generation_start(struct generation *r, struct report *report);

/* Starts the current regime's listener again: the `restart` timer. */
void generation_restart(void *daemon);

/* Reads the configuration anew; its listener takes over once it is ready. */
void generation_reload(struct daemon *d);

#endif
