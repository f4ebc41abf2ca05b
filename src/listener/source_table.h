/*
 * The bounded table of (source of log, address) and the last runs of packets of each. All memory is
 * taken once; pages that no address needed yet are never touched, so a quiet host pays for what it
 * sees.
 *
 * When the table is full, an address makes room: one whose attempt is over, else the one longest
 * without a first step, and only when there are none of those, one with a knock in progress. So a
 * flood of spoofed first steps can't evict an address that is past them.
 */
#ifndef LISTENER_SOURCE_TABLE_H
#define LISTENER_SOURCE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

enum {
    SOURCE_RUNS = 32,
    RUN_PORTS =
        4, /* source ports remembered of a run: a packet from one of them is a retransmission */
    RUN_PACKETS_MAX = UINT8_MAX,
};

/* The key of a packet: what doors ask of it. No padding: memcmp compares two. */
struct packet_key {
    uint16_t dpt;
    uint16_t target;    /* number of the destination in the index, 0: no door asks for it */
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
    struct packet_key key;
    uint8_t count; /* packets, RUN_PACKETS_MAX: that many or more */
    uint8_t port_count;
    uint16_t ports[RUN_PORTS]; /* source ports of the newest ones, the oldest first */
};

/* An address and its last packets: 1,024 bytes of runs, 1,088 with the rest. Only the functions
 * below change it, but for the matcher's own fields. */
struct source_entry {
    int64_t touched;           /* ns, when it came to the front of its list */
    int64_t in_progress_until; /* the matcher's: when its attempt ends */
    uint32_t epoch;            /* the matcher's: gaps of the source, as far as known here */
    uint32_t bucket;
    uint32_t mark;  /* its place in the filter */
    uint32_t chain; /* next of the bucket, plus one */
    struct addr address;
    uint8_t source;
    bool in_progress;  /* it took the first two steps of some door */
    uint8_t newest;    /* place in the ring */
    uint8_t count;     /* runs in the ring */
    uint8_t since_gap; /* how many of them, the newest, began after the last gap */
    struct run ring[SOURCE_RUNS];
};

struct source_table;

/* A table for `max` (1 or more) addresses, its hash keyed with `key`. NULL and errno on error. */
struct source_table *source_table_new(unsigned max, const uint8_t key[16]);
void source_table_free(struct source_table *table);

/* Whether there may be an entry of (source, address). No for nearly all that have none, and quicker
 * than source_table_find. */
bool source_table_may_have(const struct source_table *table, unsigned source,
                           const struct addr *address);

/* The entry of (source, address), or NULL. */
struct source_entry *source_table_find(const struct source_table *table, unsigned source,
                                       const struct addr *address);

/*
 * A new, empty entry for an address that has none. Entries not touched since `alive_since` are over
 * and taken first; *evicted says whether a live one had to go.
 */
struct source_entry *source_table_add(struct source_table *table, unsigned source,
                                      const struct addr *address, int64_t alive_since,
                                      bool *evicted);

/* Makes `entry` the last one to be evicted of those with a knock in progress, or of the others. */
void source_table_touch(struct source_table *table, struct source_entry *entry, int64_t now,
                        bool in_progress);

void source_table_remove(struct source_table *table, struct source_entry *entry);

/* The run `age` places before the newest; age < entry->count. */
static inline const struct run *source_entry_run(const struct source_entry *entry, unsigned age)
{
    return &entry->ring[(entry->newest + SOURCE_RUNS - age) % SOURCE_RUNS];
}

/* Whether both are of the same protocol, port and destination. */
static inline bool run_continues(const struct run *earlier, const struct run *later)
{
    return earlier->key.dpt == later->key.dpt && earlier->key.proto == later->key.proto &&
           earlier->dst == later->dst;
}

/*
 * Remembers one more packet, a run of one at first: joins it with the newest run if both are alike
 * and no gap is between them. But the newest `apart` packets (1 or more) of such a run stay runs of
 * one, so that the time of each is known. Forgets the oldest of more than SOURCE_RUNS runs.
 */
void source_entry_push(struct source_entry *entry, const struct run *packet, unsigned apart);

/* Forgets runs that ended before `alive_since`, and what came before the first step that is left
 * then: no attempt can hold it. */
void source_entry_trim(struct source_entry *entry, int64_t alive_since);

/* Whether the packet, a run of one, is one that is remembered once more: from the same port, of a
 * run of this age or older. */
bool source_entry_has(const struct source_entry *entry, const struct run *packet, unsigned from);

#endif
