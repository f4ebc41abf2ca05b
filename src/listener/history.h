/* The last packets of all addresses, for `knockctl why`: so that it can be reported afterwards what
 * each did. Pure.
 */
#ifndef LISTENER_HISTORY_H
#define LISTENER_HISTORY_H

#include <net/if.h>

#include "lib/message.h"
#include "listener/packet.h"

enum { HISTORY_PACKETS = 2048 };

struct history_packet {
    int64_t time; /* ns */
    unsigned source;
    bool gap;       /* no packet: lines of the source were lost */
    bool whole;     /* it carried a sealed message, which isn't kept */
    bool handed;    /* which was handed over */
    bool scan;      /* strict doors didn't open by it, since its address scans */
    bool malformed; /* a host discards it, so it isn't matched */
    uint8_t stale;  /* enum stale_reason: why its line isn't of now, so it isn't matched */
    int64_t age;    /* ns, of a stale one */
    char host[HOST_NAME_SIZE]; /* who wrote the line of a stale one; "": it doesn't say */
    struct packet packet;      /* its `in` is valid only as history_packet returns it */
    char in[IF_NAMESIZE];
};

struct history {
    uint64_t count; /* of all that ever were added */
    struct history_packet list[HISTORY_PACKETS];
};

void history_add(struct history *history, unsigned source, const struct packet *packet,
                 int64_t now);

/* The newest packet carried a whole sealed message, handed over or not. */
void history_whole(struct history *history, bool handed);

/* By the newest packet strict doors didn't open, since its address scans. */
void history_scan(struct history *history);

/* The newest packet is one that a host discards. */
void history_malformed(struct history *history);

/* The newest packet's line isn't of now; `host` wrote it. */
void history_stale(struct history *history, enum stale_reason reason, int64_t age,
                   const char host[HOST_NAME_SIZE]);

/* Lines of `source` were lost before the packets that follow. */
void history_gap(struct history *history, unsigned source, int64_t now);

/* How many there are, and number `i` of them, the oldest being 0. */
unsigned history_count(const struct history *history);
struct history_packet history_get(const struct history *history, unsigned i);

/* The packet with the interface's name in place, after it has been copied. */
static inline const struct packet *history_packet(struct history_packet *entry)
{
    entry->packet.in = entry->in;
    return &entry->packet;
}

#endif
