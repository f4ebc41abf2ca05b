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

/*
 * Tries to connect by TCP to each of `count` (1 or 2) ports until one is connected, or `until`
 * (clock_now()). Returns the connected, blocking socket, which the caller closes, and marks its
 * port as open; -1: nobody took a connection. No packet is sent any more after this returns.
 */
int watch_ports(struct watched *ports, unsigned count, int64_t until);

/* The same by one attempt for each port, until all have failed, for a look before the knock. */
int watch_look(struct watched *ports, unsigned count, int64_t until);

#endif
