#include "listener/reassembly.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/limit.h"
#include "lib/sequence.h"
#include "listener/reassembly_table.h"

enum { UDP_HEADER = 8, HELD_SHARE = 8, OWN_SHARE = 2 };

/* What own records and common ones have of their own. */
enum kind { KIND_OWN, KIND_COMMON, KINDS };

struct reassembly {
    uint16_t span;
    struct reassembly_table *table;
    struct limit limits[KINDS];
    struct reassembly_counters counters;
};

static const unsigned handed_max[KINDS] = {REASSEMBLY_HANDED, REASSEMBLY_HANDED_COMMON};
static const unsigned mixed_max[KINDS] = {REASSEMBLY_MIXED, REASSEMBLY_MIXED_COMMON};

struct reassembly *reassembly_new(uint16_t span, unsigned max, const uint8_t key[16])
{
    struct reassembly *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->span = span;
    a->limits[KIND_OWN] = limit_make(REASSEMBLY_RATE, REASSEMBLY_RATE, 0);
    a->limits[KIND_COMMON] = limit_make(REASSEMBLY_RATE_COMMON, REASSEMBLY_RATE_COMMON, 0);
    a->table = reassembly_table_new(max, key);
    if (!a->table) {
        reassembly_free(a);
        return NULL;
    }
    return a;
}

void reassembly_free(struct reassembly *a)
{
    if (!a)
        return;
    reassembly_table_free(a->table);
    free(a);
}

/* Knocks by TCP are SYNs; what answers one, or follows it, isn't a piece. */
static bool read_piece(uint16_t span, const struct packet *packet, struct carrier_piece *out)
{
    bool tcp = packet->proto == IPPROTO_TCP;
    uint8_t flags = packet->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN);
    if (tcp ? flags != TCP_SYN : packet->length < UDP_HEADER)
        return false;
    return carrier_read(span, (uint8_t)packet->proto, packet->dpt,
                        tcp ? 0 : packet->length - UDP_HEADER, out);
}

/* The slot is the one that came last now. */
static void move_to_front(uint8_t *order, unsigned place, uint8_t slot)
{
    memmove(order + 1, order, place);
    order[0] = slot;
}

static void put(struct reassembly *a, struct reassembly_entry *assembly,
                const struct carrier_piece *piece)
{
    unsigned place = 0;
    while (place < assembly->count && assembly->order[place] != piece->slot)
        place++;
    bool fresh = place == assembly->count;
    if (fresh || assembly->values[piece->slot] != piece->value)
        assembly->agreeing &= ~(UINT64_C(1) << piece->slot);
    move_to_front(assembly->order, place, piece->slot);
    assembly->values[piece->slot] = piece->value;
    if (fresh)
        reassembly_table_grow(a->table, assembly);
}

static struct reassembly_entry *take(struct reassembly *a, const struct reassembly_entry_name *name,
                                     const struct carrier_piece *piece, int64_t now,
                                     const struct reassembly_entry *keep)
{
    bool evicted;
    struct reassembly_entry *assembly = reassembly_table_get(a->table, name, now, keep, &evicted);
    a->counters.evicted += evicted;
    put(a, assembly, piece);
    return assembly;
}

/* Takes the latest pieces, as many as make a message. Returns their slots, a bit each. */
static uint64_t latest(const struct reassembly_entry *assembly, unsigned needed,
                       struct carrier_piece pieces[CARRIER_SLOTS_MAX])
{
    uint64_t slots = 0;
    for (unsigned i = 0; i < needed; i++) {
        uint8_t slot = assembly->order[i];
        pieces[i] = (struct carrier_piece){
            .window = assembly->name.window, .slot = slot, .value = assembly->values[slot]};
        slots |= UINT64_C(1) << slot;
    }
    return slots;
}

/*
 * Whether further pieces than those that made the message contradict it: fewer of them agree than
 * it takes to rule out chance, 3 bytes of them, or all if there are less.
 */
static bool is_mixture(const struct reassembly *a, const struct reassembly_entry *assembly,
                       const uint8_t *message)
{
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    const struct carrier_shape *shape = carrier_shape(assembly->name.window);
    unsigned needed = shape->message_slots, further = assembly->count - needed;
    unsigned wanted = (2u + shape->piece) / shape->piece, agree = 0;
    if (further == 0)
        return false;
    carrier_packets(assembly->name.window, a->span, message, packets);
    for (unsigned i = needed; i < assembly->count; i++) {
        struct carrier_piece piece;
        uint8_t slot = assembly->order[i];
        agree += carrier_read(a->span, packets[slot].proto, packets[slot].port,
                              packets[slot].length, &piece) &&
                 piece.value == assembly->values[slot];
    }
    return agree < (wanted < further ? wanted : further);
}

