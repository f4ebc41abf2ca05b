/*
 * The reassembly against a slow model of the same rules: every entry is looked at for every packet,
 * and every message is made anew. Few addresses, ports and messages, so that they meet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "listener/reassembly_table.h"
#include "reassembly_help.h"

enum { ROUNDS = 40, PACKETS = 5000, RECORDS_MAX = 12, KNOCKS = 6 };

struct entry {
    int64_t since; /* -1: the place is free */
    struct addr address;
    unsigned window, port;
    bool common;
    int values[CARRIER_SLOTS_MAX];    /* -1: none */
    unsigned came[CARRIER_SLOTS_MAX]; /* number of the packet */
    unsigned grew;                    /* number of the packet that brought the last new slot */
    unsigned handed, mixed;
    uint8_t last[SEALED_LONG];
};

struct model {
    struct entry entries[RECORDS_MAX];
    unsigned max, packets;
    uint64_t evicted;
};

static unsigned slots_of(const struct entry *entry)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CARRIER_SLOTS_MAX; i++)
        count += entry->values[i] >= 0;
    return count;
}

/* Of those with `slots` slots the one with the oldest last one. */
static struct entry *oldest(struct model *model, unsigned slots, const struct entry *keep)
{
    struct entry *best = NULL;
    for (unsigned i = 0; i < model->max; i++) {
        struct entry *entry = &model->entries[i];
        if (entry != keep && slots_of(entry) == slots && (!best || entry->grew < best->grew))
            best = entry;
    }
    return best;
}

/* A free place, or that of the one with the fewest slots that isn't young, unless all are. */
static struct entry *place(struct model *model, int64_t now, const struct entry *keep)
{
    struct entry *best = NULL;
    for (unsigned i = 0; i < model->max; i++)
        if (model->entries[i].since < 0)
            return &model->entries[i];
    model->evicted++;
    for (unsigned slots = 0; slots <= CARRIER_SLOTS_MAX; slots++) {
        struct entry *entry = oldest(model, slots, keep);
        if (entry && now - entry->since >= REASSEMBLY_YOUNG)
            return entry;
        best = best ? best : entry;
    }
    return best;
}

static struct entry *find(struct model *model, const struct packet *packet, unsigned window,
                          bool common, int64_t now, const struct entry *keep)
{
    unsigned port = common ? 0 : packet->spt;
    for (unsigned i = 0; i < model->max; i++) {
        struct entry *entry = &model->entries[i];
        if (entry->since >= 0 && now - entry->since >= REASSEMBLY_LIFE)
            entry->since = -1;
        if (entry->since >= 0 && addr_equal(&entry->address, &packet->src) &&
            entry->window == window && entry->common == common && entry->port == port)
            return entry;
    }
    struct entry *entry = place(model, now, keep);
    *entry = (struct entry){
        .since = now, .address = packet->src, .window = window, .port = port, .common = common};
    for (unsigned i = 0; i < CARRIER_SLOTS_MAX; i++)
        entry->values[i] = -1;
    return entry;
}

/* How many of the entry's values are those of the message. */
static unsigned agreeing(const struct entry *entry, const uint8_t *message)
{
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    struct carrier_piece piece;
    unsigned agree = 0;
    carrier_packets(entry->window, SPAN, message, packets);
    for (unsigned i = 0; i < carrier_shape(entry->window)->slots; i++) {
        assert_true(
            carrier_read(SPAN, packets[i].proto, packets[i].port, packets[i].length, &piece));
        agree += entry->values[i] == piece.value;
    }
    return agree;
}

static bool chosen_already(const struct carrier_piece *pieces, unsigned count, unsigned slot)
{
    for (unsigned i = 0; i < count; i++)
        if (pieces[i].slot == slot)
            return true;
    return false;
}

static void make(const struct entry *entry, uint8_t *message)
{
    struct carrier_piece pieces[CARRIER_SLOTS_MAX];
    unsigned needed = carrier_shape(entry->window)->message_slots;
    for (unsigned n = 0; n < needed; n++) {
        int newest = -1;
        for (int i = 0; i < CARRIER_SLOTS_MAX; i++)
            if (entry->values[i] >= 0 && !chosen_already(pieces, n, (unsigned)i) &&
                (newest < 0 || entry->came[i] > entry->came[newest]))
                newest = i;
        assert_true(newest >= 0);
        pieces[n] = (struct carrier_piece){.window = (uint8_t)entry->window,
                                           .slot = (uint8_t)newest,
                                           .value = (uint16_t)entry->values[newest]};
    }
    carrier_recover(entry->window, pieces, message);
}

