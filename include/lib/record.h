/*
 * What keeper and listener say to each other: records of fixed size over a SOCK_SEQPACKET pair,
 * one a datagram. Numbers and addresses; the one text that comes up is of a line, to be shown.
 *
 *   0        4            8
 *   +--------+------------+----------------------------+
 *   | type   | generation | the body of this type      |
 *   +--------+------------+----------------------------+
 *
 * Both ends are the same program on the same machine, so bytes are as the compiler lays them out.
 * A record of another size or an unknown type ends the listener.
 */
#ifndef LIB_RECORD_H
#define LIB_RECORD_H

#include <net/if.h>
#include <stddef.h>

#include "lib/addr.h"
#include "lib/keyed.h"
#include "lib/sealed.h"
#include "lib/sequence.h"

enum { RECORD_PREFIX_MAX = 127, RECORD_TEXT_MAX = 160 };

/* Files of one log that are read at a time: that at its path, and those that it replaced. */
enum { LOG_FILES = 4 };

enum record_type {
    /* up */
    RECORD_REPLY = 1, /* the listener took its configuration and is at work */
    RECORD_OPEN,      /* a sequence was knocked */
    RECORD_SEALED,    /* a sealed knock came in whole; only the keeper can read it */
    RECORD_EVENT,     /* something to be logged */
    RECORD_REOPEN,    /* a folder changed: do the paths still mean the same files? */
    RECORD_SEEN,      /* lines about packets that don't count, or that should not */
    RECORD_COUNTERS,  /* answer to RECORD_QUERY: what was left out, and what was forgotten */
    RECORD_TALLY,     /* likewise: what a source brought so far */
    RECORD_OTHER,     /* of the source before it: such lines */
    RECORD_PACKET,    /* to a RECORD_QUERY for an address: a packet of its */
    RECORD_EFFECT,    /* what the packet before it did to a door */
    RECORD_ANSWERED,  /* that was all */
    RECORD_PONG,      /* answer to RECORD_PING */
    /* down, in this order */
    RECORD_CONFIG, /* how much will follow */
    RECORD_SOURCE,
    RECORD_PREFIX, /* of the source before it */
    RECORD_DOOR,
    RECORD_IGNORE, /* ports that are never strays for the door before it */
    RECORD_START,  /* that was all */
    RECORD_FD,     /* a descriptor, any time after RECORD_START */
    RECORD_QUERY,  /* a question, likewise */
    RECORD_PING,   /* likewise: is it at work? */
    RECORD_TYPES,
};

enum event_kind {
    EVENT_STAGE = 1, /* an address reached step `number` of the door */
    EVENT_GAP,       /* the kernel overwrote `number` lines before they were read; 0: some */
    EVENT_LONG,      /* `number` lines too long to be a packet's were skipped */
    EVENT_TRUNCATED, /* the log was emptied and is read from its start */
    EVENT_CLOSED,    /* the source came to its end or can't be read; `number` is errno */
    EVENT_STALLED,   /* an address reached step `number` of the door, and not the next one */
    EVENT_SILENT,    /* no packet at all for `number` seconds */
    EVENT_SANDBOX,   /* step `door` of the sandbox failed with errno `number`; the listener ends */
    EVENT_KINDS,
};

enum fd_kind { FD_INOTIFY = 1, FD_LOG };

struct record_open {
    uint32_t source;
    uint32_t door; /* number of the RECORD_DOOR */
    struct addr address;
};

struct record_sealed {
    uint32_t source;
    struct addr address; /* whose packets it came by */
    uint32_t length;     /* SEALED_SHORT or SEALED_LONG */
    uint8_t message[SEALED_LONG];
};

struct record_event {
    uint32_t kind;
    uint32_t source;
    uint32_t door;
    struct addr address;
    uint64_t number;
    struct step instead; /* of EVENT_STALLED: what came in place of the next step; port 0: nothing
                          */
};

struct record_reopen {
    int32_t watch; /* the inotify watch that told of it; -1: events were lost, it may be any */
};

/* Lines about packets that don't count, or should not. */
enum seen_kind {
    SEEN_PREFIX,   /* with another prefix than ours */
    SEEN_ACCEPTED, /* with a prefix that says that the packet was accepted */
    SEEN_HEADER,   /* behind a header that isn't known */
    SEEN_KINDS,
};

/* What a line with an unknown header looks like. */
enum header_hint {
    HEADER_OTHER,
    HEADER_ULOGD,   /* ulogd's: TOS without 0x */
    HEADER_PROXMOX, /* of Proxmox VE's own log */
    HEADER_JSON,
    HEADER_HINTS,
};

/* The one text that comes up, a prefix or the beginning of a line, as the log had it. It is shown,
 * encoded, and no more. */
struct record_seen {
    uint32_t source;
    uint32_t kind;    /* enum seen_kind */
    uint32_t hint;    /* enum header_hint */
    uint64_t packets; /* lines of this kind */
    uint64_t count;   /* of them, with this prefix; 0: no text */
    char text[RECORD_TEXT_MAX + 1];
};

