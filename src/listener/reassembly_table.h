/*
 * The bounded table of what has come in of sealed knocks. All memory is taken
 * once; pages that no entry needed yet are never touched.
 *
 * An entry lives for REASSEMBLY_LIFE from its first packet. When the table is full, one is evicted:
 * one that is over, else of those with the fewest slots the one that has had no new slot for the
 * longest. So a flood of single packets, from however many addresses, evicts only entries that have
 * no second one yet. But what is younger than REASSEMBLY_YOUNG is spared as long as something older
 * is there: else an attacker who filled the table with knocks that lack a fragment would keep out
 * everybody who begins with his first.
 */
#ifndef LISTENER_REASSEMBLY_TABLE_H
#define LISTENER_REASSEMBLY_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/carrier.h"
#include "lib/sealed.h"

static const int64_t REASSEMBLY_LIFE = INT64_C(30) * 1000000000;

/* Longer than a round of a knock takes, at 2 ms a packet and on a bad path. */
static const int64_t REASSEMBLY_YOUNG = INT64_C(250) * 1000000;

/* The window of messages that came whole, without slots. */
enum { REASSEMBLY_WHOLE = CARRIER_WINDOWS };

/* Whose packets belong together. Without padding, since it is hashed and compared as bytes. */
struct reassembly_entry_name {
    struct addr address;
    uint8_t source; /* of log */
    uint8_t window; /* enum carrier_window, or REASSEMBLY_WHOLE */
    uint8_t common; /* 1: of all source ports, and `port` is 0 */
    uint16_t port;  /* they come from */
};

/* One entry, about 250 bytes. The table changes since, bucket, chain, name and count alone. */
struct reassembly_entry {
    int64_t since;     /* ns, when its first packet came */
    uint64_t agreeing; /* slots whose value is known to be that of the message handed over last */
    uint32_t bucket;
    uint32_t chain; /* next of the bucket, plus one */
    struct reassembly_entry_name name;
    uint16_t handed;                  /* messages handed over */
    uint16_t inconsistent;            /* messages that were not, since no further fragment agreed */
    uint8_t count;                    /* slots that have a value */
    uint8_t order[CARRIER_SLOTS_MAX]; /* those slots, the one that came last in front */
    union {
        uint16_t values[CARRIER_SLOTS_MAX];
        struct {
            uint16_t spt;   /* that the last one came from */
            uint8_t length; /* and its bytes */
        } whole;            /* of REASSEMBLY_WHOLE */
    };
    uint8_t message[SEALED_LONG]; /* the last one handed over, if any was */
};

struct reassembly_table;

/* A table for `max` (2 or more) entries, its hash keyed with `key`. NULL and errno on error. */
struct reassembly_table *reassembly_table_new(unsigned max, const uint8_t key[16]);
void reassembly_table_free(struct reassembly_table *table);

/*
 * The living entry of that name, or a new one that is empty. `keep`, unless NULL, is not
 * evicted for it. *evicted says whether a live one was.
 */
struct reassembly_entry *reassembly_table_get(struct reassembly_table *table,
                                              const struct reassembly_entry_name *name, int64_t now,
                                              const struct reassembly_entry *keep, bool *evicted);

/* The living entry of that name, or NULL. */
struct reassembly_entry *reassembly_table_find(struct reassembly_table *table,
                                               const struct reassembly_entry_name *name,
                                               int64_t now);

/* `entry` has one slot more, which counts when room is made. */
void reassembly_table_grow(struct reassembly_table *table, struct reassembly_entry *entry);

/* `entry` has one slot less; an entry without slots is removed. */
void reassembly_table_shrink(struct reassembly_table *table, struct reassembly_entry *entry);

#endif
