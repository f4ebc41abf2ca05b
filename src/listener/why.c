/* Matches the last packets of an address once more, and reports what each did. */
#include "listener/why.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One address is remembered once a source, and each packet of a sealed knock may make two entries.
 */
enum { WHY_ENTRIES = 2 * WHY_PACKETS + CONFIG_SOURCES_MAX };

struct why {
    const struct listener_config *setup;
    uint32_t query;
    struct addr address;
    struct matcher *matcher;       /* knows this address alone */
    struct reassembly *reassembly; /* likewise */
    void (*send)(void *arg, struct message *message);
    void *arg;
    unsigned *stages; /* of each door and source, after the packet before */
    /* Of each door, for the packet at hand. */
    unsigned *after;
    bool *opened;
    bool *scan; /* it didn't open for the ports that the address sent to besides */
    bool *late; /* the attempt was over before the packet came */
};

/* Of one-time sequences, which come behind the configuration's doors, nothing is reported. */
static unsigned reported_doors(const struct why *why)
{
    return why->setup->config.plain;
}

static void send_packet(const struct why *why, const struct history_packet *entry,
                        enum match_verdict verdict)
{
    const struct packet *packet = &entry->packet;
    struct reassembled made = {0};
    if (entry->whole)
        made = (struct reassembled){
            .fragments = 1, .needed = 1, .length = entry->handed ? SEALED_SHORT : 0};
    else if (verdict == MATCH_SEALED)
        reassembly_feed(why->reassembly, entry->source, packet, entry->time, &made);
    struct message message = {.type = MESSAGE_PACKET,
                              .u.packet = {.query = why->query,
                                           .source = entry->source,
                                           .verdict = verdict,
                                           .proto = packet->proto,
                                           .spt = packet->has_ports ? packet->spt : 0,
                                           .dpt = packet->has_ports ? packet->dpt : 0,
                                           .pieces = made.fragments,
                                           .needed = made.needed,
                                           .message = made.length > 0,
                                           .stale = entry->stale,
                                           .age = entry->stale != STALE_NOT ? entry->age : 0,
                                           .dst = packet->dst,
                                           .time = entry->time}};
    if (entry->stale != STALE_NOT)
        memcpy(message.u.packet.host, entry->host, HOST_NAME_SIZE);
    why->send(why->arg, &message);
}

static void send_effect(const struct why *why, unsigned door, unsigned before)
{
    bool opened = why->opened[door];
    struct message message = {.type = MESSAGE_EFFECT,
                              .u.effect = {.query = why->query,
                                           .door = door,
                                           .before = before,
                                           .after = opened ? why->setup->doors[door].sequence.count
                                                           : why->after[door],
                                           .late = why->late[door],
                                           .opened = opened,
                                           .scan = why->scan[door]}};
    why->send(why->arg, &message);
}

static unsigned current_stage(const struct why *why, const struct history_packet *entry,
                              unsigned door)
{
    return matcher_stage(why->matcher, entry->source, &why->address, entry->time, door);
}

/* The packet at hand, and what it did. One that began nothing, and met nothing in progress, is
 * ignored, even if it is remembered. */
static void send_packet_and_effects(const struct why *why, const struct history_packet *entry,
                                    const struct match_result *matched, const unsigned *before)
{
    unsigned count = reported_doors(why);
    enum match_verdict verdict = matched->verdict;
    bool idle = verdict == MATCH_SEEN && !matched->one_time_step;
    for (unsigned i = 0; i < count && idle; i++)
        idle = before[i] == 0 && why->after[i] == 0 && !why->opened[i];
    send_packet(why, entry, idle ? MATCH_IDLE : verdict);
    for (unsigned i = 0; i < count; i++)
        if ((verdict == MATCH_SEEN || why->late[i]) &&
            (before[i] > 0 || why->after[i] > 0 || why->opened[i]))
            send_effect(why, i, before[i]);
}

