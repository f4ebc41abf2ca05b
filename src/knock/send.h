/* Sending knocks: each one packet from a source port that no knock before it had. */
#ifndef KNOCK_SEND_H
#define KNOCK_SEND_H

#include "knock/source.h"
#include "knock/target.h"
#include "lib/sequence.h"

/* The UDP sockets of the last knocks, kept so that the kernel can't give their ports again. */
struct knock_sender {
    const struct source *source; /* that the knocks leave from */
    int held[STEPS_MAX];
    unsigned next;
};

/* `source` has to live as long as *sender. */
void knock_sender_open(struct knock_sender *sender, const struct source *source);
void knock_sender_close(struct knock_sender *sender);

/*
 * Sends one knock: a TCP SYN, or an empty UDP datagram. Never waits for an answer. Returns 0, or
 * the errno of a packet that didn't leave this machine.
 */
int knock_send(struct knock_sender *sender, const struct knock_target *target,
               struct port_proto step);

/* Waits between two packets. */
void knock_pause(unsigned ms);

#endif
