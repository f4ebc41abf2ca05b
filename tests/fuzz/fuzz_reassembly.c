/*
 * Packets of the span: whatever message is handed over, as many pieces as make it came from its
 * address. The input is a text of steps, two bytes each: which message goes on, by which port, how
 * much later, and from which slot on how many of its packets come; or a packet of any kind.
 */
#include "fuzz.h"

#include <netinet/in.h>

#include "lib/carrier.h"
#include "lib/crypto.h"
#include "lib/sequence.h"
#include "listener/ip_packet.h"
#include "listener/reassembly.h"

enum { PACKET_PORT = 123 };
enum { SPAN = CARRIER_SPAN_DEFAULT, UDP_HEADER = 8, MESSAGES = 4, HOSTS = 2, PACKETS_MAX = 400 };

struct world {
    struct reassembly *reassembly;
    int64_t now;
    unsigned count; /* packets so far */
    struct {
        uint8_t host;
        struct carrier_piece piece;
    } pieces[PACKETS_MAX];
};

/* Whether `host` sent that piece. */
static bool has_piece(const struct world *w, uint8_t host, const struct carrier_piece *piece)
{
    for (unsigned i = 0; i < w->count; i++) {
        const struct carrier_piece *other = &w->pieces[i].piece;
        if (w->pieces[i].host == host && other->window == piece->window &&
            other->slot == piece->slot && other->value == piece->value)
            return true;
    }
    return false;
}

static void claim_sent(const struct world *w, uint8_t host, unsigned window,
                       const struct reassembled *made)
{
    const struct carrier_shape *shape = carrier_shape(window);
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    struct carrier_piece piece;
    unsigned found = 0;
    carrier_packets(window, SPAN, made->message, packets);
    for (unsigned slot = 0; slot < shape->slots; slot++) {
        CLAIM(carrier_read(SPAN, packets[slot].proto, packets[slot].port, packets[slot].length,
                           &piece));
        CLAIM(piece.window == window && piece.slot == slot);
        found += has_piece(w, host, &piece);
    }
    CLAIM(made->length == shape->length && found >= shape->message_slots);
}

static void stream(struct world *w, uint8_t host, uint16_t spt,
                   const struct carrier_packet *carried)
{
    struct packet packet = {.src = {4, {198, 51, 100, host}},
                            .dst = {4, {192, 0, 2, 1}},
                            .proto = carried->proto,
                            .spt = spt,
                            .dpt = carried->port,
                            .has_ports = true,
                            .in = "eth0",
                            .in_len = 4};
    struct reassembled made;
    struct carrier_piece piece;
    bool tcp = carried->proto == IPPROTO_TCP;
    packet.length = tcp ? 60u : carried->length + (uint32_t)UDP_HEADER;
    packet.flags = tcp ? TCP_SYN : 0;
    if (w->count == PACKETS_MAX)
        return;
    bool is_piece = carrier_read(SPAN, carried->proto, carried->port, carried->length, &piece);
    if (is_piece) {
        w->pieces[w->count].host = host;
        w->pieces[w->count++].piece = piece;
    }
    reassembly_feed(w->reassembly, 0, &packet, w->now, &made);
    CLAIM((made.fragments > 0) == is_piece && (is_piece || made.length == 0));
    if (made.length > 0)
        claim_sent(w, host, piece.window, &made);
    else if (is_piece)
        CLAIM(made.needed == carrier_shape(piece.window)->message_slots &&
              made.fragments <= carrier_shape(piece.window)->slots);
}

/* The same packet with a payload: a message by itself where its port and length are right, and then
 * those very bytes. */
static void stream_whole(struct world *w, uint8_t host, uint16_t spt, uint16_t port,
                         uint32_t length)
{
    uint8_t payload[2048];
    struct reassembled made = {0};
    for (unsigned i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(length + spt + (i & 1));
    struct ip_packet packet = {.packet = {.src = {4, {198, 51, 100, host}},
                                          .dst = {4, {192, 0, 2, 1}},
                                          .proto = IPPROTO_UDP,
                                          .spt = spt,
                                          .dpt = port,
                                          .has_ports = true,
                                          .length = length + (uint32_t)UDP_HEADER},
                               .payload = payload,
                               .payload_len = length};
    bool whole = port == PACKET_PORT && (length == SEALED_SHORT || length == SEALED_LONG);
    CLAIM(reassembly_whole(w->reassembly, 0, &packet, w->now, &made) == whole);
    CLAIM(made.needed == whole && made.fragments == whole);
    CLAIM(made.length == 0 ||
          (made.length == length && memcmp(made.message, payload, length) == 0));
}

static void send_part(struct world *w, unsigned how, unsigned part)
{
    uint8_t message[SEALED_LONG];
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    unsigned number = how % MESSAGES, window = number % CARRIER_WINDOWS;
    unsigned slots = carrier_shape(window)->slots, slot = part % slots;
    for (unsigned i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(number * 71 + i * 29 + i * i);
    carrier_packets(window, SPAN, message, packets);
    for (unsigned left = 1 + part / slots * 5; left > 0; left--, slot = (slot + 1) % slots)
        stream(w, how >> 2 & 1, (uint16_t)(4000 + (how >> 3 & 1)), &packets[slot]);
}

static void step(struct world *w, struct input *in)
{
    static const int64_t later[] = {0, 2000000, 500000000, 16000000000};
    unsigned how = input_byte(in), part = input_byte(in);
    w->now += later[how >> 4 & 3];
    if (how >> 6 < 3) {
        send_part(w, how, part);
        return;
    }
    unsigned length = input_byte(in), port = input_byte(in);
    length |= (part & 7) << 8;
    port |= (unsigned)input_byte(in) << 8;
    struct carrier_packet any = {.proto = part & 128 ? IPPROTO_TCP : IPPROTO_UDP,
                                 .port = (uint16_t)(SPAN + port % CARRIER_SPAN_SIZE),
                                 .length = part & 128 ? 0 : (uint16_t)length};
    stream(w, how >> 2 & 1, (uint16_t)(4000 + (how >> 3 & 1)), &any);
    stream_whole(w, how >> 2 & 1, (uint16_t)(4000 + (how >> 3 & 1)),
                 port & 1 ? PACKET_PORT : any.port, length % 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[CRYPTO_KEY_SIZE] = {1, 2, 3};
    static struct world w; /* large */
    struct input in = input_of(data, size);
    w.count = 0;
    w.now = 1;
    /* So few that they have to make room for one another. */
    w.reassembly = reassembly_new(SPAN, 2 + input_byte(&in) % 8, key);
    CLAIM(w.reassembly);
    reassembly_set_packet_port(w.reassembly, PACKET_PORT);
    while (in.p < in.end && w.count < PACKETS_MAX)
        step(&w, &in);
    reassembly_free(w.reassembly);
    return 0;
}
