/*
 * How a sealed message travels by what a firewall logs: each packet is a slot with a piece of the
 * message, told by its port (TCP: a byte) or by port and length (UDP: 16 bits); parity slots make
 * up for lost ones. Pure. Format: knock-protocol(7).
 */
#ifndef LIB_CARRIER_H
#define LIB_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A window: the ports that one kind of message uses, each from `span` + its own base. */
enum carrier_window {
    CARRIER_TCP,      /* 32 bytes, 32 + 16 slots of a byte */
    CARRIER_UDP,      /* 32 bytes, 16 + 8 slots of two bytes */
    CARRIER_UDP_LONG, /* 48 bytes, 24 + 12 slots of two bytes */
    CARRIER_WINDOWS,
};

enum {
    CARRIER_SLOTS_MAX = 48,
    CARRIER_SPAN_DEFAULT = 20000,
    CARRIER_SPAN_SIZE = 12288, /* ports from span on that carry sealed knocks, of TCP and UDP */
    CARRIER_SPAN_END = 32768,  /* span + CARRIER_SPAN_SIZE is at most this */
};

/* What one window is like. */
struct carrier_shape {
    uint8_t message_slots; /* any so many slots give the message */
    uint8_t slots;         /* with parity */
    uint8_t piece;         /* bytes of a slot */
    uint8_t length;        /* bytes of the message: message_slots * piece */
};

/* One packet of a knock. */
struct carrier_packet {
    uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP */
    uint16_t port;
    uint16_t length; /* UDP: bytes of the payload, whose content doesn't matter */
};

/* A packet as the receiver understands it. */
struct carrier_piece {
    uint8_t window; /* enum carrier_window */
    uint8_t slot;
    uint16_t value;
};

const struct carrier_shape *carrier_shape(enum carrier_window window);

/* The packets of all slots, message slots first: carrier_shape(window)->slots of them. */
void carrier_packets(enum carrier_window window, uint16_t span, const uint8_t *message,
                     struct carrier_packet out[CARRIER_SLOTS_MAX]);

/* Whether a packet to `port` belongs to the span at all, whatever it carries. */
bool carrier_has(uint16_t span, uint8_t proto, uint16_t port);

/*
 * Reads a packet of the span: `length` is that of UDP's payload. False when it is of no window or
 * no slot; *out untouched. The caller has looked at TCP's flags.
 */
bool carrier_read(uint16_t span, uint8_t proto, uint16_t port, uint32_t length,
                  struct carrier_piece *out);

/*
 * Makes the message of `window` out of message_slots pieces of different slots, in any order, and
 * writes its bytes to `out`.
 */
void carrier_recover(enum carrier_window window, const struct carrier_piece *pieces, uint8_t *out);

#endif
