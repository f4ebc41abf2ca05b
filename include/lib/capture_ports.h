/*
 * Which packets a capture takes in, and the filter that says so in libpcap's language. Knocks, and
 * enough around them for a scan to be seen as one; of UDP not what a service gets, which may be
 * much.
 */
#ifndef LIB_CAPTURE_PORTS_H
#define LIB_CAPTURE_PORTS_H

#include "lib/config.h"
#include "lib/port_set.h"

/* Bytes of a packet that are taken: all headers, and a sealed knock. */
enum { CAPTURE_COPIED = 256 };

/* Ranges of ports in one filter at most: the kernel takes 4096 instructions (BPF_MAXINSNS), a range
 * is three or four, and libpcap needs a moment for many. */
enum { CAPTURE_RANGES = 500 };

/* Room for the text of a filter with so many. */
enum { CAPTURE_TEXT = 80 * CAPTURE_RANGES + 1024 };

struct capture_ports {
    struct port_set steps;  /* of the doors, and of one-time sequences */
    struct port_set near;   /* UDP: they and SEQUENCE_DECOYS on either side; TCP: likewise of doors
                               that don't go by SYN alone, so by any flags */
    struct port_set served; /* what doors open or ignore: not taken unless it is a step */
    unsigned span;          /* first port of sealed knocks; 0: there are none */
    unsigned packet_port;   /* of sealed knocks in one packet, with `span` */
};

/* Fills *ports by the sections of `config`. */
void capture_ports_init(struct capture_ports *ports, const struct config *config);

/* Adds a further sequence of a door with these flags: a one-time sequence. */
void capture_ports_add(struct capture_ports *ports, const struct sequence *sequence,
                       struct flag_match flags);

/*
 * Writes the filter for packets of `family` (4 or 6) to `text`. Where it would have more than
 * CAPTURE_RANGES ranges, the narrowest gaps between them are taken in, too: returns how many ports
 * that are, as a rule 0.
 */
unsigned capture_ports_write(const struct capture_ports *ports, int family,
                             char text[CAPTURE_TEXT]);

#endif
