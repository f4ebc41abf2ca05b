/*
 * The messages between keeper and listener: of fixed size, over a SOCK_SEQPACKET pair, one a
 * datagram. Numbers and addresses; the one text that comes up is of a line, to be shown.
 *
 *   0        4            8
 *   +--------+------------+----------------------------+
 *   | type   | generation | the body of this type      |
 *   +--------+------------+----------------------------+
 *
 * Both ends are the same program on the same machine, so bytes are as the compiler lays them out.
 * A message of another size or of an unknown type ends the listener, and so does one that comes up
 * and isn't right in every field: keeper/inbound.h.
 */
#ifndef LIB_MESSAGE_H
#define LIB_MESSAGE_H

#include <net/if.h>
#include <stddef.h>

#include "lib/addr.h"
#include "lib/crypto.h"
#include "lib/host_name.h"
#include "lib/sealed.h"
#include "lib/sequence.h"

enum { MESSAGE_PREFIX_MAX = 127, MESSAGE_TEXT_MAX = 160 };

/* Files of one log that are read at a time: that at its path, and those that it replaced. */
enum { LOG_FILES = 4 };

/* Sockets of one source of packets at most: a capture has one for each family. */
enum { PACKET_SOCKETS = 2 };

enum message_type {
    /* up */
    MESSAGE_REPLY = 1, /* the listener took its configuration and is at work */
    MESSAGE_OPEN,      /* a sequence was knocked */
    MESSAGE_SEALED,    /* a sealed knock came in whole; only the keeper can read it */
    MESSAGE_EVENT,     /* something to be logged */
    MESSAGE_REOPEN,    /* a folder changed: do the paths still mean the same files? */
    MESSAGE_SEEN,      /* lines about packets that don't count, or that should not */
    MESSAGE_COUNTERS,  /* answer to MESSAGE_QUERY: what was left out, and what was forgotten */
    MESSAGE_STATS,     /* likewise: what a source brought so far */
    MESSAGE_OTHER,     /* of the source before it: such lines */
    MESSAGE_PACKET,    /* to a MESSAGE_QUERY for an address: a packet of its */
    MESSAGE_EFFECT,    /* what the packet before it did to a door */
    MESSAGE_ANSWERED,  /* that was all */
    MESSAGE_PONG,      /* answer to MESSAGE_PING */
    /* down, in this order */
    MESSAGE_CONFIG, /* how much will follow */
    MESSAGE_SOURCE,
    MESSAGE_PREFIX, /* of the source before it */
    MESSAGE_HEARD,  /* likewise: an interface whose packets count */
    MESSAGE_DOOR,
    MESSAGE_IGNORE,    /* ports that are never strays for the door before it */
    MESSAGE_START,     /* that was all */
    MESSAGE_FD,        /* a descriptor, any time after MESSAGE_START */
    MESSAGE_QUERY,     /* a question, likewise */
    MESSAGE_PING,      /* likewise: is it at work? */
    MESSAGE_INTERFACE, /* likewise: which interface a name means now */
    MESSAGE_ZONE,      /* likewise: this host's time zone */
    MESSAGE_TYPES,
};

enum event_kind {
    EVENT_STAGE = 1, /* an address reached step `number` of the door */
    EVENT_GAP,       /* the kernel overwrote `number` lines before they were read; 0: some */
    EVENT_LONG,      /* `number` lines too long to be a packet's were skipped */
    EVENT_TRUNCATED, /* the log was emptied and is read from its start */
    EVENT_CLOSED,    /* the source came to its end or can't be read; `number` is errno */
    EVENT_STALLED,   /* an address reached step `number` of the door, and not the next one */
    EVENT_SCAN,      /* an address knocked right, but is scanning: `number` other ports or more */
    EVENT_SILENT,    /* no packet at all for `number` seconds */
    EVENT_STALE,   /* a line about a packet of the address was refused for its time, for the reason
                      `door`, enum stale_reason; it is `number` seconds from now */
    EVENT_SANDBOX, /* step `door` of the sandbox failed with errno `number`; the listener ends */
    EVENT_KINDS,
};

