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

/*
 * UDP ports below CAPTURE_SAMPLED, above which replies to this host itself arrive, are of so many
 * classes, one of which is taken in: of a scan by UDP that passes by all steps enough is seen. The
 * class of a port is ((port ^ port >> CAPTURE_FOLD) * CAPTURE_SPREAD & CAPTURE_CLASS) >>
 * CAPTURE_SHIFT. Tried with each stride from 129 to 8192 and each class: a scan of all ports comes
 * by ten of a class within 2,300 ports, wherever that begins. (A factor alone has strides that pass
 * by a class for long.)
 */
enum { CAPTURE_SAMPLES = 32, CAPTURE_SAMPLED = 32768 };
enum { CAPTURE_FOLD = 6, CAPTURE_SPREAD = 40503, CAPTURE_CLASS = 0xf800, CAPTURE_SHIFT = 11 };

struct capture_ports {
    struct port_set steps;  /* of the doors, and of one-time sequences */
    struct port_set near;   /* UDP: they and SEQUENCE_DECOYS on either side; TCP: likewise of doors
                               that don't go by SYN alone, so by any flags */
    struct port_set served; /* what doors open or ignore: not taken unless it is a step */
    unsigned span;          /* first port of sealed knocks; 0: there are none */
    unsigned packet_port;   /* of sealed knocks in one packet, with `span` */
};

/* Bits of all sources. */
#define CAPTURE_ANY UINT64_MAX

/* Fills *ports by the sections of `config`, for captures by `sources` (bit n: the source number n):
 * the steps of doors that hear none of them are left out. */
void capture_ports_init(struct capture_ports *ports, const struct config *config, uint64_t sources);

/* Adds a further sequence of a door with these flags: a one-time sequence. */
void capture_ports_add(struct capture_ports *ports, const struct sequence *sequence,
                       struct flag_match flags);

/* The class that is taken in: one with as few of the ports that doors open or ignore as there are
 * (*served), and of those of services that may get much. CAPTURE_SAMPLES: none, since no step is
 * UDP, and a scan by UDP opens nothing. */
unsigned capture_ports_sample(const struct capture_ports *ports, unsigned *served);

/* Whether the UDP port is of class `sample`. */
bool capture_ports_samples(unsigned sample, uint16_t port);

/*
 * Writes the filter for packets of `family` (4 or 6) to `text`. Where it would have more than
 * CAPTURE_RANGES ranges, the narrowest gaps between them are taken in, too: returns how many ports
 * that are, as a rule 0.
 */
unsigned capture_ports_write(const struct capture_ports *ports, int family,
                             char text[CAPTURE_TEXT]);

#endif
