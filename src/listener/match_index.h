/*
 * What the doors ask of packets, prepared once, so that a packet's cost doesn't grow with doors it
 * has nothing to do with. Doors that see the same packets (flags, target, interface) share a view.
 */
#ifndef LISTENER_MATCH_INDEX_H
#define LISTENER_MATCH_INDEX_H

#include "listener/matcher.h"
#include "listener/source_table.h"

struct match_index;

struct index_entry {
    uint64_t key;
    uint32_t value; /* of match_index_ending and match_index_steps: the door */
};

struct index_range {
    const struct index_entry *begin, *end;
};

/* Reads `doors` only during the call. NULL and errno when memory is short. */
struct match_index *match_index_new(const struct match_door *doors, unsigned count);
void match_index_free(struct match_index *index);

/* Whether TCP packets with these flags are seen by any door. */
bool match_index_flags(const struct match_index *index, uint8_t flags);

/* Whether the port of a TCP or UDP packet is the first, second or last step of any door, seen by it
 * or not. */
bool match_index_concerns(const struct match_index *index, const struct packet *packet);

/* Whether the port of the TCP or UDP packet is a step of some door, or one that some door ignores
 * or opens. */
bool match_index_knows(const struct match_index *index, const struct packet *packet);

/* Fills *out from a TCP or UDP packet with ports. */
void match_index_digest(const struct match_index *index, const struct packet *packet,
                        struct packet_key *out);

/* Whether `door` sees this packet at all: it has the flags, target and interface. */
bool match_index_sees(const struct match_index *index, unsigned door,
                      const struct packet_key *packet);

/* Whether the two packets, the later one `second`, are the first and second step of some door. */
bool match_index_pair(const struct match_index *index, const struct packet_key *earlier,
                      const struct packet_key *later);

/* How often in a row the first step of a door is asked for, at most, of those that begin with this
 * packet's protocol and port; 1 if none does. */
unsigned match_index_begun_with(const struct match_index *index, const struct packet_key *packet);

/* The doors whose last step has this packet's protocol and port, in their order. */
struct index_range match_index_ending(const struct match_index *index,
                                      const struct packet_key *packet);

/* The doors of which any step has this packet's protocol and port, in their order, each once. */
struct index_range match_index_steps(const struct match_index *index,
                                     const struct packet_key *packet);

#endif
