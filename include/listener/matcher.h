/*
 * Which packets make a knock. Per (source of log, address) the last packets are kept, in 32 runs at
 * most, and only while an attempt can still be alive; when a packet is the last step of a door,
 * they are compared backwards. Pure but for what matcher_new allocates once: no clock, no I/O.
 *
 * Packets to the same protocol, port and destination that follow each other are a run. Strict doors
 * want their steps in consecutive runs: equal steps that follow each other in the sequence want a
 * run of at least as many packets, so a doubled packet is no stray. Tolerant doors want their steps
 * in order. Both want all of it within `timeout`. A run completes a sequence once, however long it
 * is, unless it is the whole sequence. What enum match_verdict and struct match_door leave out is
 * never a stray.
 *
 * A capture brings what the firewall accepts, too. So a strict door forgives `strays`: between two
 * packets to steps it leaves out all packets to other ports, if those are so many different ports
 * at most and none is within SEQUENCE_DECOYS ports of a step by its protocol. The runs on both
 * sides then follow each other. What this makes possible that wasn't, for N strays:
 * - A scan of all ports still opens nothing, in any order but those that chance has: on its way
 *   between two steps it meets decoys, whether in order, or, at random, among them. A slow scan
 *   brings the same packets, and must be done within `timeout` besides.
 * - A scan that strides by 129 ports or more, or by workers side by side, meets no decoy of steps
 *   that lie on its stride: `knockd -t` warns of such sequences. But it sends to many other ports
 *   before: an address that a capture heard send to more than SCAN_PORTS within the door's own
 *   timeout, or to more than it may have as strays in one knock (at most SCAN_PORTS_MOST), doesn't
 *   open it, if it is strict. So such a sequence is opened by a scan that begins with it, or that
 *   is so slow that it sends to no more ports in that time; of far UDP ports below 32768 one in 32
 *   is heard.
 * - A scan of a sparse list in ascending order meets the decoys that the list has. When all steps
 *   are in it, with no decoy and N other ports at most between two of them, it opens the door: of
 *   popular ports like 7000, 8000, 9000 a list may be like that. Without forgiveness the steps had
 *   to be neighbours in the list. Ports that no list has, as knockctl draws them, are safe.
 * - In a list of n ports at random, all steps among them, each step comes in time about N + 1 times
 *   as often: ((N + 1) / n) to the power of (steps - 1).
 * - Who tries sequences one after the other gets up to (N + 1) to the power of (steps - 1) of them
 *   for as many packets, if the ports tried are far from each other: 81 for 5 steps, of 2^80.
 * - Forged packets that are to break a knock have to name a decoy, or N + 1 ports, between two
 *   steps; or SCAN_PORTS + 1 other ports within the timeout before the last one. What carries a
 *   sealed knock is neither looked at nor counted here.
 */
#ifndef LISTENER_MATCHER_H
#define LISTENER_MATCHER_H

#include <net/if.h>

#include "lib/message.h"
#include "lib/sequence.h"
#include "listener/packet.h"

/* Sources are numbered from 0 to below this. */
enum { MATCH_SOURCES = 64 }; /* a bit each of match_door.unheard */

/* What the matcher needs to know of a door. */
struct match_door {
    struct sequence sequence;
    int64_t timeout;             /* ns, for the whole sequence */
    struct flag_match flags;     /* TCP packets that differ aren't seen by this door */
    struct addr target;          /* destination; family 0: any */
    char interface[IF_NAMESIZE]; /* IN=; empty: any */
    uint64_t unheard;            /* bit n: it doesn't hear source n */
    bool strict;
    uint8_t strays[2];               /* forgiven between two steps: [0] by logs, [1] by captures */
    bool one_time;                   /* its stages aren't reported; such doors come last */
    unsigned ignore_count;           /* never strays for this door: what it opens, `ignore` */
    const struct port_proto *ignore; /* owned by the caller, must outlive the matcher; a step of the
                                  sequence stays one, here or not */
};

struct matcher_counters {
    uint64_t packets[MATCH_VERDICTS];
    uint64_t opened;
    uint64_t evicted; /* addresses that had to make room */
};

struct matcher;

/*
 * A matcher for `count` doors (copied) that remembers `max_sources` addresses at most; `key`, 16
 * random bytes, makes its hash unpredictable. NULL and errno when memory is short.
 */
struct matcher *matcher_new(const struct match_door *doors, unsigned count, unsigned max_sources,
                            const uint8_t key[16]);
void matcher_free(struct matcher *m);

/* From now on TCP and UDP packets to the ports from `span` on that carry sealed knocks are left
 * out, whatever their flags, and UDP packets to `packet_port` (0: there is none), too. */
void matcher_set_span(struct matcher *m, uint16_t span, uint16_t packet_port);

/* `source` hears not only what the firewall denies: doors forgive strays[1] in what it brings, and
 * addresses that scan ports there open none that is strict. False when memory is short. */
bool matcher_set_captured(struct matcher *m, unsigned source);

/* How many steps of a door are done. */
struct match_stage {
    unsigned door, stage;
};

/* What a packet did. The arrays are valid until the next packet. */
struct match_result {
    enum match_verdict verdict;
    unsigned opened_count;
    const unsigned *opened; /* doors whose sequence it completed */
    unsigned scanned_count;
    const unsigned *scanned; /* doors likewise, but that don't open: its address is scanning */
    unsigned scanned_ports;  /* to so many other ports at least it has sent, in the time of the
                                first of these doors */
    unsigned reached_count;
    const struct match_stage *reached; /* doors that it took a step of, and since then have that
                                          stage: none that it only doubles a step of */
    bool one_time_step;                /* a one-time sequence has its port as a step */
};

/* `source` brings what other hosts log, perhaps some of it twice: a UDP packet from the same port
 * as an earlier one isn't counted, either, unless it follows that directly. */
void matcher_set_remote(struct matcher *m, unsigned source);

/*
 * Takes the packet that `source` logged at `now` (ns, never going back). Of the doors that have its
 * port as a step, the first `stages` are looked at for what it reached.
 */
struct match_result matcher_feed(struct matcher *m, unsigned source, const struct packet *packet,
                                 int64_t now, unsigned stages);

/*
 * The same in two parts. Why no door heeds the packet, as far as that takes no clock; MATCH_SEEN,
 * MATCH_SEALED: one may.
 */
enum match_verdict matcher_classify(const struct matcher *m, unsigned source,
                                    const struct packet *packet);

/* And the rest, for a packet of which matcher_classify has just said `verdict`. */
struct match_result matcher_take(struct matcher *m, enum match_verdict verdict, unsigned source,
                                 const struct packet *packet, int64_t now, unsigned stages);

/*
 * How many first steps of `door` are done, that the next packet of (source, address) could go on
 * from at `now`: 0 to one less than there are, for what opened a door is no attempt any more.
 */
unsigned matcher_stage(const struct matcher *m, unsigned source, const struct addr *address,
                       int64_t now, unsigned door);

/* Lines of `source` were lost: what strict doors have seen of it so far counts no more. */
void matcher_gap(struct matcher *m, unsigned source);

const struct matcher_counters *matcher_counters(const struct matcher *m);

#endif
