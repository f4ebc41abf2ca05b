/* The listener as a process: started, sent its configuration and its logs, asked, and ended. */
#ifndef KNOCKD_LISTENER_PROCESS_H
#define KNOCKD_LISTENER_PROCESS_H

#include <sys/types.h>

#include "keeper/inbound.h"
#include "lib/loop.h"

struct listener_process_calls {
    /* The listener has its configuration and its logs. */
    void (*ready)(void *arg);
    /* It died, hangs, doesn't read, or had to be killed because of what it said. Only
     * listener_process_end is left to do. */
    void (*lost)(void *arg);
    void *arg;
    struct inbound_calls messages;
};

struct listener_process;

/*
 * Starts a listener as `uid`, `gid` for the configuration of `authorize`, which serves its knocks
 * and must live as long. `generation` marks all messages of both sides. NULL after the error went
 * to `report`.
 */
struct listener_process *
listener_process_start(struct loop *loop, const struct authorize *authorize,
                       const struct nflog_groups *groups, uint32_t generation, uid_t uid, gid_t gid,
                       struct listener_process_calls calls, struct report *report);

pid_t listener_process_pid(const struct listener_process *l);

/*
 * Asks question number `query`, about `address` too unless it is NULL: the answer comes as
 * messages. One question at a time, so listener_process_may_ask() must be true. A listener that
 * doesn't answer within 12 s is lost.
 */
void listener_process_query(struct listener_process *l, uint32_t query, const struct addr *address);

/* Whether it has its configuration and owes no answer to a question. */
bool listener_process_may_ask(const struct listener_process *l);

/* Whether it still owes the answer to a question that was asked at `then` (ns) or before. */
bool listener_process_owes_since(const struct listener_process *l, int64_t then);

/* Has it prove that it is at work, unless it owes that already. One that doesn't answer within 12 s
 * is lost. */
void listener_process_ping(struct listener_process *l);

/* Whether it has answered the last ping, as far as there was one. */
bool listener_process_answers(const struct listener_process *l);

/* Ends the listener and frees `l`; waits until the process is gone, for a second at most. NULL is
 * fine. */
void listener_process_end(struct listener_process *l);

#endif
