/* Puts the fragments of sealed knocks together, and hands over what may be a message. */
#include "listener/reassembly.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/limit.h"
#include "lib/sequence.h"
#include "listener/ip_packet.h"
#include "listener/reassembly_table.h"

enum { UDP_HEADER = 8, HELD_SHARE = 8, OWN_SHARE = 2 };

/* Own entries and common ones have limits and counters of their own. */
enum kind { KIND_OWN, KIND_COMMON, KINDS };

struct reassembly {
    uint16_t span;
    uint16_t packet_port; /* of messages that come whole; 0: there are none */
    struct reassembly_table *table;
    struct limit limits[KINDS];
    struct reassembly_counters counters;
};

static const unsigned handed_max[KINDS] = {REASSEMBLY_HANDED, REASSEMBLY_HANDED_COMMON};
static const unsigned inconsistent_max[KINDS] = {REASSEMBLY_INCONSISTENT,
                                                 REASSEMBLY_INCONSISTENT_COMMON};

struct reassembly *reassembly_new(uint16_t span, unsigned max, const uint8_t key[16])
{
    struct reassembly *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->span = span;
    r->limits[KIND_OWN] = limit_make(REASSEMBLY_RATE, REASSEMBLY_RATE, 0);
    r->limits[KIND_COMMON] = limit_make(REASSEMBLY_RATE_COMMON, REASSEMBLY_RATE_COMMON, 0);
    r->table = reassembly_table_new(max, key);
    if (!r->table) {
        reassembly_free(r);
        return NULL;
    }
    return r;
}

void reassembly_free(struct reassembly *r)
{
    if (!r)
        return;
    reassembly_table_free(r->table);
    free(r);
}

void reassembly_set_packet_port(struct reassembly *r, uint16_t packet_port)
{
    r->packet_port = packet_port;
}

/* Knocks by TCP are SYNs; what answers one, or follows it, isn't a fragment. */
static bool read_fragment(uint16_t span, const struct packet *packet, struct carrier_piece *out)
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

static void put_fragment(struct reassembly *r, struct reassembly_entry *entry,
                         const struct carrier_piece *fragment)
{
    unsigned place = 0;
    while (place < entry->count && entry->order[place] != fragment->slot)
        place++;
    bool fresh = place == entry->count;
    if (fresh || entry->values[fragment->slot] != fragment->value)
        entry->agreeing &= ~(UINT64_C(1) << fragment->slot);
    move_to_front(entry->order, place, fragment->slot);
    entry->values[fragment->slot] = fragment->value;
    if (fresh)
        reassembly_table_grow(r->table, entry);
}

static struct reassembly_entry *add_fragment(struct reassembly *r,
                                             const struct reassembly_entry_name *name,
                                             const struct carrier_piece *fragment, int64_t now,
                                             const struct reassembly_entry *keep)
{
    bool evicted;
    struct reassembly_entry *entry = reassembly_table_get(r->table, name, now, keep, &evicted);
    r->counters.evicted += evicted;
    put_fragment(r, entry, fragment);
    return entry;
}

/* Takes the latest fragments, as many as make a message. Returns their slots, a bit each. */
static uint64_t latest_fragments(const struct reassembly_entry *entry, unsigned needed,
                                 struct carrier_piece fragments[CARRIER_SLOTS_MAX])
{
    uint64_t slots = 0;
    for (unsigned i = 0; i < needed; i++) {
        uint8_t slot = entry->order[i];
        fragments[i] = (struct carrier_piece){
            .window = entry->name.window, .slot = slot, .value = entry->values[slot]};
        slots |= UINT64_C(1) << slot;
    }
    return slots;
}

/*
 * Whether further fragments than those that made the message contradict it: fewer of them agree
 * than it takes to rule out chance, 3 bytes of them, or all if there are less.
 */
static bool is_inconsistent(const struct reassembly *r, const struct reassembly_entry *entry,
                            const uint8_t *message)
{
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    const struct carrier_shape *shape = carrier_shape(entry->name.window);
    unsigned needed = shape->message_slots, further = entry->count - needed;
    unsigned wanted = (2u + shape->piece) / shape->piece, agree = 0;
    if (further == 0)
        return false;
    carrier_packets(entry->name.window, r->span, message, packets);
    for (unsigned i = needed; i < entry->count; i++) {
        struct carrier_piece fragment;
        uint8_t slot = entry->order[i];
        agree += carrier_read(r->span, packets[slot].proto, packets[slot].port,
                              packets[slot].length, &fragment) &&
                 fragment.value == entry->values[slot];
    }
    return agree < (wanted < further ? wanted : further);
}

static void hand_over(struct reassembly *r, struct reassembly_entry *entry, uint64_t slots,
                      const struct reassembled *out)
{
    entry->agreeing = slots;
    entry->handed++;
    memcpy(entry->message, out->message, out->length);
    r->counters.messages++;
}

/*
 * Makes the message, unless it is the one that was handed over last. That is known without making
 * it as long as the fragments are those that agreed with it, which is how it is in later rounds.
 */
static void make_message(struct reassembly *r, struct reassembly_entry *entry, int64_t now,
                         struct reassembled *out)
{
    enum kind kind = entry->name.common ? KIND_COMMON : KIND_OWN;
    const struct carrier_shape *shape = carrier_shape(entry->name.window);
    struct carrier_piece fragments[CARRIER_SLOTS_MAX];
    uint64_t slots = latest_fragments(entry, shape->message_slots, fragments);
    if (entry->handed > 0 && (slots & ~entry->agreeing) == 0)
        return;
    if (entry->handed == handed_max[kind] || entry->inconsistent == inconsistent_max[kind]) {
        r->counters.spent[kind]++;
        return;
    }
    carrier_recover(entry->name.window, fragments, out->message);
    if (entry->handed > 0 && memcmp(out->message, entry->message, shape->length) == 0) {
        entry->agreeing |= slots;
        return;
    }
    if (is_inconsistent(r, entry, out->message)) {
        entry->inconsistent++;
        r->counters.inconsistent++;
        return;
    }
    /* Not handed over, it is tried again with the next fragment. */
    if (!limit_take(&r->limits[kind], now))
        return;
    out->length = shape->length;
    hand_over(r, entry, slots, out);
}

