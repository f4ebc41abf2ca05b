/* An attempt to open a door by a profile: resolve, choose the source, send, see what came of it. */
#ifndef KNOCK_ATTEMPT_H
#define KNOCK_ATTEMPT_H

#include "knock/profile.h"

/* Exit statuses of the client. */
enum attempt_end {
    ATTEMPT_OPEN = 0,     /* the port answers; or there was none to wait for, and it was sent */
    ATTEMPT_NOT_SENT = 1, /* wrong arguments, no route, no key ... */
    ATTEMPT_SHUT = 2,     /* sent, but the port didn't answer */
};

struct attempt {
    const struct profile *profile;
    const char *proxy_host; /* NULL: the port to wait for is on the host that is knocked at */
    bool close;             /* asks to close the door instead */
    bool always;            /* knocks even if the port answers already */
    bool verbose;           /* names each packet */
    bool quiet;             /* standard output belongs to another: -v goes to standard error */
};

/*
 * Knocks and reports how it ended, a failure on standard error. *connected becomes a connection to
 * the port that opened, which the caller closes; -1 if there is none.
 */
enum attempt_end attempt_run(const struct attempt *attempt, int *connected);

/* Prints what attempt_run() would send, and sends nothing. */
enum attempt_end attempt_show(const struct attempt *attempt);

#endif
