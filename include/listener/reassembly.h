/*
 * Sealed messages out of their pieces. A packet to a port of the span is a piece (lib/carrier.h);
 * pieces of one source port make a record, and pieces of an address another one, for the sake of
 * NATs that give each packet a source port of its own; but of a port that has brought more than an
 * eighth of a message no more than those, and of one that has brought half a message none. Pure but
 * for the memory that is taken once.
 *
 * It knows no key, so it can't tell a message from noise. What the latest pieces make, as many as
 * are needed, is handed over, unless it is what was handed over last; the keeper judges it. Where
 * there are further pieces, some of them must agree: else the message is a mixture, and would only
 * use up what the limits allow. Thus:
 * - A piece that was garbled, forged or left from before spoils nothing for good: when enough
 *   others have come after it, or the right one of the same slot, the message is right.
 * - Forged packets with the address of whoever knocks only get into the common record, which
 *   isn't asked while the own one is enough. Into the own one they get by its source port: one in
 *   65,536 does by chance. Who sees the knock pass and forges along at its pace hinders it, as
 *   they could by knocking a packet of it off the wire.
 * - Many users behind one address each have their own record, and leave little in the common one.
 *   Only where the NAT scatters the ports they disturb one another, if they knock at the same time;
 *   a later round then succeeds.
 */
#ifndef LISTENER_REASSEMBLY_H
#define LISTENER_REASSEMBLY_H

#include "lib/sealed.h"
#include "listener/packet.h"

enum {
    REASSEMBLY_HANDED = 4,          /* messages that a record hands over at most */
    REASSEMBLY_HANDED_COMMON = 256, /* and a common one */
    REASSEMBLY_MIXED = 128,         /* mixtures that a record may come to before it is given up */
    REASSEMBLY_MIXED_COMMON = 8192,
    REASSEMBLY_RATE = 20000, /* the same in a second, of all records together */
    REASSEMBLY_RATE_COMMON = 2000,
};

/* What a packet of the span came to. */
struct assembled {
    uint8_t pieces;  /* different ones so far, in the record that has most; 0: this is no piece */
    uint8_t needed;  /* how many make a message */
    uint32_t length; /* of the message to be handed over, SEALED_SHORT or SEALED_LONG; 0: none */
    uint8_t message[SEALED_LONG];
};

struct reassembly_counters {
    uint64_t pieces;
    uint64_t messages; /* handed over */
    uint64_t evicted;  /* records that had to make room for others */
    uint64_t mixtures;
    /* Messages that were not handed over, by own and common records: the record had come to all
     * messages or mixtures that it may, or all records together had handed over what they may. */
    uint64_t spent[2];
    uint64_t limited[2];
};

struct reassembly;

/*
 * An assembler for the ports from `span` on that remembers `max` records at most; `key`, 16 random
 * bytes, makes its hash unpredictable. NULL and errno when memory is short.
 */
struct reassembly *reassembly_new(uint16_t span, unsigned max, const uint8_t key[16]);
void reassembly_free(struct reassembly *a);

/*
 * Takes a TCP or UDP packet to a port of the span that log source `source` (below 256) told of at
 * `now` (ns, never going back).
 */
void reassembly_feed(struct reassembly *a, unsigned source, const struct packet *packet,
                     int64_t now, struct assembled *out);

struct reassembly_counters reassembly_counters(const struct reassembly *a);

#endif
