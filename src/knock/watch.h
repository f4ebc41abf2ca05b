/* Whether a port answers yet. */
#ifndef KNOCK_WATCH_H
#define KNOCK_WATCH_H

#include <stdint.h>

#include "knock/replies.h"
#include "knock/source.h"
#include "knock/target.h"

struct watched {
    struct knock_target target; /* with its port */
    struct source source;       /* of the connections */
    struct answers answers;     /* to connections that didn't succeed */
    struct replies *replies;    /* to a knock, to be collected meanwhile; NULL: none */
    unsigned reset_before;      /* those of watch_look() that the port refused */
    bool open;                  /* it answered */
};

enum { WATCH_TRIES_MAX = 32 };

/* Attempts to connect that are under way. */
struct watch {
    struct watched *ports;
    unsigned port_count;                  /* 1 or 2 */
    struct pollfd tries[WATCH_TRIES_MAX]; /* the oldest first */
    unsigned char port[WATCH_TRIES_MAX];  /* place in `ports` */
    bool looks[WATCH_TRIES_MAX];          /* begun before the knock */
    unsigned count;
};

/* `ports` have to live as long as *watch. The caller calls watch_close(). */
void watch_open(struct watch *watch, struct watched *ports, unsigned port_count);

/*
 * Tries to connect by TCP to each of the ports until one is connected, or `until` (clock_now()).
 * Returns the connected, blocking socket, which the caller closes, and marks its port as open; -1:
 * nobody took a connection. The oldest attempts go on then, and count when this is called again:
 * ICMP errors may come seconds later.
 */
int watch_ports(struct watch *watch, int64_t until);

/* Gives up the attempts that are under way. */
void watch_close(struct watch *watch);

/*
 * Tries to connect to each of the ports once, until all have succeeded or failed, or `until`, for a
 * look before the knock. Marks all that are open, and returns a socket as watch_ports().
 */
int watch_look(struct watch *watch, int64_t until);

#endif