/* Why a line isn't taken for one of now. */
enum stale_reason {
    STALE_NOT,     /* it is */
    STALE_OLD,     /* its time is too long ago */
    STALE_FUTURE,  /* its time is still to come */
    STALE_UNDATED, /* it states no time, or a date that is impossible */
    STALE_ZONE,    /* its time is off by quarters of an hour: it seems to be of another zone */
    STALE_REASONS,
};

/* By how many ns a line of another host may be ahead of the clock. */
#define FRESHNESS_AHEAD (INT64_C(5) * 1000000000)

/* Steps of the sandbox (listener/sandbox.h), of which EVENT_SANDBOX tells. */
enum sandbox_step {
    SANDBOX_DONE,
    SANDBOX_LIMITS,
    SANDBOX_CHROOT,
    SANDBOX_BOUNDS,
    SANDBOX_USER,
    SANDBOX_CAPABILITIES,
    SANDBOX_REGAIN, /* the privilege could be taken back */
    SANDBOX_NO_NEW_PRIVS,
    SANDBOX_FILTER,
    SANDBOX_STEPS,
};

enum fd_kind { FD_INOTIFY = 1, FD_LOG, FD_PACKETS };

struct message_open {
    uint32_t source;
    uint32_t door; /* number of the MESSAGE_DOOR */
    struct addr address;
    uint16_t port; /* from which the packet came that was the last step */
};

struct message_sealed {
    uint32_t source;
    struct addr address; /* whose packets it came by */
    uint32_t length;     /* SEALED_SHORT or SEALED_LONG */
    uint8_t message[SEALED_LONG];
};

struct message_event {
    uint32_t kind;
    uint32_t source;
    uint32_t door;
    struct addr address;
    uint64_t number;
    struct port_proto
        instead; /* of EVENT_STALLED: what came in place of the next step; port 0: nothing
                  */
    char host[HOST_NAME_SIZE]; /* of EVENT_STALE: who wrote the line; "": it doesn't say */
};

