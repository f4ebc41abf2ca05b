/* A listener process as its keeper sees it: started, told, handed its logs, listened to, ended. */
#ifndef KNOCKD_CHILD_H
#define KNOCKD_CHILD_H

#include <sys/types.h>

#include "keeper/once.h"
#include "lib/config.h"
#include "lib/loop.h"
#include "lib/record.h"

struct child_calls {
    /* The listener has its configuration and its logs. */
    void (*ready)(void *arg);
    /* It says something: OPEN, SEALED, EVENT or an answer, of the right size and generation. False:
     * not acceptable. */
    bool (*record)(void *arg, const struct record *record);
    /* It died, hangs, doesn't read, or had to be killed because of what it said. Only child_end is
     * left to do. */
    void (*lost)(void *arg);
    void *arg;
};

struct child;

/*
 * Starts a listener as `uid`, `gid` for `config`, which must live as long. `generation` marks all
 * that is said. NULL after what went wrong was told to `report`.
 */
struct child *child_start(struct loop *loop, const struct config *config, const struct once *once,
                          uint32_t generation, uid_t uid, gid_t gid, struct child_calls calls,
                          struct report *report);

pid_t child_pid(const struct child *child);

/*
 * Asks it question number `query`, about `address` too unless it is NULL: the answer comes as
 * records. One question at a time, so child_may_ask() must be true. A listener that doesn't answer
 * within 12 s is lost.
 */
void child_query(struct child *child, uint32_t query, const struct addr *address);

/* Whether it has its configuration and owes no answer to a question. */
bool child_may_ask(const struct child *child);

/* Whether it still owes the answer to a question that was asked at `then` (ns) or before. */
bool child_owes_since(const struct child *child, int64_t then);

/* Has it prove that it is at work, unless it owes that already. One that doesn't answer within 12 s
 * is lost. */
void child_ping(struct child *child);

/* Whether it has answered the last ping, as far as there was one. */
bool child_answers(const struct child *child);

/* Ends the listener and frees the child; waits until the process is gone, for a second at most.
 * NULL is fine. */
void child_end(struct child *child);

#endif
