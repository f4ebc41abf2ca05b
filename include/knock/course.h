/* The course of a knock by a profile: resolve, choose the source, send, see whether it opened. */
#ifndef KNOCK_COURSE_H
#define KNOCK_COURSE_H

#include "knock/profile.h"

/* Exit statuses of the client. */
enum course_end {
    COURSE_OPEN = 0,     /* the port answers; or there was none to wait for, and it was sent */
    COURSE_NOT_SENT = 1, /* wrong arguments, no route, no key ... */
    COURSE_SHUT = 2,     /* sent, but the port didn't answer */
};

struct course {
    const struct profile *profile;
    const char *proxy_host; /* NULL: the port to wait for is on the host that is knocked at */
    bool close;             /* asks to close the door instead */
    bool verbose;           /* names each packet */
    bool quiet;             /* standard output belongs to another: -v goes to standard error */
};

/*
 * Knocks and tells how it ended, a failure on standard error. *connected becomes a connection to
 * the port that opened, which the caller closes; -1 if there is none.
 */
enum course_end course_run(const struct course *course, int *connected);

/* Prints what course_run() would send, and sends nothing. */
enum course_end course_show(const struct course *course);

#endif
