/* Whether a port answers yet. */
#ifndef KNOCK_WATCH_H
#define KNOCK_WATCH_H

#include <stdint.h>

#include "knock/source.h"
#include "knock/target.h"

/* How attempts to connect ended that didn't succeed. */
struct answers {
    unsigned reset;       /* the port refused, by RST */
    unsigned unreachable; /* an ICMP error, or this machine's own network, put an end to it */
    int error;            /* the errno of the last of those */
    struct addr teller;   /* who sent its ICMP error; family 0: not known */
};

struct watched {
    struct knock_target target; /* with its port */
    struct source source;       /* of the connections */
    struct answers answers;     /* added up */
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