static unsigned hand_over(struct entry *entry, uint8_t *message)
{
    const struct carrier_shape *shape = carrier_shape(entry->window);
    unsigned further = slots_of(entry) - shape->message_slots, wanted = shape->piece == 1 ? 3 : 2;
    make(entry, message);
    if (entry->handed > 0 && memcmp(message, entry->last, shape->length) == 0)
        return 0;
    if (entry->handed == (entry->common ? 256u : 4u) ||
        entry->mixed == (entry->common ? 8192u : 128u))
        return 0;
    if (agreeing(entry, message) - shape->message_slots < (further < wanted ? further : wanted)) {
        entry->mixed++;
        return 0;
    }
    memcpy(entry->last, message, shape->length);
    entry->handed++;
    return shape->length;
}

/* What the port of `own`, which brought half a message, has in the common record leaves it. */
static void withdraw(struct model *model, const struct entry *own)
{
    for (struct entry *entry = model->entries; entry < model->entries + model->max; entry++) {
        bool left = false;
        if (entry->since < 0 || !entry->common || entry->window != own->window ||
            !addr_equal(&entry->address, &own->address))
            continue;
        for (unsigned i = 0; i < CARRIER_SLOTS_MAX; i++)
            if (entry->values[i] >= 0 && entry->values[i] == own->values[i]) {
                entry->values[i] = -1;
                left = true;
            }
        if (left)
            entry->grew = ++model->packets;
        if (slots_of(entry) == 0)
            entry->since = -1;
    }
}

static unsigned stream(struct model *model, const struct packet *packet, int64_t now,
                       uint8_t *message)
{
    struct carrier_piece piece;
    uint32_t length = packet->proto == IPPROTO_TCP ? 0 : packet->length - UDP_HEADER;
    assert_true(carrier_read(SPAN, (uint8_t)packet->proto, packet->dpt, length, &piece));
    struct entry *entries[2] = {NULL};
    unsigned needed = carrier_shape(piece.window)->message_slots;
    for (unsigned common = 0; common < 2; common++) {
        if (common && slots_of(entries[0]) > needed / 8)
            break;
        struct entry *entry = find(model, packet, piece.window, common, now, entries[0]);
        model->packets++;
        if (entry->values[piece.slot] < 0)
            entry->grew = model->packets;
        entry->values[piece.slot] = piece.value;
        entry->came[piece.slot] = model->packets;
        entries[common] = entry;
    }
    if (slots_of(entries[0]) * 2 == needed)
        withdraw(model, entries[0]);
    for (unsigned common = 0; common < 2; common++)
        if (entries[common] && slots_of(entries[common]) >= needed)
            return hand_over(entries[common], message);
    return 0;
}

/* Knocks that come and go, in runs of slots, some forged, by two ports or scattered ones. */
static struct packet next_packet(struct knock knocks[KNOCKS], unsigned places[KNOCKS])
{
    unsigned n = draw(KNOCKS);
    struct knock *knock = &knocks[n];
    if (draw(100) == 0) {
        *knock = knock_from((uint8_t)draw(2), (uint16_t)(4000 + draw(2)), draw(CARRIER_WINDOWS));
        places[n] = draw(CARRIER_SLOTS_MAX);
    }
    places[n] += 1 + (draw(10) == 0);
    unsigned slot = places[n] * 7 % knock->shape->slots;
    struct packet packet = draw(60) ? packet_of(knock, slot) : forged(knock, slot);
    if (n == 0)
        packet.spt = (uint16_t)(5000 + draw(1000));
    return packet;
}

static uint64_t compare(unsigned max)
{
    struct model model = {.max = max};
    struct knock knocks[KNOCKS];
    unsigned places[KNOCKS] = {0};
    int64_t now = 0, pause = draw(2) ? 20 * MS : SECOND;
    struct reassembly *a = reassembly_new(SPAN, max, hash_key);
    assert_non_null(a);
    for (unsigned i = 0; i < max; i++)
        model.entries[i].since = -1;
    for (unsigned i = 0; i < KNOCKS; i++)
        knocks[i] = knock_from((uint8_t)draw(2), (uint16_t)(4000 + draw(2)), draw(CARRIER_WINDOWS));
    for (unsigned i = 0; i < PACKETS; i++) {
        struct packet packet = next_packet(knocks, places);
        struct reassembled made;
        uint8_t message[SEALED_LONG];
        now += draw((uint32_t)(pause / MS)) * MS;
        unsigned length = stream(&model, &packet, now, message);
        reassembly_feed(a, 0, &packet, now, &made);
        if (made.length != length || memcmp(message, made.message, length) != 0)
            fail_msg("packet %u: length %u, the model says %u", i, made.length, length);
    }
    assert_int_equal(reassembly_counters(a).evicted, model.evicted);
    uint64_t messages = reassembly_counters(a).messages;
    reassembly_free(a);
    return messages;
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL), messages = 0;
    print_message("# seed %llu\n", (unsigned long long)seed);
    random_state = seed;
    for (int round = 0; round < ROUNDS; round++)
        messages += compare(2 + draw(RECORDS_MAX - 1));
    print_message("# %llu messages\n", (unsigned long long)messages);
    /* Else nothing much was compared. */
    assert_true(messages > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
