/* Maps slots of a sealed message to ports and lengths, and back. */
#include "lib/carrier.h"

#include <assert.h>
#include <netinet/in.h>

#include "lib/parity.h"

/* A slot's ports lie side by side: each stands for the part of the value that isn't the length. */
struct window {
    struct carrier_shape shape;
    uint8_t proto;
    uint16_t base; /* from the span's first port */
    uint8_t port_bits;
    uint8_t length_bits;
};

static const struct window windows[CARRIER_WINDOWS] = {
    [CARRIER_TCP] = {{32, 48, 1, 32}, IPPROTO_TCP, 0, 8, 0},
    [CARRIER_UDP] = {{16, 24, 2, 32}, IPPROTO_UDP, 0, 6, 10},
    [CARRIER_UDP_LONG] = {{24, 36, 2, 48}, IPPROTO_UDP, 2048, 6, 10},
};

const struct carrier_shape *carrier_shape(enum carrier_window window)
{
    assert(window < CARRIER_WINDOWS);
    return &windows[window].shape;
}

static void spread(const struct carrier_shape *shape, const uint8_t *message,
                   uint16_t values[CARRIER_SLOTS_MAX])
{
    struct parity parity;
    uint8_t x[PARITY_POINTS_MAX], y[PARITY_POINTS_MAX];
    for (unsigned i = 0; i < shape->message_slots; i++)
        x[i] = (uint8_t)i;
    parity_through(&parity, x, shape->message_slots);
    for (unsigned slot = 0; slot < shape->slots; slot++)
        values[slot] = 0;
    for (unsigned column = 0; column < shape->piece; column++) {
        for (unsigned i = 0; i < shape->message_slots; i++)
            y[i] = message[i * shape->piece + column];
        for (unsigned slot = 0; slot < shape->slots; slot++)
            values[slot] = (uint16_t)(values[slot] << 8 | parity_value(&parity, y, slot));
    }
}

void carrier_packets(enum carrier_window window, uint16_t span, const uint8_t *message,
                     struct carrier_packet out[CARRIER_SLOTS_MAX])
{
    assert(window < CARRIER_WINDOWS && span <= CARRIER_SPAN_END - CARRIER_SPAN_SIZE);
    const struct window *w = &windows[window];
    uint16_t values[CARRIER_SLOTS_MAX];
    spread(&w->shape, message, values);
    for (unsigned slot = 0; slot < w->shape.slots; slot++) {
        unsigned first = span + w->base + (slot << w->port_bits);
        out[slot] = (struct carrier_packet){
            .proto = w->proto,
            .port = (uint16_t)(first + (values[slot] >> w->length_bits)),
            .length = (uint16_t)(values[slot] & ((1u << w->length_bits) - 1)),
        };
    }
}

bool carrier_has(uint16_t span, uint8_t proto, uint16_t port)
{
    return (proto == IPPROTO_TCP || proto == IPPROTO_UDP) && port >= span &&
           port - span < CARRIER_SPAN_SIZE;
}

bool carrier_read(uint16_t span, uint8_t proto, uint16_t port, uint32_t length,
                  struct carrier_piece *out)
{
    if (!carrier_has(span, proto, port))
        return false;
    for (unsigned i = 0; i < CARRIER_WINDOWS; i++) {
        const struct window *w = &windows[i];
        unsigned offset = (unsigned)(port - span) - w->base;
        unsigned slot = offset >> w->port_bits;
        if (w->proto != proto || port - span < w->base || slot >= w->shape.slots)
            continue;
        if (w->length_bits && length >> w->length_bits)
            return false;
        unsigned part = offset & ((1u << w->port_bits) - 1);
        unsigned low = w->length_bits ? length : 0;
        *out = (struct carrier_piece){.window = (uint8_t)i,
                                      .slot = (uint8_t)slot,
                                      .value = (uint16_t)(part << w->length_bits | low)};
        return true;
    }
    return false;
}

void carrier_recover(enum carrier_window window, const struct carrier_piece *pieces, uint8_t *out)
{
    const struct carrier_shape *shape = carrier_shape(window);
    struct parity parity;
    uint8_t x[PARITY_POINTS_MAX], y[PARITY_POINTS_MAX];
    for (unsigned i = 0; i < shape->message_slots; i++)
        x[i] = pieces[i].slot;
    parity_through(&parity, x, shape->message_slots);
    for (unsigned column = 0; column < shape->piece; column++) {
        unsigned shift = 8 * (shape->piece - 1u - column);
        for (unsigned i = 0; i < shape->message_slots; i++)
            y[i] = (uint8_t)(pieces[i].value >> shift);
        for (unsigned slot = 0; slot < shape->message_slots; slot++)
            out[slot * shape->piece + column] = parity_value(&parity, y, slot);
    }
}
