/* What came back for packets that were sent, but for what they were sent for: RST and ICMP errors.
 */
#ifndef KNOCK_ANSWERS_H
#define KNOCK_ANSWERS_H

#include "knock/icmp.h"

struct answers {
    unsigned reset;           /* SYNs that the target, or a firewall in its name, answered by RST */
    unsigned rejected;        /* ICMP errors of the target itself */
    enum icmp_kind rejection; /* the kind of the last of those */
    unsigned unreachable;     /* ICMP errors of others, and errors of this machine's own network */
    struct icmp_error obstacle; /* the last of those */
};

/* Adds an errno by which connect() failed. */
void answers_add(struct answers *answers, int error);

/*
 * Reads what came back to the socket `fd`, which sent to `target`, and adds it. Returns whether
 * something did: then a connection that was under way has failed.
 */
bool answers_read(struct answers *answers, int fd, const struct addr *target);

#endif