/* What a listener left out, forgot or kept to itself since it began, all sources together. */
enum listener_count {
    COUNT_OUTGOING, /* packets, by the reasons of enum match_verdict, in the same order */
    COUNT_GROUP,
    COUNT_PROTOCOL,
    COUNT_FLAGS,
    COUNT_REPEAT,
    COUNT_IDLE,
    COUNT_SEALED,
    COUNT_EVICTED, /* addresses that had to make room for others */
    COUNT_UNSAID,  /* knocks that stayed behind, of which no event tells */
    COUNT_PIECES,  /* of COUNT_SEALED, pieces of sealed knocks; the rest as in the assembler */
    COUNT_MESSAGES,
    COUNT_MIXTURES,
    COUNT_PIECES_EVICTED,
    COUNT_SPENT,
    COUNT_SPENT_COMMON,
    COUNT_LIMITED,
    COUNT_LIMITED_COMMON,
    LISTENER_COUNTS,
};

struct record_counters {
    uint32_t query;
    uint64_t counts[LISTENER_COUNTS];
};

/* Times in ns as clock_now has them; 0: never. The counts begin with the listener. */
struct record_tally {
    uint32_t query;
    uint32_t source;
    uint64_t lines;
    uint64_t packets; /* lines with a prefix of ours that tell of a packet */
    uint64_t foreign; /* that aren't the kernel's, or not about a packet */
    uint64_t others;  /* with another prefix */
    uint64_t damaged;
    uint64_t partial; /* of packets too short to name their addresses */
    int64_t last_line;
    int64_t last_packet;
};

struct record_other {
    uint32_t query;
    uint32_t source;
    uint32_t kind;
    uint32_t hint;
    uint64_t count;
    char text[RECORD_TEXT_MAX + 1];
};

struct record_packet {
    uint32_t query;
    uint32_t source;
    uint32_t verdict; /* enum match_verdict */
    int32_t proto;    /* IPPROTO_*, -1: not said */
    uint16_t spt, dpt;
    uint32_t pieces, needed; /* of a sealed knock, when the packet is one; else 0 */
    uint32_t message;        /* whether it made a message, which was handed over */
    struct addr dst;
    int64_t time; /* ns */
};

struct record_effect {
    uint32_t query;
    uint32_t door;
    uint32_t before; /* steps done, after the packet before */
    uint32_t after;
    uint32_t late; /* its time was over before the packet came */
    uint32_t opened;
};

struct record_answered {
    uint32_t query;
};

/* PING and PONG: the number of a PING, which its PONG repeats. */
struct record_ping {
    uint32_t number;
};

struct record_query {
    uint32_t query;      /* a number of the keeper's, which the answer repeats */
    struct addr address; /* whose packets are asked for as well; family 0: nobody's */
};

struct record_config {
    uint32_t sources;
    uint32_t doors; /* RECORD_DOORs: the configuration's, then one for each one-time sequence */
    uint32_t plain; /* how many of them are the configuration's */
    uint32_t max_sources;
    uint32_t debug; /* whether stages are wanted */
    uint32_t span;  /* first port of those that carry sealed knocks; 0: there are none */
    uint8_t key[KEYED_KEY_SIZE];
};

struct record_source {
    uint32_t type;   /* enum source_type */
    uint32_t format; /* enum source_format */
};

struct record_prefix {
    char text[RECORD_PREFIX_MAX + 1];
};

struct record_door {
    struct sequence sequence;
    int64_t timeout;
    struct flag_match flags;
    struct addr target;
    char interface[IF_NAMESIZE];
    uint32_t strict;
    uint32_t like; /* 1 + number of the earlier RECORD_DOOR whose ignored ports it has as well; 0:
                      it has its own, in the RECORD_IGNOREs that follow */
};

struct record_ignore {
    struct sequence ports;
};

struct record_fd {
    uint32_t kind;
    uint32_t source;
    int32_t watch;   /* the inotify watch of this file, -1: none */
    uint32_t polled; /* whether it is to be looked at without being told, too */
    int64_t offset;  /* where to start reading */
};

struct record {
    uint32_t type;
    uint32_t generation;
    union {
        struct record_open open;
        struct record_sealed sealed;
        struct record_event event;
        struct record_reopen reopen;
        struct record_seen seen;
        struct record_counters counters;
        struct record_tally tally;
        struct record_other other;
        struct record_packet packet;
        struct record_effect effect;
        struct record_answered answered;
        struct record_query query;
        struct record_ping ping;
        struct record_config config;
        struct record_source source;
        struct record_prefix prefix;
        struct record_door door;
        struct record_ignore ignore;
        struct record_fd fd;
    } u;
};

/* Whether `type` is part of an answer to RECORD_QUERY. */
static inline bool record_is_answer(uint32_t type)
{
    return type >= RECORD_COUNTERS && type <= RECORD_ANSWERED;
}

/* The number of the question that an answer's record belongs to: all of them begin with it. */
static inline uint32_t record_answers(const struct record *record)
{
    return record->u.answered.query;
}

/* The exact size of a record of `type`; 0 when there is no such type. */
size_t record_size(uint32_t type);

enum record_result {
    RECORD_GOT,
    RECORD_NONE, /* nothing there just now, or no room to send */
    RECORD_END,  /* the other end is gone */
    RECORD_BAD,  /* not a record: the sender is not to be trusted */
};

/*
 * Receives one record without waiting. A descriptor that came with it is stored in *fd, close on
 * exec, and the caller owns it; -1 when there was none. Descriptors with RECORD_BAD are closed.
 */
enum record_result record_receive(int socket, struct record *record, int *fd);

/*
 * Sends one record, with descriptor `fd` unless it is -1. Waits for room when `wait`, else
 * returns RECORD_NONE. Never raises SIGPIPE.
 */
enum record_result record_send(int socket, const struct record *record, int fd, bool wait);

#endif
