/* Makes the packets of a message, and shuffles them for a round. */
#include "knock/packets.h"

#include <netinet/in.h>

#include "lib/sealed.h"

void packets_make(struct packets_options options, const uint8_t *message, size_t len,
                  struct packets *out)
{
    *out = (struct packets){0};
    if (options.carrier == PACKETS_ONE) {
        out->count = 1;
        out->payload = message;
        out->all[0] = (struct carrier_packet){
            .proto = IPPROTO_UDP, .port = options.packet_port, .length = (uint16_t)len};
        return;
    }
    enum carrier_window window = options.carrier == PACKETS_TCP ? CARRIER_TCP
                                 : len == SEALED_LONG           ? CARRIER_UDP_LONG
                                                                : CARRIER_UDP;
    const struct carrier_shape *shape = carrier_shape(window);
    carrier_packets(window, options.span, message, out->all);
    out->count = shape->message_slots;
    out->parity = (unsigned)(shape->slots - shape->message_slots);
}

/* Fisher and Yates's shuffle: every order is as likely, as far as 32 bits divide evenly. */
static void shuffle(struct carrier_packet *packets, unsigned count, const uint32_t *random)
{
    for (unsigned left = count; left > 1; left--) {
        unsigned chosen = random[left - 1] % left;
        struct carrier_packet packet = packets[chosen];
        packets[chosen] = packets[left - 1];
        packets[left - 1] = packet;
    }
}

unsigned packets_round(struct packets *packets, bool whole,
                       const uint32_t random[CARRIER_SLOTS_MAX])
{
    unsigned count = packets->count + (whole ? packets->parity : 0);
    shuffle(packets->all, count, random);
    return count;
}
