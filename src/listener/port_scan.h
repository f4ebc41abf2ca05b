/*
 * Counts, for each address, the different ports to which it has sent of late, as a capture shows
 * them; matcher.c leaves out those of its doors. Who sends to many only scans, in whatever order,
 * and strict doors don't open for him: that, too, matcher.c decides.
 *
 * A table of cells, one of which an address may have, by a keyed hash; a cell has the newest ports,
 * each with the time of its newest packet, in an array of fixed size. So it costs the same whatever
 * comes. An address that finds its cell taken isn't watched: so a flood from forged addresses can
 * keep a scan from being seen as one, but no knock from opening. Pure but for what port_scan_new
 * allocates once.
 */
#ifndef LISTENER_PORT_SCAN_H
#define LISTENER_PORT_SCAN_H

#include <stdint.h>

#include "lib/addr.h"
#include "lib/sequence.h"

/* The most ports of an address that can be remembered, and the bytes that these take then. */
enum { PORT_SCAN_PORTS = SCAN_PORTS_MOST + 1, PORT_SCAN_BYTES = 8 + 16 * PORT_SCAN_PORTS };

struct port_scan;

/* Remembers the newest `ports` different ports (1 to PORT_SCAN_PORTS) of `max` addresses, each
 * address for `window` ns after its last packet; `key`, 16 random bytes, makes its hash
 * unpredictable. NULL and errno when memory is short. */
struct port_scan *port_scan_new(unsigned max, unsigned ports, int64_t window,
                                const uint8_t key[16]);
void port_scan_free(struct port_scan *scan);

/* The address sent to the port at `now` (ns, never going back), as `source` heard. */
void port_scan_note(struct port_scan *scan, unsigned source, const struct addr *address,
                    struct port_proto port, int64_t now);

/* To how many different ports it has sent at `since` (ns) or later, as far as they are remembered:
 * no more than `ports`, and none from before the window. */
unsigned port_scan_count(const struct port_scan *scan, unsigned source, const struct addr *address,
                         int64_t since);

#endif
