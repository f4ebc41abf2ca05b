/*
 * Sealed messages out of their fragments. A packet to a port of the span is a fragment (a piece in
 * lib/carrier.h). The fragments of one source port make an entry of their own. Fragments of an
 * address make another, common entry, since some NATs give each packet a source port of its own;
 * of a port that has brought more than an eighth of a message no more go there, and those of a port
 * that has brought half a message leave it. Pure but for the memory that is taken once.
 *
 * Reassembly knows no key, so it can't tell a message from noise. What the latest fragments make,
 * as many as are needed, is handed over, unless it is what was handed over last; the keeper checks
 * it. Where there are further fragments, some of them must agree: else the message is inconsistent,
 * and would only use up what the limits allow. Thus:
 * - A fragment that was garbled, forged or left from before spoils nothing for good: when enough
 *   others have come after it, or the right one of the same slot, the message is right.
 * - Forged packets with the address of a knocking client only get into the common entry, which
 *   isn't asked while the own one is enough. Into the own one they get by its source port: one in
 *   65,536 does by chance. An attacker who sees the knock pass and forges along at its pace hinders
 *   it, as he could by dropping a packet of it.
 * - Many users behind one address each have their own entry, and leave little in the common one.
 *   Only where the NAT scatters the ports they disturb one another, if they knock at the same time;
 *   a later round then succeeds.
 *
 * A message may also come whole, as the payload of one UDP packet, where a source has payloads.
 * There is nothing to put together then, and a stranger makes a message of each packet that he
 * forges. So an address has an entry that counts what it brought: REASSEMBLY_HANDED_COMMON of its
 * messages are handed over by the rate of own entries, what comes beyond by that of common ones. A
 * flood with one address thus leaves nine tenths of what the keeper reads to others, and does no
 * more to the one whose address it forges. A flood from many addresses that is faster than both
 * lets some knocks wait for the client's next round. These entries count as those without a
 * fragment: they are evicted first, so they take no place from knocks in fragments.
 */
#ifndef LISTENER_REASSEMBLY_H
#define LISTENER_REASSEMBLY_H

#include "lib/sealed.h"
#include "listener/packet.h"

struct ip_packet;

enum {
    REASSEMBLY_HANDED = 4,          /* messages that an entry hands over at most */
    REASSEMBLY_HANDED_COMMON = 256, /* and a common one */
    REASSEMBLY_INCONSISTENT = 128,  /* inconsistent ones of an entry before it is given up */
    REASSEMBLY_INCONSISTENT_COMMON = 8192,
    REASSEMBLY_RATE = 20000, /* the same in a second, of all entries together */
    REASSEMBLY_RATE_COMMON = 2000,
};

/* What a packet of the span came to. */
struct reassembled {
    uint8_t fragments; /* different ones so far, in the entry that has most; 0: this is none */
    uint8_t needed;    /* how many make a message */
    uint32_t length;   /* of the message to be handed over, SEALED_SHORT or SEALED_LONG; 0: none */
    uint8_t message[SEALED_LONG];
};

struct reassembly_counters {
    uint64_t fragments; /* and messages that came whole: in one fragment, as it were */
    uint64_t messages;  /* handed over */
    uint64_t evicted;   /* entries that had to make room for others */
    uint64_t inconsistent;
    /* Messages that were not handed over, of own and common entries: the entry had made all the
     * messages that it may, or all entries together had handed over what they may. */
    uint64_t spent[2];
    uint64_t limited[2];
};

struct reassembly;

/*
 * A reassembly for the ports from `span` on that remembers `max` entries at most; `key`, 16 random
 * bytes, makes its hash unpredictable. NULL and errno when memory is short.
 */
struct reassembly *reassembly_new(uint16_t span, unsigned max, const uint8_t key[16]);
void reassembly_free(struct reassembly *r);

/* From now on messages may come whole, too, by UDP to this port. */
void reassembly_set_packet_port(struct reassembly *r, uint16_t packet_port);

/*
 * Takes a packet that may carry a message whole, of `source` at `now`, likewise: false if it
 * doesn't, *out is untouched then. Else it is fragment 1 of 1, and to be handed over unless it is
 * the last one that its address brought, from the same source port, or a limit is reached.
 */
bool reassembly_whole(struct reassembly *r, unsigned source, const struct ip_packet *packet,
                      int64_t now, struct reassembled *out);

/*
 * Takes a TCP or UDP packet to a port of the span that log source `source` (below 256) told of at
 * `now` (ns, never going back).
 */
void reassembly_feed(struct reassembly *r, unsigned source, const struct packet *packet,
                     int64_t now, struct reassembled *out);

struct reassembly_counters reassembly_counters(const struct reassembly *r);

#endif
