/* The last packets, whoever sent them: so that it can be told afterwards what each did. Pure. */
#ifndef LISTENER_TRACE_H
#define LISTENER_TRACE_H

#include <net/if.h>

#include "listener/packet.h"

enum { TRACE_PACKETS = 2048 };

struct trace_packet {
    int64_t time; /* ns */
    unsigned source;
    bool gap;             /* no packet: lines of the source were lost */
    struct packet packet; /* its `in` is valid only as trace_get returns it */
    char in[IF_NAMESIZE];
};

struct trace {
    uint64_t count; /* of all that ever were added */
    struct trace_packet list[TRACE_PACKETS];
};

void trace_add(struct trace *trace, unsigned source, const struct packet *packet, int64_t now);

/* Lines of `source` were lost before the packets that follow. */
void trace_gap(struct trace *trace, unsigned source, int64_t now);

/* How many there are, and number `i` of them, the oldest being 0. */
unsigned trace_count(const struct trace *trace);
struct trace_packet trace_get(const struct trace *trace, unsigned i);

/* The interface's name, which is in the struct, after it has been copied. */
static inline const struct packet *trace_packet(struct trace_packet *entry)
{
    entry->packet.in = entry->in;
    return &entry->packet;
}

#endif
