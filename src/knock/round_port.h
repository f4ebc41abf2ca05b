/* Sending the packets of a message, all from one source port: by that the receiver keeps two
 * clients of one address apart. */
#ifndef KNOCK_ROUND_PORT_H
#define KNOCK_ROUND_PORT_H

#include "knock/replies.h"
#include "knock/source.h"
#include "lib/carrier.h"

struct round_port {
    const struct source *source;
    struct replies *replies;
    uint8_t proto;
    int fd;                   /* UDP: sends; TCP: holds the source port */
    struct knock_target from; /* address and port; TCP only, length 0: the kernel chooses */
    struct knock_target to;
};

/*
 * Takes a source port of `proto` at the address of `source` for packets to `target`; what comes
 * back for them is read by `replies`. `source` and `replies` have to live as long as *round_port.
 * Returns 0 or an errno. The caller closes it by round_port_close() either way.
 */
int round_port_open(struct round_port *round_port, const struct knock_target *target,
                    const struct source *source, uint8_t proto, struct replies *replies);

/*
 * Sends one packet; `payload` is NULL where the content doesn't matter. Never waits for an answer.
 * Returns 0, or the errno of a packet that didn't leave this machine.
 */
int round_port_send(struct round_port *round_port, const struct carrier_packet *packet,
                    const uint8_t *payload);

/* Reads what came back to the source port. */
void round_port_collect(struct round_port *round_port);

/* Leaves the source port to `replies`, for what comes back later. */
void round_port_leave(struct round_port *round_port);

void round_port_close(struct round_port *round_port);

#endif
