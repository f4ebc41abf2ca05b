#include "listener/trace.h"

#include <string.h>

void trace_add(struct trace *trace, unsigned source, const struct packet *packet, int64_t now)
{
    struct trace_packet *entry = &trace->list[trace->count++ % TRACE_PACKETS];
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

void trace_gap(struct trace *trace, unsigned source, int64_t now)
{
    trace->list[trace->count++ % TRACE_PACKETS] =
        (struct trace_packet){.time = now, .source = source, .gap = true};
}

unsigned trace_count(const struct trace *trace)
{
    return trace->count < TRACE_PACKETS ? (unsigned)trace->count : TRACE_PACKETS;
}

struct trace_packet trace_get(const struct trace *trace, unsigned i)
{
    return trace->list[(trace->count - trace_count(trace) + i) % TRACE_PACKETS];
}
