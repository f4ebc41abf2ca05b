/* Where administrators ask: the requests of the control socket, answered for the daemon. */
#ifndef KNOCKD_DESK_H
#define KNOCKD_DESK_H

#include "lib/config.h"
#include "lib/record.h"

struct daemon;
struct desk;

/*
 * Opens the control socket of the daemon's current configuration. Doors are more than their
 * control: without the socket, which is logged, the daemon works all the same. NULL when memory is
 * short.
 */
struct desk *desk_open(struct daemon *daemon);

/* Makes the control socket, or makes it again, if there is none at its path. */
void desk_look(struct desk *desk);

/* Closes it; all that wait are disconnected. NULL is fine. */
void desk_close(struct desk *desk);

/* A listener told of something that is right: for who watches. */
void desk_heard(struct desk *desk, const struct config *config, const struct record *record);

/* Takes a listener's answer to a question; `config` is what it works by. False when no honest
 * listener says that. */
bool desk_record(struct desk *desk, const struct config *config, const struct record *record);

/* A reload is over; `why` it failed, or NULL. */
void desk_reloaded(struct desk *desk, const char *why);

#endif
