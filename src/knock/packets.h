/* Which packets a round of a sealed knock consists of, and in which order they go. Pure. */
#ifndef KNOCK_PACKETS_H
#define KNOCK_PACKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/carrier.h"

enum packets_carrier { PACKETS_UDP, PACKETS_TCP, PACKETS_ONE };

/* What decides which packets carry a message. */
struct packets_options {
    enum packets_carrier carrier;
    uint16_t span;        /* first port, for PACKETS_UDP and PACKETS_TCP */
    uint16_t packet_port; /* for PACKETS_ONE */
};

/* All packets of a message: its own slots first, then those of parity. */
struct packets {
    unsigned count;         /* of the message: any so many slots give it */
    unsigned parity;        /* what makes up for losses; 0: the carrier has none */
    const uint8_t *payload; /* content of a UDP packet; NULL: it doesn't matter */
    struct carrier_packet all[CARRIER_SLOTS_MAX];
};

/* The packets of `message`, of `len` bytes. TCP carries SEALED_SHORT bytes only. `message` has to
 * live as long as *out. */
void packets_make(struct packets_options options, const uint8_t *message, size_t len,
                  struct packets *out);

/*
 * Draws from `random` the order in which packets->all is sent in a round, and returns how many of
 * them are: of a first round the message's slots, of a `whole` one those of parity among them.
 */
unsigned packets_round(struct packets *packets, bool whole,
                       const uint32_t random[CARRIER_SLOTS_MAX]);

#endif
