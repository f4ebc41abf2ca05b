/*
 * The requests of knockctl: status, doors, sources, watch and the others, answered on the control
 * socket. They see of the daemon no more than the services below.
 */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include <sys/types.h>

#include "keeper/authorize.h"
#include "keeper/keyring.h"
#include "keeper/refusal_log.h"
#include "lib/message.h"

/* What the daemon is doing just now, and by which configuration. */
struct requests_state {
    const char *phase; /* "starting", "serving", "stopping" or "failed" */
    bool serving;
    const struct config *config;
    const struct plans *plans;
    const struct keyring *keyring;
    uint32_t generation;       /* number of the listener that was started last */
    pid_t listener;            /* 0: there is none just now */
    int64_t listening_since;   /* when it was started */
    uint64_t messages_dropped; /* that weren't logged, since there were too many a second */
};

/* What requests may use. All of it must live as long as they do. */
struct requests_services {
    struct loop *loop;
    struct doors *doors;
    struct store *store;
    const struct authorize_limits *authorize_limits;
    const struct refusal_log *refusals;
    const struct copies *copies;
    const char *config_path;
    struct requests_state (*state)(void *arg);
    /* Begins a reload, whose end is told by requests_reloaded. Returns why it can't, or NULL. */
    const char *(*reload)(void *arg);
    /* Asks the listener question `query`, about `address` too unless it is NULL. False if there is
     * no listener that can be asked just now. */
    bool (*ask)(void *arg, uint32_t query, const struct addr *address);
    /* Whether the listener still owes the answer to a question of `then` (ns) or before. */
    bool (*owes_since)(void *arg, int64_t then);
    void *arg;
};

struct requests;

/*
 * Opens the control socket that the configuration names. Doors are more than their control: without
 * the socket, which is logged, all else works. NULL when memory is short.
 */
struct requests *requests_open(const struct requests_services *services);

/* Makes the control socket, or makes it again, if there is none at its path. */
void requests_check_socket(struct requests *requests);

/* Closes it; all that wait are disconnected. NULL is fine. */
void requests_close(struct requests *requests);

/* Passes a checked event of the listener on to those who run `knockctl watch`. */
void requests_listener_event(struct requests *requests, const struct config *config,
                             const struct message *message);

/* Passes a checked part of the listener's answer on to the request that waits for it; `config` is
 * what the listener works by. */
void requests_listener_answer(struct requests *requests, const struct config *config,
                              const struct message *message);

/* A reload is over; `why` it failed, or NULL, and what errors were found, a line each; of one
 * that didn't fail, what stays as it was, "" when nothing does. NULL requests are fine. */
void requests_reloaded(struct requests *requests, const char *why, const char *errors);

#endif
