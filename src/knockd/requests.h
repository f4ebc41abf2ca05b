/* Where administrators ask: the requests of the control socket, answered for the daemon. */
#ifndef KNOCKD_REQUESTS_H
#define KNOCKD_REQUESTS_H

#include "lib/config.h"
#include "lib/message.h"

struct daemon;
struct requests;

/*
 * Opens the control socket of the daemon's current configuration. Doors are more than their
 * control: without the socket, which is logged, the daemon works all the same. NULL when memory is
 * short.
 */
struct requests *requests_open(struct daemon *daemon);

/* Makes the control socket, or makes it again, if there is none at its path. */
void requests_look(struct requests *desk);

/* Closes it; all that wait are disconnected. NULL is fine. */
void requests_close(struct requests *desk);

/* A listener told of something that is right: for who watches. */
void requests_heard(struct requests *desk, const struct config *config,
                    const struct message *message);

/* Takes a listener's answer to a question; `config` is what it works by. False when no honest
 * listener says that. */
bool requests_record(struct requests *desk, const struct config *config,
                     const struct message *message);

/* A reload is over; `why` it failed, or NULL. */
void requests_reloaded(struct requests *desk, const char *why);

#endif
