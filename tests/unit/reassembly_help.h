/* Sealed knocks for the tests of the reassembly: their packets, and what becomes of them. */
#ifndef REASSEMBLY_HELP_H
#define REASSEMBLY_HELP_H

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/crypto.h"
#include "lib/sequence.h"
#include "listener/ip_packet.h"
#include "listener/reassembly.h"
#include "random_help.h"

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)

enum { SPAN = CARRIER_SPAN_DEFAULT, UDP_HEADER = 8, PACKET_PORT = 123 };

static const uint8_t hash_key[CRYPTO_KEY_SIZE] = {1, 2, 3};
/* One message on its way. */
struct knock {
    enum carrier_window window;
    const struct carrier_shape *shape;
    struct addr from;
    uint16_t spt;
    uint8_t message[SEALED_LONG];
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
};

/* A random message by this carrier, from 198.51.100.`host`. */
static inline struct knock knock_from(uint8_t host, uint16_t spt, enum carrier_window window)
{
    struct knock knock = {.window = window,
                          .shape = carrier_shape(window),
                          .from = {4, {198, 51, 100, host}},
                          .spt = spt};
    for (unsigned i = 0; i < knock.shape->length; i++)
        knock.message[i] = (uint8_t)draw(256);
    carrier_packets(window, SPAN, knock.message, knock.packets);
    return knock;
}

static inline struct packet packet_of(const struct knock *knock, unsigned slot)
{
    const struct carrier_packet *carried = &knock->packets[slot];
    bool tcp = carried->proto == IPPROTO_TCP;
    return (struct packet){.src = knock->from,
                           .dst = {4, {192, 0, 2, 1}},
                           .proto = carried->proto,
                           .spt = knock->spt,
                           .dpt = carried->port,
                           .length = tcp ? 60u : carried->length + (uint32_t)UDP_HEADER,
                           .flags = tcp ? TCP_SYN : 0,
                           .has_ports = true,
                           .in = "eth0",
                           .in_len = 4};
}

/* A message that nobody sent: one piece has another value. */
static inline struct packet forged(const struct knock *knock, unsigned slot)
{
    struct packet packet = packet_of(knock, slot);
    if (packet.proto == IPPROTO_UDP)
        packet.length ^= 1;
    else
        packet.dpt ^= 1;
    return packet;
}

static inline bool is_message_of(const struct reassembled *made, const struct knock *knock)
{
    return made->length == knock->shape->length &&
           memcmp(made->message, knock->message, made->length) == 0;
}

/* Feeds one packet of the knock; what it came to. */
static inline struct reassembled send_slot(struct reassembly *a, const struct knock *knock,
                                           unsigned slot, int64_t now)
{
    struct reassembled made;
    struct packet packet = packet_of(knock, slot);
    reassembly_feed(a, 0, &packet, now, &made);
    return made;
}

/* The knock's message, whole, in one packet. */
static inline struct ip_packet whole_of(const struct knock *knock)
{
    struct ip_packet whole = {.packet = packet_of(knock, 0),
                              .payload = knock->message,
                              .payload_len = knock->shape->length};
    whole.packet.proto = IPPROTO_UDP;
    whole.packet.flags = 0;
    whole.packet.dpt = PACKET_PORT;
    whole.packet.length = whole.payload_len + UDP_HEADER;
    return whole;
}

/* Feeds it; whether its message came out. */
static inline bool send_whole(struct reassembly *a, const struct knock *knock, int64_t now)
{
    struct ip_packet whole = whole_of(knock);
    struct reassembled made = {0};
    return reassembly_whole(a, 0, &whole, now, &made) && is_message_of(&made, knock);
}

/* The numbers below `count`, shuffled. */
static inline void shuffle(uint8_t *order, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        order[i] = (uint8_t)i;
    for (unsigned i = count; i > 1; i--) {
        unsigned other = draw(i);
        uint8_t swapped = order[i - 1];
        order[i - 1] = order[other];
        order[other] = swapped;
    }
}

/* A round of the knock in random order, 2 ms apart from *now on. How often its message came out. */
static inline unsigned send_round(struct reassembly *a, const struct knock *knock, int64_t *now)
{
    uint8_t order[CARRIER_SLOTS_MAX];
    unsigned right = 0;
    shuffle(order, knock->shape->slots);
    for (unsigned i = 0; i < knock->shape->slots; i++, *now += 2 * MS) {
        struct reassembled made = send_slot(a, knock, order[i], *now);
        right += is_message_of(&made, knock);
    }
    return right;
}

#endif