/*
 * A source port that has brought more than an eighth of a message isn't scattered. Among the
 * fragments of its neighbours behind a NAT, or of the next knock of its own host, the rest would be
 * no help, only inconsistent messages: of a first round, without further fragments, each would be
 * handed over.
 */
static bool may_be_scattered(const struct reassembly_entry *own, unsigned needed)
{
    return own->count * HELD_SHARE <= needed;
}

static void remove_slot(struct reassembly *r, struct reassembly_entry *entry, unsigned place)
{
    uint8_t slot = entry->order[place];
    memmove(entry->order + place, entry->order + place + 1, entry->count - place - 1u);
    entry->agreeing &= ~(UINT64_C(1) << slot);
    reassembly_table_shrink(r->table, entry);
}

/*
 * The port of `own` has brought half a message, so it isn't scattered: its fragments leave the
 * common entry `name`. Else the first fragments of many rounds, each from a port of its own, would
 * in time be enough for a message that nobody sent. Not before half: a NAT with few ports gives
 * some of them more than an eighth of a scattered message, and what they brought is needed.
 */
static void leave_common(struct reassembly *r, const struct reassembly_entry *own,
                         const struct reassembly_entry_name *name, int64_t now)
{
    struct reassembly_entry *common = reassembly_table_find(r->table, name, now);
    for (unsigned place = common ? common->count : 0; place-- > 0;) {
        uint8_t slot = common->order[place];
        for (unsigned i = 0; i < own->count; i++)
            if (own->order[i] == slot && own->values[slot] == common->values[slot]) {
                remove_slot(r, common, place);
                break;
            }
    }
}

void reassembly_feed(struct reassembly *r, unsigned source, const struct packet *packet,
                     int64_t now, struct reassembled *out)
{
    struct carrier_piece fragment;
    *out = (struct reassembled){0};
    if (!read_fragment(r->span, packet, &fragment))
        return;
    r->counters.fragments++;
    struct reassembly_entry_name name = {.address = packet->src,
                                         .source = (uint8_t)source,
                                         .window = fragment.window,
                                         .port = packet->spt};
    struct reassembly_entry *own = add_fragment(r, &name, &fragment, now, NULL), *best = own;
    out->needed = carrier_shape(fragment.window)->message_slots;
    name.port = 0;
    name.common = 1;
    if (may_be_scattered(own, out->needed))
        best = add_fragment(r, &name, &fragment, now, own);
    else if (own->count * OWN_SHARE == out->needed)
        leave_common(r, own, &name, now);
    out->fragments = own->count > best->count ? own->count : best->count;
    if (best->count >= out->needed)
        make_message(r, best, now, out);
}

static bool is_whole(const struct reassembly *r, const struct ip_packet *packet)
{
    return r->packet_port > 0 && packet->packet.proto == IPPROTO_UDP && packet->packet.has_ports &&
           packet->packet.dpt == r->packet_port && packet->payload &&
           (packet->payload_len == SEALED_SHORT || packet->payload_len == SEALED_LONG);
}

/* Whether the entry's address brought the same message last, from the same port. */
static bool is_last_whole(const struct reassembly_entry *entry, const struct ip_packet *packet)
{
    return entry->handed > 0 && entry->whole.length == packet->payload_len &&
           entry->whole.spt == packet->packet.spt &&
           memcmp(entry->message, packet->payload, packet->payload_len) == 0;
}

/* The address brought more than others may have to wait for. */
static bool take_whole(struct reassembly *r, struct reassembly_entry *entry, int64_t now)
{
    bool many = entry->handed >= REASSEMBLY_HANDED_COMMON;
    if (!limit_take(&r->limits[many ? KIND_COMMON : KIND_OWN], now))
        return false;
    entry->handed += !many;
    return true;
}

bool reassembly_whole(struct reassembly *r, unsigned source, const struct ip_packet *packet,
                      int64_t now, struct reassembled *out)
{
    if (!is_whole(r, packet))
        return false;
    const struct reassembly_entry_name name = {.address = packet->packet.src,
                                               .source = (uint8_t)source,
                                               .window = REASSEMBLY_WHOLE,
                                               .common = 1};
    bool evicted;
    struct reassembly_entry *entry = reassembly_table_get(r->table, &name, now, NULL, &evicted);
    r->counters.evicted += evicted;
    r->counters.fragments++;
    *out = (struct reassembled){.fragments = 1, .needed = 1};
    if (is_last_whole(entry, packet) || !take_whole(r, entry, now))
        return true;
    out->length = packet->payload_len;
    memcpy(out->message, packet->payload, packet->payload_len);
    memcpy(entry->message, packet->payload, packet->payload_len);
    entry->whole.length = (uint8_t)packet->payload_len;
    entry->whole.spt = packet->packet.spt;
    r->counters.messages++;
    return true;
}

struct reassembly_counters reassembly_counters(const struct reassembly *r)
{
    struct reassembly_counters counters = r->counters;
    for (enum kind kind = KIND_OWN; kind < KINDS; kind++)
        counters.limited[kind] = r->limits[kind].dropped;
    return counters;
}
