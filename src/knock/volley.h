/* Sending the packets of a message, all from one source port: by that the receiver tells two
 * clients of one address apart. */
#ifndef KNOCK_VOLLEY_H
#define KNOCK_VOLLEY_H

#include "knock/replies.h"
#include "knock/source.h"
#include "lib/carrier.h"

struct volley {
    const struct source *source;
    struct replies *replies;
    uint8_t proto;
    int fd;                   /* UDP: sends; TCP: holds the source port */
    struct knock_target from; /* address and port; TCP only, length 0: the kernel chooses */
    struct knock_target to;
};

/*
 * Takes a source port of `proto` at the address of `source` for packets to `target`; what comes
 * back for them is read by `replies`. `source` and `replies` have to live as long as *volley.
 * Returns 0 or an errno. The caller closes it by volley_close() either way.
 */
int volley_open(struct volley *volley, const struct knock_target *target,
                const struct source *source, uint8_t proto, struct replies *replies);

/*
 * Sends one packet; `payload` is NULL where the content doesn't matter. Never waits for an answer.
 * Returns 0, or the errno of a packet that didn't leave this machine.
 */
int volley_send(struct volley *volley, const struct carrier_packet *packet, const uint8_t *payload);

/* Reads what came back to the source port. */
void volley_collect(struct volley *volley);

/* Leaves the source port to `replies`, for what comes back later. */
void volley_leave(struct volley *volley);

void volley_close(struct volley *volley);

#endif
