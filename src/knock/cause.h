/* What is likely wrong when a knock was sent and the port didn't open, judged by what was seen.
 * Pure. */
#ifndef KNOCK_CAUSE_H
#define KNOCK_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

/* Texts are as the user is to read them; none is NULL. */
struct seen {
    bool sealed;
    bool by_udp; /* what carried a sealed knock */
    unsigned port;
    const char *target;    /* address that was knocked at */
    bool looked;           /* at the port before the knock */
    unsigned reset_before; /* connections that the port refused by RST then */
    unsigned reset;        /* and since */
    unsigned unreachable;  /* connections that an ICMP error or this machine's network ended */
    const char *error;     /* of the last of those */
    const char *teller;    /* address that said so; "" not known */
    const char *own;       /* address of this machine that the packets left with */
    bool translated;       /* it can't be the one that the server saw */
    const char *bound;     /* address that a sealed knock is bound to; "" none */
    unsigned behind;       /* s by which the clock was behind the key's last time */
    bool unsynchronised;   /* the kernel says that nothing keeps the clock right */
};

enum { CAUSES_MAX = 3, CAUSE_SIZE = 512 };

/* Writes the likeliest causes to `out`, the likeliest first, and returns how many: 1 to CAUSES_MAX.
 * Each is a phrase that says what to do. */
unsigned cause_judge(const struct seen *seen, char out[CAUSES_MAX][CAUSE_SIZE]);

/* The address to ask for on the server; "ADDRESS" where this machine can't know it. */
const char *cause_address(const struct seen *seen);

#endif
