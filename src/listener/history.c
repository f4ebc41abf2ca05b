#include "listener/history.h"

#include <string.h>

void history_add(struct history *trace, unsigned source, const struct packet *packet, int64_t now)
{
    struct history_packet *entry = &trace->list[trace->count++ % HISTORY_PACKETS];
    entry->time = now;
    entry->source = source;
    entry->gap = false;
    entry->packet = *packet;
    entry->packet.in = NULL;
    /* A longer name is no interface's; no door asks for what is left of it. */
    if (entry->packet.in_len > sizeof(entry->in))
        entry->packet.in_len = sizeof(entry->in);
    if (entry->packet.in_len > 0)
        memcpy(entry->in, packet->in, entry->packet.in_len);
}

void history_gap(struct history *trace, unsigned source, int64_t now)
{
    trace->list[trace->count++ % HISTORY_PACKETS] =
        (struct history_packet){.time = now, .source = source, .gap = true};
}

unsigned history_count(const struct history *trace)
{
    return trace->count < HISTORY_PACKETS ? (unsigned)trace->count : HISTORY_PACKETS;
}

struct history_packet history_get(const struct history *trace, unsigned i)
{
    return trace->list[(trace->count - history_count(trace) + i) % HISTORY_PACKETS];
}
