/*
 * What a forger who sees a client's packets needs to keep its sealed knock shut: how often a knock
 * still opens, by forged packets a second and carrier. Prints the table of knock-protocol(7).
 *
 * The client's rounds and the server's reassembly are the real ones, in a time that is computed.
 * From 2 ms after the first packet of a round on, the forger sends pieces of random slots and
 * values from the client's address and the round's source port, at random times. He who aims sends
 * one packet a round, another value for a slot that has just passed, after half of the message.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/sequence.h"
#include "listener/reassembly.h"

#define MS INT64_C(1000000)

enum { SPAN = 20000, ROUNDS = 4, PAUSE = 2, REACTION = 2, AIMED = -1, TRIALS = 400 };

struct knock {
    const struct carrier_shape *shape;
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    uint8_t message[SEALED_LONG];
    struct reassembly *reassembly;
    uint16_t port;
    int64_t now;
    int64_t forged; /* when the next forged packet arrives; INT64_MAX: never */
    int rate;
    bool open;
};

static double chance(void)
{
    return (double)random() / ((double)RAND_MAX + 1);
}

static void fill(uint8_t message[SEALED_LONG])
{
    for (unsigned i = 0; i < SEALED_LONG; i++)
        message[i] = (uint8_t)(random() >> 8);
}

static void arrive(struct knock *k, const struct carrier_packet *sent)
{
    struct packet packet = {.src = {.family = 4, .bytes = {192, 0, 2, 2}},
                            .proto = sent->proto,
                            .spt = k->port,
                            .dpt = sent->port,
                            .flags = sent->proto == IPPROTO_TCP ? TCP_SYN : 0,
                            .length = sent->length + 8u};
    struct reassembled out;
    reassembly_feed(k->reassembly, 0, &packet, k->now, &out);
    k->open |= out.length > 0 && memcmp(out.message, k->message, out.length) == 0;
}

/* Another value for the slot of `packet`. */
static void forge(struct knock *k, const struct carrier_packet *packet)
{
    struct carrier_packet other[CARRIER_SLOTS_MAX];
    uint8_t message[SEALED_LONG];
    fill(message);
    carrier_packets(k->shape->piece == 1 ? CARRIER_TCP : CARRIER_UDP, SPAN, message, other);
    for (unsigned i = 0; i < k->shape->message_slots; i++)
        if (packet == &k->packets[i])
            arrive(k, &other[i]);
}

/* In every 0.1 ms as likely as in any other. */
static int64_t next_forged(const struct knock *k, int64_t after)
{
    if (k->rate <= 0)
        return INT64_MAX;
    do
        after += MS / 10;
    while (chance() * 10000 > k->rate);
    return after;
}

static void forge_until(struct knock *k, int64_t until)
{
    for (; k->forged < until; k->forged = next_forged(k, k->forged)) {
        k->now = k->forged;
        forge(k, &k->packets[(unsigned)(chance() * k->shape->message_slots)]);
    }
    k->now = until;
}

static void shuffle(unsigned *order, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        order[i] = i;
    for (unsigned left = count; left > 1; left--) {
        unsigned chosen = (unsigned)(chance() * left), last = order[left - 1];
        order[left - 1] = order[chosen];
        order[chosen] = last;
    }
}

static void send_round(struct knock *k, bool whole)
{
    unsigned order[CARRIER_SLOTS_MAX], count = whole ? k->shape->slots : k->shape->message_slots;
    unsigned message_slots = 0;
    shuffle(order, count);
    k->port = (uint16_t)(32768 + chance() * 28000);
    k->forged = next_forged(k, k->now + REACTION * MS);
    for (unsigned i = 0; i < count; i++) {
        const struct carrier_packet *packet = &k->packets[order[i]];
        forge_until(k, k->now + PAUSE * MS);
        arrive(k, packet);
        bool middle =
            order[i] < k->shape->message_slots && ++message_slots == k->shape->message_slots / 2;
        if (k->rate == AIMED && middle)
            forge(k, packet);
    }
}

static bool opens(enum carrier_window window, int rate)
{
    static const int64_t waits[ROUNDS] = {500, 1000, 2000, 2000};
    const uint8_t key[16] = {1};
    struct knock k = {.shape = carrier_shape(window), .rate = rate};
    k.reassembly = reassembly_new(SPAN, 1000, key);
    if (!k.reassembly)
        abort();
    fill(k.message);
    carrier_packets(window, SPAN, k.message, k.packets);
    for (unsigned round = 0; round < ROUNDS && !k.open; round++) {
        send_round(&k, round > 0);
        forge_until(&k, k.now + waits[round] * MS);
    }
    reassembly_free(k.reassembly);
    return k.open;
}

int main(void)
{
    static const int rates[] = {0, 14, 50, 100, 200, 400, 800, AIMED};
    puts("| forged packets a second | UDP opens | TCP opens |\n|---|---|---|");
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        unsigned udp = 0, tcp = 0;
        for (unsigned trial = 0; trial < TRIALS; trial++) {
            udp += opens(CARRIER_UDP, rates[i]);
            tcp += opens(CARRIER_TCP, rates[i]);
        }
        char rate[40];
        snprintf(rate, sizeof(rate), rates[i] == AIMED ? "one, aimed, a round" : "%d", rates[i]);
        printf("| %s | %.2f | %.2f |\n", rate, (double)udp / TRIALS, (double)tcp / TRIALS);
    }
    return 0;
}
