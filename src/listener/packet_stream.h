/*
 * One source of packets as the listener sees it: sockets that the keeper hands over, of a group of
 * NFLOG or of a capture. Reads what is there, calls for each packet, and reports what was lost. It
 * opens nothing.
 */
#ifndef LISTENER_PACKET_STREAM_H
#define LISTENER_PACKET_STREAM_H

#include "lib/message.h"
#include "listener/ip_packet.h"

/* A packet, or what is none, as it came. */
struct packet_event {
    enum line_verdict verdict;
    uint32_t in;        /* index of the interface that it came by; 0: none, the host's own */
    const char *prefix; /* of the rule that it is from; NULL: by a capture there is none */
    size_t prefix_len;
    struct ip_packet ip; /* valid with LINE_PACKET and LINE_PREFIX; its interface isn't set */
};

struct packet_stream_calls {
    void (*packet)(void *arg, struct packet_event *event);
    /* Some were lost before the next packet, or before one of those since the last call. */
    void (*gap)(void *arg);
    /* EVENT_GAP: so many were lost since the last one, said now and then. */
    void (*event)(void *arg, enum event_kind kind, uint64_t number);
    void *arg;
};

struct packet_stream {
    uint32_t type;                /* enum source_type: nflog or pcap */
    const struct line_spec *spec; /* nflog: the prefixes that count */
    int fds[PACKET_SOCKETS];
    unsigned count; /* of them */
    uint32_t next;  /* nflog: number of the next packet */
    bool has_next;
    uint64_t lost;       /* packets, not reported yet */
    int64_t reported_at; /* ns: when losses were reported last; 0: never */
    struct packet_stream_calls calls;
};

void packet_stream_init(struct packet_stream *stream, uint32_t type, const struct line_spec *spec,
                        struct packet_stream_calls calls);
void packet_stream_free(struct packet_stream *stream);

/* Begins to read socket `fd`, too, and owns it. False when it has all that it may have. */
bool packet_stream_add(struct packet_stream *stream, int fd);

/* When the losses that are known and not reported yet may be: INT64_MAX: there are none. Then
 * packet_stream_report does it. */
int64_t packet_stream_due(const struct packet_stream *stream);
void packet_stream_report(struct packet_stream *stream, int64_t now);

/* Reads what is there at `now` (ns), a bounded share. True: there may be more, call again soon. */
bool packet_stream_read(struct packet_stream *stream, int64_t now);

#endif
