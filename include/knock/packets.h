/* Which packets a round of a sealed knock consists of, and in which order they go. Pure. */
#ifndef KNOCK_PACKETS_H
#define KNOCK_PACKETS_H

#include <stddef.h>

#include "lib/carrier.h"

enum packets_carrier { PACKETS_UDP, PACKETS_TCP, PACKETS_ONE };

/* What decides which packets say a message. */
struct packets_way {
    enum packets_carrier carrier;
    uint16_t span;        /* first port, for PACKETS_UDP and PACKETS_TCP */
    uint16_t packet_port; /* for PACKETS_ONE */
};

/* All packets of a message: those of round 0, 2, ... first, then those of round 1, 3, ... */
struct packets {
    unsigned count;         /* of the even rounds: any so many slots give the message */
    unsigned parity;        /* of the odd rounds; 0: each round is the same */
    const uint8_t *payload; /* content of a UDP packet; NULL: it doesn't matter */
    struct carrier_packet all[CARRIER_SLOTS_MAX];
};

/* The packets of `message`, of `len` bytes. TCP carries SEALED_SHORT bytes only. `message` has to
 * live as long as *out. */
void packets_make(struct packets_way way, const uint8_t *message, size_t len, struct packets *out);

/*
 * Points *out to the packets of `round`, after drawing their order from `random`, and returns how
 * many they are.
 */
unsigned packets_round(struct packets *packets, unsigned round,
                       const uint32_t random[CARRIER_SLOTS_MAX], const struct carrier_packet **out);

#endif
