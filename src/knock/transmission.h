/*
 * What is sent, again and again until somebody opens: a sealed message or a sequence of ports. Each
 * time is a round.
 */
#ifndef KNOCK_TRANSMISSION_H
#define KNOCK_TRANSMISSION_H

#include <stdio.h>

#include "knock/packets.h"
#include "knock/replies.h"
#include "knock/round_port.h"
#include "knock/seal.h"

struct transmission {
    const struct profile *profile;
    const struct knock_target *target;
    const struct source *source;
    struct seal *seal; /* opened, and locked unless only_list; of a sequence not looked at */
    FILE *list;        /* where each packet is named; NULL: nowhere */
    bool only_list;    /* sends nothing, uses up nothing */
    uint8_t bytes[SEALED_LONG];
    struct packets packets;
    struct round_port round_port;
    struct sequence sequence;
    struct replies replies;   /* of all rounds */
    bool made;                /* there is a message to send */
    unsigned rounds;          /* that were sent of it */
    unsigned count;           /* packets of the round */
    int error;                /* errno of the round's last packet; 0: it left */
    struct port_proto failed; /* where to the first packet that didn't leave in a first round */
    int failure;              /* its errno; 0: there is none, and the message is sent */
};

/* Gets *message ready, of which the caller has set profile, target, source, seal, list and
 * only_list, which live as long. The caller calls transmission_close(). */
void transmission_open(struct transmission *message);

/*
 * Makes a message that was never sent before: another time, another line of one-time sequences. One
 * of these that couldn't be sent is taken again. False, reported already, when there is none.
 */
bool transmission_next(struct transmission *message);

/*
 * Sends a round of each of `count` messages of one profile, packet by packet in turn, a sealed
 * message from a source port of its own; `whole`: with the parity, which makes up for losses. Of a
 * first round every packet has to leave this machine: if one doesn't, `failure` is set and nothing
 * is sent of that message any more. Of others, one that doesn't is as good as lost on the way.
 * Returns whether there is a message without failure.
 */
bool transmission_send(struct transmission *messages, unsigned count, bool whole);

/* Reads what came back for the packets into message->replies.answers; `done`: for the last time. */
void transmission_collect(struct transmission *message, bool done);

/* Why it couldn't be sent, as a line without newline; returns `out`. */
const char *transmission_failure(const struct transmission *message, char *out, size_t size);

void transmission_close(struct transmission *message);

#endif
