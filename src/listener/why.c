#include "listener/why.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One address is remembered once a source, and each packet of a sealed knock may make two records.
 */
enum { WHY_RECORDS = 2 * WHY_PACKETS + CONFIG_SOURCES_MAX };

struct why {
    const struct listener_config *setup;
    struct matcher *matcher; /* knows this address alone, as does the assembler */
    struct reassembly *reassembly;
    uint32_t query;
    void (*tell)(void *arg, struct message *message);
    void *arg;
    unsigned *stages; /* of each door and source, after the packet before */
    /* Of each door, for the packet at hand. */
    unsigned *after;
    bool *opened;
    bool *late; /* the attempt was over before it came */
};

static void tell_packet(const struct why *why, const struct history_packet *entry,
                        enum match_verdict verdict)
{
    const struct packet *packet = &entry->packet;
    struct assembled made = {0};
    if (verdict == MATCH_SEALED)
        reassembly_feed(why->reassembly, entry->source, packet, entry->time, &made);
    struct message message = {.type = MESSAGE_PACKET,
                              .u.packet = {.query = why->query,
                                           .source = entry->source,
                                           .verdict = verdict,
                                           .proto = packet->proto,
                                           .spt = packet->has_ports ? packet->spt : 0,
                                           .dpt = packet->has_ports ? packet->dpt : 0,
                                           .pieces = made.pieces,
                                           .needed = made.needed,
                                           .message = made.length > 0,
                                           .dst = packet->dst,
                                           .time = entry->time}};
    why->tell(why->arg, &message);
}

static void tell_effect(const struct why *why, unsigned door, unsigned before)
{
    bool opened = why->opened[door];
    struct message message = {.type = MESSAGE_EFFECT,
                              .u.effect = {.query = why->query,
                                           .door = door,
                                           .before = before,
                                           .after = opened ? why->setup->doors[door].sequence.count
                                                           : why->after[door],
                                           .late = why->late[door],
                                           .opened = opened}};
    why->tell(why->arg, &message);
}

static unsigned stage(const struct why *why, const struct history_packet *entry,
                      const struct addr *address, unsigned door)
{
    return matcher_stage(why->matcher, entry->source, address, entry->time, door);
}

/* The packet at hand, and what it did. One that began nothing, and met nothing under way, is
 * ignored, even if it is remembered. */
static void tell_all(const struct why *why, const struct history_packet *entry,
                     const struct match_result *result, const unsigned *before)
{
    unsigned count = why->setup->config.plain;
    enum match_verdict verdict = result->verdict;
    bool idle = verdict == MATCH_SEEN && !result->one_time_step;
    for (unsigned i = 0; i < count && idle; i++)
        idle = before[i] == 0 && why->after[i] == 0 && !why->opened[i];
    tell_packet(why, entry, idle ? MATCH_IDLE : verdict);
    for (unsigned i = 0; i < count; i++)
        if ((verdict == MATCH_SEEN || why->late[i]) &&
            (before[i] > 0 || why->after[i] > 0 || why->opened[i]))
            tell_effect(why, i, before[i]);
}

static void take(struct why *why, struct history_packet *entry)
{
    /* One-time sequences, behind the configuration's doors, aren't spoken of. */
    unsigned count = why->setup->config.plain;
    unsigned *stages = why->stages + (size_t)entry->source * count;
    const struct addr *address = &entry->packet.src;
    for (unsigned i = 0; i < count; i++)
        why->late[i] = stages[i] > 0 && stage(why, entry, address, i) < stages[i];
    struct match_result result =
        matcher_feed(why->matcher, entry->source, history_packet(entry), entry->time, UINT_MAX);
    memset(why->opened, 0, why->setup->door_count * sizeof(*why->opened));
    for (unsigned i = 0; i < result.opened_count; i++)
        why->opened[result.opened[i]] = true;
    for (unsigned i = 0; i < count; i++)
        why->after[i] = stage(why, entry, address, i);
    tell_all(why, entry, &result, stages);
    memcpy(stages, why->after, count * sizeof(*stages));
}

/* What starts over for lost lines isn't late. */
static void take_gap(struct why *why, const struct history_packet *entry,
                     const struct addr *address)
{
    unsigned count = why->setup->config.plain;
    unsigned *stages = why->stages + (size_t)entry->source * count;
    matcher_gap(why->matcher, entry->source);
    for (unsigned i = 0; i < count; i++)
        if (why->setup->doors[i].strict)
            stages[i] = stage(why, entry, address, i);
}

/* The place in the trace of the first packet to tell of. */
static unsigned first_of(const struct history *trace, const struct addr *address)
{
    unsigned i = history_count(trace), found = 0;
    while (i > 0 && found < WHY_PACKETS) {
        struct history_packet entry = history_get(trace, --i);
        found += !entry.gap && addr_equal(&entry.packet.src, address);
    }
    return i;
}

void why_tell(const struct listener_config *setup, const struct history *trace, uint32_t query,
              const struct addr *address, void (*tell)(void *arg, struct message *message),
              void *arg)
{
    struct why why = {.setup = setup, .query = query, .tell = tell, .arg = arg};
    size_t doors = (size_t)setup->door_count + 1;
    bool ready = listener_config_match(setup, WHY_RECORDS, &why.matcher, &why.reassembly);
    why.stages = calloc(doors * CONFIG_SOURCES_MAX, sizeof(*why.stages));
    why.after = calloc(doors, sizeof(*why.after));
    why.opened = calloc(doors, sizeof(*why.opened));
    why.late = calloc(doors, sizeof(*why.late));
    ready = ready && why.stages && why.after && why.opened && why.late;
    for (unsigned i = first_of(trace, address); ready && i < history_count(trace); i++) {
        struct history_packet entry = history_get(trace, i);
        if (entry.gap)
            take_gap(&why, &entry, address);
        else if (addr_equal(&entry.packet.src, address))
            take(&why, &entry);
    }
    matcher_free(why.matcher);
    reassembly_free(why.reassembly);
    free(why.stages);
    free(why.after);
    free(why.opened);
    free(why.late);
}
