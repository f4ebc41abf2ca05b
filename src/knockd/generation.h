/*
 * A generation: a configuration with all that is made of it, and the listener that works by it. A
 * reload makes another one. Generations know nothing of the daemon but the calls that it gives
 * them.
 */
#ifndef KNOCKD_GENERATION_H
#define KNOCKD_GENERATION_H

#include "keeper/authorize.h"
#include "keeper/command.h"
#include "keeper/keyring.h"
#include "keeper/nflog_groups.h"
#include "keeper/one_time.h"
#include "keeper/plan.h"
#include "knockd/listener_process.h"
#include "lib/backoff.h"

struct generation;

/* What a generation reports to its owner, and needs from it. */
struct generation_calls {
    struct loop *loop;
    uint32_t *listeners; /* started so far, of all generations: numbers them */
    /* Its listener is at work: for the first time, or (`again`) after another was lost. */
    void (*ready)(void *arg, struct generation *generation, bool again);
    /* Its first listener was lost before it was ready. generation_free may be called at once. */
    void (*failed)(void *arg, struct generation *generation);
    /* What struct inbound_calls says. */
    void (*event)(void *arg, struct generation *generation, const struct message *message);
    void (*answer)(void *arg, struct generation *generation, const struct message *message);
    void *arg;
    struct authorize authorize; /* what outlives generations; each adds its configuration */
};

struct generation {
    struct config *config;
    struct plans *plans;
    struct rule_comments comments;
    struct one_time once; /* one-time sequences */
    struct keyring *keyring;
    struct nflog_groups groups; /* bound from its start on, whatever its listeners do */
    struct commands init;       /* before the first door */
    struct commands exit;       /* after the last */
    uid_t uid;                  /* the listener's */
    gid_t gid;
    struct generation_calls calls;
    struct authorize authorize;        /* what its listener's knocks are authorized by */
    struct listener_process *listener; /* NULL: there is none just now */
    int64_t started;                   /* when the listener was */
    bool served;                       /* a listener of it was ready */
    struct timer restart;
    struct backoff pauses; /* before the next restart */
};

/*
 * Reads and checks the configuration file at `path` in all its parts; starts nothing.
 * `only_check`: it won't be used, so warnings that the start would give are given now. What the
 * generation `before` found out about iptables isn't tried again (NULL: there is none). NULL after
 * reporting what is wrong.
 */
struct generation *generation_load(const char *path, const struct generation *before,
                                   bool only_check, struct report *report);

/* Ends its listener and frees it. NULL is fine. */
void generation_free(struct generation *generation);

/* Logs which values a reload can't bring into force, since those of the start are in use, and puts
 * it in `note`; "": all are. */
void generation_warn_fixed(const struct generation *generation, const char *state_dir,
                           const char *control, char *note, size_t size);

/*
 * Starts its listener, with the groups of NFLOG that `before` has, too (NULL: it is the first). One
 * that is lost after it was ready is replaced by another, later and later. False after the error
 * was logged.
 */
bool generation_start(struct generation *generation, const struct generation *before,
                      const struct generation_calls *calls);

/* Ends its listener, and starts no other. */
void generation_stop(struct generation *generation);

/* Makes the listener's empty root if it is missing. False with one line in `why`. */
bool generation_make_root(char *why, size_t why_size);

#endif
