/*
 * The same knock by several sources: a log and NFLOG of one host, or a gateway's own log and the
 * stream that brings the lines of all gateways. Each source puts knocks together by itself, so one
 * knock is completed once by each source that hears all of it. The first one counts; the others are
 * its copies, which do nothing, whatever became of the first.
 *
 * What tells a copy from a new knock:
 * - A sequence: door, address, and the source port of the packet that was its last step. All
 *   sources have the same of one packet, and clients take another port for the next knock.
 * - A one-time sequence: door, sequence and address. It is good for once anyway.
 * - A sealed knock: its bytes and its address.
 * A source of this host brings each knock once. So what it brings that it brought before is a knock
 * of its own, as by a client that always sends from one port: the second copy of another source
 * belongs to it then. The stream of other hosts may bring lines once more, when its engine was
 * away, so what it brings soon again is a copy, too.
 *
 * Each knock is remembered for a time that the caller says. There is room for COPIES_MAX; then one
 * of the oldest makes room, a copy of which would be a knock once more.
 */
#ifndef KEEPER_COPIES_H
#define KEEPER_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"

enum { COPIES_MAX = 16384 };

struct copies;

/* Remembers nothing yet; `key` makes its hash unpredictable. NULL: out of memory. */
struct copies *copies_new(const uint8_t key[16]);
void copies_free(struct copies *copies);

/* A knock, as it is told from others: 84 bytes without padding, unused ones are zero. */
struct copies_knock {
    uint16_t port; /* or the number of a one-time sequence */
    struct addr address;
    char what[1 + CONFIG_NAME_MAX + 1]; /* a letter for its kind, then the door or the message */
};

struct copies_source {
    const char *name;
    int64_t again; /* ns in which it may bring the same knock once more; 0: it doesn't */
};

/*
 * The source brings the knock at `now`: true if that is a copy. Else it is remembered until `until`
 * for what other sources bring. Both in ns.
 */
bool copies_note(struct copies *copies, const struct copies_knock *knock,
                 const struct copies_source *source, int64_t now, int64_t until);

/* How many copies a source brought so far; all, with NULL. */
uint64_t copies_of(const struct copies *copies, const char *source);

/* How many knocks made room for others while they were still to be remembered. */
uint64_t copies_evicted(const struct copies *copies);

#endif