static void match_again(struct why *why, struct history_packet *entry)
{
    unsigned count = reported_doors(why);
    unsigned *stages = why->stages + (size_t)entry->source * count;
    for (unsigned i = 0; i < count; i++)
        why->late[i] = stages[i] > 0 && current_stage(why, entry, i) < stages[i];
    struct match_result matched =
        matcher_feed(why->matcher, entry->source, history_packet(entry), entry->time, UINT_MAX);
    memset(why->opened, 0, why->setup->door_count * sizeof(*why->opened));
    memset(why->scan, 0, why->setup->door_count * sizeof(*why->scan));
    for (unsigned i = 0; i < matched.scanned_count; i++)
        why->scan[matched.scanned[i]] = true;
    /* What showed the scan may have been forgotten since. */
    for (unsigned i = 0; i < matched.opened_count; i++) {
        unsigned door = matched.opened[i];
        bool scan = entry->scan && why->setup->doors[door].strict;
        *(scan ? &why->scan[door] : &why->opened[door]) = true;
    }
    for (unsigned i = 0; i < count; i++)
        why->after[i] = current_stage(why, entry, i);
    send_packet_and_effects(why, entry, &matched, stages);
    memcpy(stages, why->after, count * sizeof(*stages));
}

/* What starts over for lost lines isn't late. */
static void start_over(struct why *why, const struct history_packet *entry)
{
    unsigned count = reported_doors(why);
    unsigned *stages = why->stages + (size_t)entry->source * count;
    matcher_gap(why->matcher, entry->source);
    for (unsigned i = 0; i < count; i++)
        if (why->setup->doors[i].strict)
            stages[i] = current_stage(why, entry, i);
}

/* The place in the history of the first packet to report. */
static unsigned first_packet(const struct history *history, const struct addr *address)
{
    unsigned i = history_count(history), found = 0;
    while (i > 0 && found < WHY_PACKETS) {
        struct history_packet entry = history_get(history, --i);
        found += !entry.gap && addr_equal(&entry.packet.src, address);
    }
    return i;
}

/* False when memory is short. */
static bool why_init(struct why *why)
{
    size_t doors = (size_t)why->setup->door_count + 1;
    bool ready = listener_config_match(why->setup, WHY_ENTRIES, &why->matcher, &why->reassembly);
    why->stages = calloc(doors * CONFIG_SOURCES_MAX, sizeof(*why->stages));
    why->after = calloc(doors, sizeof(*why->after));
    why->opened = calloc(doors, sizeof(*why->opened));
    why->scan = calloc(doors, sizeof(*why->scan));
    why->late = calloc(doors, sizeof(*why->late));
    return ready && why->stages && why->after && why->opened && why->scan && why->late;
}

static void why_free(struct why *why)
{
    matcher_free(why->matcher);
    reassembly_free(why->reassembly);
    free(why->stages);
    free(why->after);
    free(why->opened);
    free(why->scan);
    free(why->late);
}

void why_answer(const struct listener_config *setup, const struct history *history,
                const struct message_query *query, void (*send)(void *arg, struct message *message),
                void *arg)
{
    struct why why = {
        .setup = setup, .query = query->query, .address = query->address, .send = send, .arg = arg};
    bool ready = why_init(&why);
    for (unsigned i = first_packet(history, &why.address); ready && i < history_count(history);
         i++) {
        struct history_packet entry = history_get(history, i);
        if (entry.gap)
            start_over(&why, &entry);
        else if (addr_equal(&entry.packet.src, &why.address) && entry.malformed)
            send_packet(&why, &entry, MATCH_MALFORMED);
        else if (addr_equal(&entry.packet.src, &why.address) && entry.stale != STALE_NOT)
            send_packet(&why, &entry, MATCH_STALE);
        else if (addr_equal(&entry.packet.src, &why.address))
            match_again(&why, &entry);
    }
    why_free(&why);
}
