/* Sending the packets of a sequence: each from a source port that none before it had. */
#ifndef KNOCK_SEND_H
#define KNOCK_SEND_H

#include "knock/replies.h"
#include "knock/source.h"
#include "lib/sequence.h"

/*
 * Sends one packet from `source` to a port of `target`: a TCP SYN, or an empty UDP datagram. Its
 * socket goes to `replies`. Never waits for an answer. Returns 0, or the errno of a packet that
 * didn't leave this machine.
 */
int knock_send(const struct source *source, const struct knock_target *target,
               struct port_proto step, struct replies *replies);

/* Waits between two packets. */
void knock_pause(unsigned ms);

#endif
