/* What is likely wrong when a knock was sent and the port didn't open, found by what was seen.
 * Pure. */
#ifndef KNOCK_CAUSE_H
#define KNOCK_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "knock/icmp.h"

/* An obstacle that packets met before they reached the server. */
struct obstacle {
    unsigned count; /* how often; 0: never, and the rest means nothing */
    enum icmp_kind kind;
    const char *error;  /* what the system calls it */
    const char *sender; /* address that told of it by ICMP; "" not known */
};

/* Texts are as the user is to read them; none is NULL. */
struct evidence {
    bool sealed;
    bool by_udp;    /* what carried a sealed knock; false: TCP */
    bool by_packet; /* one datagram of it did, and by_udp is true */
    unsigned port;
    const char *server;             /* address that was knocked at */
    const char *target;             /* address of the port: the same, or that of a host behind it */
    bool looked;                    /* at the port before the knock */
    unsigned reset_before;          /* connections that the port refused by RST then */
    unsigned reset;                 /* and since */
    struct obstacle port_obstacle;  /* of connections to the port */
    struct obstacle knock_obstacle; /* of the knock's packets */
    unsigned knock_reset;           /* packets of the knock that the server answered by RST */
    unsigned knock_rejected;        /* and by ICMP errors */
    enum icmp_kind rejection;       /* the last of those */
    const char *own;                /* address of this machine that the packets left with */
    bool translated;                /* it can't be the one that the server saw */
    const char *bound;              /* address that a sealed knock is bound to; "" none */
    bool bound_inside;              /* the server can't see that one: a translator's inside */
    bool told;                      /* by a STUN server or address_command */
    bool udp_answered;              /* by that STUN server */
    unsigned behind;                /* s by which the clock was behind the key's last time */
    bool unsynchronised;            /* the kernel says that nothing keeps the clock right */
};

enum { CAUSES_MAX = 3, CAUSE_SIZE = 512 };

/* Writes the likeliest causes to `out`, the likeliest first, and returns how many: 1 to CAUSES_MAX.
 * Each is a phrase that ends with what to do. */
unsigned cause_find(const struct evidence *seen, char out[CAUSES_MAX][CAUSE_SIZE]);

/* The address to ask for on the server; "ADDRESS" where this machine can't know it. */
const char *cause_address(const struct evidence *seen);

#endif
