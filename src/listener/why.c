#include "listener/why.h"

#include <stdlib.h>
#include <string.h>

/* One address is remembered once a source, and each packet of a sealed knock may make two records.
 */
enum { WHY_RECORDS = 2 * WHY_PACKETS + CONFIG_SOURCES_MAX };

struct why {
    const struct setup *setup;
    struct matcher *matcher; /* knows this address alone, as does the assembler */
    struct assembler *assembler;
    unsigned *stages; /* of each door and source, after the packet before */
    uint32_t query;
    void (*tell)(void *arg, struct record *record);
    void *arg;
    bool *opened; /* by the packet at hand */
    bool *late;   /* for the packet at hand */
};

static void on_opened(void *arg, unsigned door)
{
    struct why *why = arg;
    why->opened[door] = true;
}

static void tell_packet(const struct why *why, const struct trace_packet *entry,
                        enum match_verdict verdict)
{
    const struct packet *packet = &entry->packet;
    struct assembled made = {0};
    if (verdict == MATCH_SEALED)
        assembler_feed(why->assembler, entry->source, packet, entry->time, &made);
    struct record record = {.type = RECORD_PACKET,
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
    why->tell(why->arg, &record);
}

/* `late`: the attempt was over before the packet came. */
static void tell_effect(const struct why *why, unsigned door, unsigned before, unsigned after,
                        bool late)
{
    struct record record = {.type = RECORD_EFFECT,
                            .u.effect = {.query = why->query,
                                         .door = door,
                                         .before = before,
                                         .after = after,
                                         .late = late,
                                         .opened = why->opened[door]}};
    if (before > 0 || after > 0 || why->opened[door])
        why->tell(why->arg, &record);
}

static unsigned stage(const struct why *why, const struct trace_packet *entry, unsigned door)
{
    return matcher_stage(why->matcher, entry->source, &entry->packet.src, entry->time, door);
}

/* An attempt that opened its door is over. */
static void take(struct why *why, struct trace_packet *entry)
{
    /* One-time sequences, behind the configuration's doors, aren't spoken of. */
    unsigned count = why->setup->config.plain;
    unsigned *stages = why->stages + (size_t)entry->source * count;
    for (unsigned i = 0; i < count; i++)
        why->late[i] = stages[i] > 0 && stage(why, entry, i) < stages[i];
    memset(why->opened, 0, why->setup->door_count * sizeof(*why->opened));
    enum match_verdict verdict =
        matcher_feed(why->matcher, entry->source, trace_packet(entry), entry->time, on_opened, why);
    tell_packet(why, entry, verdict);
    for (unsigned i = 0; i < count; i++) {
        unsigned after = stage(why, entry, i);
        if (verdict == MATCH_SEEN || why->late[i])
            tell_effect(why, i, stages[i], after, why->late[i]);
        stages[i] = why->opened[i] ? 0 : after;
    }
}

/* The place in the trace of the first packet to tell of. */
static unsigned first_of(const struct trace *trace, const struct addr *address)
{
    unsigned i = trace_count(trace), found = 0;
    while (i > 0 && found < WHY_PACKETS) {
        struct trace_packet entry = trace_get(trace, --i);
        found += addr_equal(&entry.packet.src, address);
    }
    return i;
}

void why_tell(const struct setup *setup, const struct trace *trace, uint32_t query,
              const struct addr *address, void (*tell)(void *arg, struct record *record), void *arg)
{
    struct why why = {.setup = setup, .query = query, .tell = tell, .arg = arg};
    size_t doors = (size_t)setup->door_count + 1;
    bool ready = setup_match(setup, WHY_RECORDS, &why.matcher, &why.assembler);
    why.stages = calloc(doors * CONFIG_SOURCES_MAX, sizeof(*why.stages));
    why.opened = calloc(doors, sizeof(*why.opened));
    why.late = calloc(doors, sizeof(*why.late));
    for (unsigned i = first_of(trace, address);
         ready && why.stages && why.opened && why.late && i < trace_count(trace); i++) {
        struct trace_packet entry = trace_get(trace, i);
        if (addr_equal(&entry.packet.src, address))
            take(&why, &entry);
    }
    matcher_free(why.matcher);
    assembler_free(why.assembler);
    free(why.stages);
    free(why.opened);
    free(why.late);
}
