/*
 * Reads a capture from its beginning to its end, for a replay, and passes on its IP packets: by
 * libpcap, then behind the header of the link.
 */
#ifndef KNOCKD_CAPTURE_READER_H
#define KNOCKD_CAPTURE_READER_H

#include "knockd/log_reader.h"
#include "knockd/replay_input.h"
#include "lib/capture.h"
#include "listener/ip_packet.h"
#include "listener/link_header.h"
#include "listener/timestamp.h"

/* An IP packet, and what its link says. */
struct captured {
    enum link_direction direction;
    const uint8_t *bytes; /* from the IP header on */
    size_t len;
    struct ip_packet ip; /* with an interface: none if the host sent it, else "?" */
};

struct capture_calls {
    /* A packet, and when it was captured; no time: zone TIMESTAMP_NONE. */
    void (*packet)(void *arg, const struct timestamp *timestamp, const struct captured *captured);
    /* Before each read of the input. False ends the reading. */
    bool (*pause)(void *arg, bool live);
    void *arg;
};

struct capture_reader {
    struct capture_calls calls;
    struct replay_input *input;
    uint64_t verdicts[LINE_VERDICTS]; /* packets of the capture by enum line_verdict */
    uint8_t digits;                   /* of the fraction of its times so far: 6 or 9 */
    bool began;                       /* a packet was read, of whatever kind */
    bool stopped;                     /* by `pause` */
};

/*
 * Reads all of `input`. False when it isn't to be read to its end, with the reason in `error`:
 * nothing was passed on if it is no capture, and everything up to where it is damaged.
 */
bool capture_reader_run(struct capture_reader *reader, struct replay_input *input,
                        char error[CAPTURE_ERROR_SIZE]);

#endif
