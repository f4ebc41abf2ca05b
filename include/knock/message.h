/*
 * What is sent, again and again until somebody opens: a sealed message or a sequence of ports. Each
 * time is a round.
 */
#ifndef KNOCK_MESSAGE_H
#define KNOCK_MESSAGE_H

#include <stdio.h>

#include "knock/packets.h"
#include "knock/seal.h"
#include "knock/volley.h"

struct message {
    const struct profile *profile;
    const struct knock_target *target;
    const struct source *source;
    FILE *list;     /* where each packet is named; NULL: nowhere */
    bool only_list; /* sends nothing, uses up nothing */
    struct seal seal;
    uint8_t bytes[SEALED_LONG];
    struct packets packets;
    struct volley volley;
    struct sequence sequence;
    unsigned rounds; /* that were sent of it */
};

/* Gets ready for messages of *message's profile, target, source and list, which the caller has
 * set and which live as long; waits for another knock with the same key until `until`
 * (clock_now()). False, told already; the caller calls message_close() either way. */
bool message_open(struct message *message, enum sealed_op op, int64_t until);

/* Makes a message that was never sent before: another time, another line of one-time sequences.
 * False, told already. */
bool message_next(struct message *message);

/*
 * Sends a round, a sealed message from a source port of its own; `whole`: with the parity, which
 * makes up for losses. Of the first round every packet has to leave this machine: false, told
 * already, if one doesn't. Of others, one that doesn't is as good as lost on the way.
 */
bool message_send(struct message *message, bool whole);

void message_close(struct message *message);

#endif