struct message_reopen {
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

/* What to do about lines with such a header, for messages. */
const char *header_advice(enum header_hint hint);

/* The one text that comes up, a prefix or the beginning of a line, as the log had it. It is shown,
 * encoded, and no more. */
struct message_seen {
    uint32_t source;
    uint32_t kind;    /* enum seen_kind */
    uint32_t hint;    /* enum header_hint */
    uint64_t packets; /* lines of this kind */
    uint64_t count;   /* of them, with this prefix; 0: no text */
    char text[MESSAGE_TEXT_MAX + 1];
};

/* Why the matcher left out a packet; MATCH_SEEN: it didn't. Of several reasons the first one
 * counts. */
enum match_verdict {
    MATCH_SEEN,
    MATCH_OUTGOING,  /* IN= is empty */
    MATCH_GROUP,     /* sent to multicast or broadcast, or from it, or from nobody */
    MATCH_MARTIAN,   /* from or to an address that no host elsewhere has, by a wire */
    MATCH_PROTOCOL,  /* neither TCP nor UDP, or a later fragment */
    MATCH_FLAGS,     /* TCP, flags of no door */
    MATCH_REPEAT,    /* a retransmission */
    MATCH_IDLE,      /* begins no sequence, and its address has none in progress */
    MATCH_SEALED,    /* to a port of sealed knocks: for reassembly */
    MATCH_MALFORMED, /* captured, and a host discards it: doesn't come to the matcher */
    MATCH_STALE,     /* its line isn't of now: likewise */
    MATCH_VERDICTS,  /* how many there are */
};

/* What a listener left out, forgot or kept to itself since it began, all sources together. */
enum listener_count {
    COUNT_OUTGOING, /* packets, by the reasons of enum match_verdict, in the same order */
    COUNT_GROUP,
    COUNT_MARTIAN,
    COUNT_PROTOCOL,
    COUNT_FLAGS,
    COUNT_REPEAT,
    COUNT_IDLE,
    COUNT_SEALED,
    COUNT_STALE,   /* packets whose lines aren't of now */
    COUNT_EVICTED, /* addresses that had to make room for others */
    COUNT_UNSAID,  /* knocks that stayed behind, of which no event tells */
    COUNT_PIECES,  /* of COUNT_SEALED, pieces of sealed knocks; the rest as in reassembly.h */
    COUNT_MESSAGES,
    COUNT_MIXTURES,
    COUNT_PIECES_EVICTED,
    COUNT_SPENT,
    COUNT_SPENT_COMMON,
    COUNT_LIMITED,
    COUNT_LIMITED_COMMON,
    LISTENER_COUNTS,
};

struct message_counters {
    uint32_t query;
    uint64_t counts[LISTENER_COUNTS];
};

/* Times in ns as clock_now has them; 0: never. The counts begin with the listener. */
struct message_stats {
    uint32_t query;
    uint32_t source;
    uint64_t lines;
    uint64_t packets; /* lines with a prefix of ours that tell of a packet */
    uint64_t foreign; /* that aren't the kernel's, or not about a packet */
    uint64_t others;  /* with another prefix */
    uint64_t damaged;
    uint64_t partial;              /* of packets too short to name their addresses */
    uint64_t stale[STALE_REASONS]; /* of `packets`, refused for their time, by the reason */
    uint32_t reason; /* enum stale_reason of the last of them; STALE_NOT: there was none */
    int64_t age;     /* ns, likewise; negative: of the future */
    int64_t last_line;
    int64_t last_packet;
};

struct message_other {
    uint32_t query;
    uint32_t source;
    uint32_t kind;
    uint32_t hint;
    uint64_t count;
    char text[MESSAGE_TEXT_MAX + 1];
};

struct message_packet {
    uint32_t query;
    uint32_t source;
    uint32_t verdict; /* enum match_verdict, below MATCH_VERDICTS */
    int32_t proto;    /* IPPROTO_*, -1: not said */
    uint16_t spt, dpt;
    uint32_t pieces, needed; /* of a sealed knock, when the packet is one; else 0 */
    uint32_t message;        /* whether it made a message, which was handed over */
    uint32_t stale;          /* enum stale_reason of a MATCH_STALE, else STALE_NOT */
    int64_t age;             /* ns, of a MATCH_STALE */
    struct addr dst;
    int64_t time;              /* ns */
    char host[HOST_NAME_SIZE]; /* of a MATCH_STALE: who wrote the line; "": it doesn't say */
};

struct message_effect {
    uint32_t query;
    uint32_t door;
    uint32_t before; /* steps done, after the packet before */
    uint32_t after;
    uint32_t late; /* its time was over before the packet came */
    uint32_t opened;
    uint32_t scan; /* it would have opened, but the address is scanning */
};

struct message_answered {
    uint32_t query;
};

/* PING and PONG: the number of a PING, which its PONG repeats. */
struct message_ping {
    uint32_t number;
};

struct message_query {
    uint32_t query;      /* a number of the keeper's, which the answer repeats */
    struct addr address; /* whose packets are asked for as well; family 0: nobody's */
};

struct message_config {
    uint32_t sources;
    uint32_t doors; /* MESSAGE_DOORs: the configuration's, then one for each one-time sequence */
    uint32_t plain; /* how many of them are the configuration's */
    uint32_t max_sources;
    uint32_t debug;       /* whether stages are wanted */
    uint32_t span;        /* first port of those that carry sealed knocks; 0: there are none */
    uint32_t packet_port; /* UDP port that takes a sealed knock in one packet; 0: none does */
    uint8_t key[CRYPTO_KEY_SIZE];
};

struct message_source {
    uint32_t type;   /* enum source_type */
    uint32_t format; /* enum source_format */
    uint32_t remote; /* whether other hosts' lines come by it */
    int64_t max_age; /* ns by which a line may be old; 0: any time */
};

struct message_prefix {
    char text[MESSAGE_PREFIX_MAX + 1];
};

/* A source with none of these hears all interfaces. */
struct message_heard {
    char interface[IF_NAMESIZE];
};

struct message_door {
    struct sequence sequence;
    int64_t timeout;
    struct flag_match flags;
    struct addr target;
    char interface[IF_NAMESIZE];
    uint64_t unheard; /* bit n: not the source number n */
    uint32_t strict;
    uint32_t strays[2]; /* forgiven between two steps: by sources of denied packets, by captures */
    uint32_t like; /* 1 + number of the earlier MESSAGE_DOOR whose ignored ports it has as well; 0:
                      it has its own, in the MESSAGE_IGNOREs that follow */
};

struct message_ignore {
    struct sequence ports;
};

/* Interfaces whose names doors or sources have, at most. */
enum { INTERFACES_MAX = 256 };

/* The interface number `slot` of those whose names doors or sources have. */
struct message_interface {
    uint32_t slot;
    uint32_t index; /* by the kernel; 0: there is none of that name now */
    char name[IF_NAMESIZE];
};

/* How far this host's zone is east of Greenwich, in seconds: `offset` from `from` to `until` (ns
 * since 1970), and the offsets before and after that. */
struct message_zone {
    int64_t from, until;
    int32_t before, offset, after;
};

struct message_fd {
    uint32_t kind;
    uint32_t source;
    int32_t watch;   /* the inotify watch of this file, -1: none */
    uint32_t polled; /* whether it is to be looked at without being told, too */
    int64_t offset;  /* where to start reading */
};

struct message {
    uint32_t type;
    uint32_t generation;
    union {
        struct message_open open;
        struct message_sealed sealed;
        struct message_event event;
        struct message_reopen reopen;
        struct message_seen seen;
        struct message_counters counters;
        struct message_stats stats;
        struct message_other other;
        struct message_packet packet;
        struct message_effect effect;
        struct message_answered answered;
        struct message_query query;
        struct message_ping ping;
        struct message_config config;
        struct message_source source;
        struct message_prefix prefix;
        struct message_heard heard;
        struct message_door door;
        struct message_ignore ignore;
        struct message_fd fd;
        struct message_interface interface;
        struct message_zone zone;
    } u;
};

/* Whether `type` is part of an answer to MESSAGE_QUERY. */
static inline bool message_is_answer(uint32_t type)
{
    return type >= MESSAGE_COUNTERS && type <= MESSAGE_ANSWERED;
}

/* The number of the question that a part of an answer belongs to: all of them begin with it. */
static inline uint32_t message_answers(const struct message *msg)
{
    return msg->u.answered.query;
}

/* The exact size of a message of `type`; 0 when there is no such type. */
size_t message_size(uint32_t type);

enum message_result {
    MESSAGE_GOT,
    MESSAGE_NONE, /* nothing there just now, or no room to send */
    MESSAGE_END,  /* the other end is gone */
    MESSAGE_BAD,  /* not a message: the sender is not to be trusted */
};

/*
 * Receives one message of the exact size of its type, without waiting. A descriptor that came with
 * it is stored in *fd, close on exec, and the caller owns it; -1 when there was none. Descriptors
 * with MESSAGE_BAD are closed.
 */
enum message_result message_receive(int socket, struct message *msg, int *fd);

/*
 * Sends one message, with descriptor `fd` unless it is -1. Waits for room when `wait`, else
 * returns MESSAGE_NONE. Never raises SIGPIPE.
 */
enum message_result message_send(int socket, const struct message *msg, int fd, bool wait);

#endif
