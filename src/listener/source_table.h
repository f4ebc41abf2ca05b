/*
 * The bounded table of (source of log, address) and the last runs of packets of each. All memory is
 * taken once; pages that no address needed yet are never touched, so a quiet host pays for what it
 * sees.
 *
 * When the table is full, an address makes room: one whose attempt is over, else the one longest
 * without a first step, and only when there are no such ones one in the middle of a knock. So a
 * flood of spoofed first steps can't push out who is past them.
 */
#ifndef LISTENER_SOURCE_TABLE_H
#define LISTENER_SOURCE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

enum {
    PEER_RUNS = 32,
    RUN_PORTS = 4, /* source ports that are remembered of a run: who used one sends it again */
    RUN_PACKETS_MAX = UINT8_MAX,
};

/* What doors ask of a packet. No padding: memcmp compares two. */
struct seen {
    uint16_t dpt;
    uint16_t target;    /* word of the index for the destination, 0: no door asks for it */
    uint16_t interface; /* the same for IN= */
    uint8_t proto;      /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t flags;
    bool first;  /* the first step of some door */
    bool second; /* perhaps the second one */
};

/* Packets that followed each other and are alike: 32 bytes. */
struct run {
    int64_t time; /* ns, of the newest one */
    uint32_t dst; /* keyed hash of the destination */
    struct seen seen;
    uint8_t count; /* packets, RUN_PACKETS_MAX: that many or more */
    uint8_t port_count;
    uint16_t ports[RUN_PORTS]; /* source ports of the newest ones, the oldest first */
};

/* An address: 1,024 bytes of runs, 1,088 with the rest. Only the functions below change it, but for
 * the matcher's own fields. */
struct peer {
    int64_t touched;      /* ns, when it came to the front of its list */
    int64_t midway_until; /* the matcher's: when the attempt that made it midway ends */
    uint32_t epoch;       /* the matcher's: gaps of the source, as far as known here */
    uint32_t bucket;
    uint32_t mark;  /* its place among the marks */
    uint32_t chain; /* next of the bucket, plus one */
    struct addr address;
    uint8_t source;
    bool midway;
    uint8_t newest; /* place in the ring */
    uint8_t count;  /* runs in the ring */
    uint8_t strict; /* how many of them, the newest, began after the last gap */
    struct run ring[PEER_RUNS];
};

struct source_table;

/* A table for `max` (1 or more) addresses, its hash keyed with `key`. NULL and errno on error. */
struct source_table *source_table_new(unsigned max, const uint8_t key[16]);
void source_table_free(struct source_table *peers);

/* Whether there may be a record of (source, address). No for nearly all that have none, and quicker
 * than source_table_find. */
bool source_table_may_have(const struct source_table *peers, unsigned source,
                           const struct addr *address);

/* The record of (source, address), or NULL. */
struct peer *source_table_find(const struct source_table *peers, unsigned source,
                               const struct addr *address);

/*
 * A new, empty record for an address that has none. Records not touched since `alive_since` are
 * over and taken first; *evicted says whether a live one had to go.
 */
struct peer *source_table_add(struct source_table *peers, unsigned source,
                              const struct addr *address, int64_t alive_since, bool *evicted);

/* Makes `peer` the last one of its kind, midway or not, to make room. */
void source_table_touch(struct source_table *peers, struct peer *peer, int64_t now, bool midway);

void source_table_remove(struct source_table *peers, struct peer *peer);

/* The run `age` places before the newest; age < peer->count. */
static inline const struct run *peer_run(const struct peer *peer, unsigned age)
{
    return &peer->ring[(peer->newest + PEER_RUNS - age) % PEER_RUNS];
}

/* Whether both are of the same protocol, port and destination. */
static inline bool run_continues(const struct run *earlier, const struct run *later)
{
    return earlier->seen.dpt == later->seen.dpt && earlier->seen.proto == later->seen.proto &&
           earlier->dst == later->dst;
}

/*
 * Remembers one more packet, a run of one at first: joins it with the newest run if both are alike
 * and no gap is between them. But the newest `apart` packets (1 or more) of such a run stay runs of
 * one, so that the time of each is known. Forgets the oldest of more than PEER_RUNS runs.
 */
void peer_push(struct peer *peer, const struct run *packet, unsigned apart);

/* Forgets runs that ended before `alive_since`, and what came before the first step that is left
 * then: no attempt can hold it. */
void peer_trim(struct peer *peer, int64_t alive_since);

/* Whether the TCP packet, a run of one, is a retransmission of one that is remembered. */
bool peer_has(const struct peer *peer, const struct run *packet);

#endif