static void hand_over(struct reassembly *a, struct reassembly_entry *assembly, uint64_t slots,
                      const struct assembled *out)
{
    assembly->agreeing = slots;
    assembly->handed++;
    memcpy(assembly->message, out->message, out->length);
    a->counters.messages++;
}

/*
 * Makes the message, unless it is the one that was handed over last. That is known without making
 * it as long as the pieces are those that agreed with it, which is how it is in later rounds.
 */
static void make_message(struct reassembly *a, struct reassembly_entry *assembly, int64_t now,
                         struct assembled *out)
{
    enum kind kind = assembly->name.common ? KIND_COMMON : KIND_OWN;
    const struct carrier_shape *shape = carrier_shape(assembly->name.window);
    struct carrier_piece pieces[CARRIER_SLOTS_MAX];
    uint64_t slots = latest(assembly, shape->message_slots, pieces);
    if (assembly->handed > 0 && (slots & ~assembly->agreeing) == 0)
        return;
    if (assembly->handed == handed_max[kind] || assembly->mixed == mixed_max[kind]) {
        a->counters.spent[kind]++;
        return;
    }
    carrier_recover(assembly->name.window, pieces, out->message);
    if (assembly->handed > 0 && memcmp(out->message, assembly->message, shape->length) == 0) {
        assembly->agreeing |= slots;
        return;
    }
    if (is_mixture(a, assembly, out->message)) {
        assembly->mixed++;
        a->counters.mixtures++;
        return;
    }
    /* Not handed over, it is tried again with the next piece. */
    if (!limit_take(&a->limits[kind], now))
        return;
    out->length = shape->length;
    hand_over(a, assembly, slots, out);
}

/*
 * A source port that has brought more than an eighth of a message isn't scattered. Among the pieces
 * of its neighbours behind a NAT, or of the next knock of its own host, the rest would be no help,
 * only mixtures: of a first round, without further pieces, each would be handed over.
 */
static bool may_be_scattered(const struct reassembly_entry *own, unsigned needed)
{
    return own->count * HELD_SHARE <= needed;
}

static void remove_slot(struct reassembly *a, struct reassembly_entry *assembly, unsigned place)
{
    uint8_t slot = assembly->order[place];
    memmove(assembly->order + place, assembly->order + place + 1, assembly->count - place - 1u);
    assembly->agreeing &= ~(UINT64_C(1) << slot);
    reassembly_table_shrink(a->table, assembly);
}

/*
 * The port of `own` has brought half a message, so it isn't scattered: its pieces leave the common
 * record `name`. Else the first pieces of many rounds, each from a port of its own, would in time
 * be enough for a message that nobody sent. Not before half: a NAT with few ports gives some of
 * them more than an eighth of a scattered message, and what they brought is needed.
 */
static void withdraw(struct reassembly *a, const struct reassembly_entry *own,
                     const struct reassembly_entry_name *name, int64_t now)
{
    struct reassembly_entry *common = reassembly_table_find(a->table, name, now);
    for (unsigned place = common ? common->count : 0; place-- > 0;) {
        uint8_t slot = common->order[place];
        for (unsigned i = 0; i < own->count; i++)
            if (own->order[i] == slot && own->values[slot] == common->values[slot]) {
                remove_slot(a, common, place);
                break;
            }
    }
}

void reassembly_feed(struct reassembly *a, unsigned source, const struct packet *packet,
                     int64_t now, struct assembled *out)
{
    struct carrier_piece piece;
    *out = (struct assembled){0};
    if (!read_piece(a->span, packet, &piece))
        return;
    a->counters.pieces++;
    struct reassembly_entry_name name = {.address = packet->src,
                                         .source = (uint8_t)source,
                                         .window = piece.window,
                                         .port = packet->spt};
    struct reassembly_entry *own = take(a, &name, &piece, now, NULL), *best = own;
    out->needed = carrier_shape(piece.window)->message_slots;
    name.port = 0;
    name.common = 1;
    if (may_be_scattered(own, out->needed))
        best = take(a, &name, &piece, now, own);
    else if (own->count * OWN_SHARE == out->needed)
        withdraw(a, own, &name, now);
    out->pieces = own->count > best->count ? own->count : best->count;
    if (best->count >= out->needed)
        make_message(a, best, now, out);
}

struct reassembly_counters reassembly_counters(const struct reassembly *a)
{
    struct reassembly_counters counters = a->counters;
    for (enum kind kind = KIND_OWN; kind < KINDS; kind++)
        counters.limited[kind] = a->limits[kind].dropped;
    return counters;
}
