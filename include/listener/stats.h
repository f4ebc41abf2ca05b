/* What a source has brought so far: the answer to "why did nothing happen?". Pure. */
#ifndef LISTENER_STATS_H
#define LISTENER_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/message.h"
#include "listener/logline.h"

/*
 * Lines that no format of ours fits though they look like the firewall's: their header isn't known.
 * They never count; they are shown, so that an administrator sees why nothing happens.
 */
struct foreign {
    uint64_t count;
    enum header_hint hint;              /* what the first of them looks like */
    char example[MESSAGE_TEXT_MAX + 1]; /* its beginning, bytes and all */
};

enum { STATS_PREFIXES = 4 };

struct stats_prefix {
    uint64_t count;
    char text[PREFIX_MAX + 1];
};

struct stats {
    uint64_t lines;
    uint64_t verdicts[LINE_PARTIAL + 1]; /* by enum line_verdict */
    uint64_t stale[STALE_REASONS];       /* of LINE_PACKET, refused for their time */
    enum stale_reason stale_reason;      /* of the last of them */
    int64_t stale_age;                   /* ns, likewise */
    int64_t last_line, last_packet;      /* ns, set by the caller; 0: never */
    uint64_t accepted;                   /* of LINE_PACKET, with a prefix of accepted packets */
    uint64_t report_prefixes_at;         /* lines with foreign prefixes at which to report next */
    uint64_t report_headers_at;          /* likewise, with unknown headers */
    struct foreign foreign;              /* LINE_FOREIGN, of the firewall by all appearance */
    struct stats_prefix seen[STATS_PREFIXES];
};

/* Counters of nothing. */
void stats_reset(struct stats *stats);

/*
 * Counts a line. `prefix`, of `len` bytes, is what a LINE_PREFIX line had instead of ours, or what
 * a LINE_PACKET line had that says that the packet was accepted; NULL with any other. The most
 * frequent prefixes are kept; a new one replaces the rarest and inherits its count
 * (Space-Saving: Metwally, Agrawal, El Abbadi 2005).
 */
void stats_line(struct stats *stats, enum line_verdict verdict, const char *prefix, size_t len);

/*
 * Whether it is time to report that there are packets, but none with our prefix: after 50, 500,
 * 5,000 of them and so on.
 */
bool stats_report_prefixes(struct stats *stats);

/* The same for lines with unknown headers: after 10, 100, 1,000 of them and so on. */
bool stats_report_headers(struct stats *stats);

/* The most frequent of the prefixes that may be the one of denied packets; NULL: there is none. */
const struct stats_prefix *stats_commonest(const struct stats *stats);

/*
 * Whether a LINE_FOREIGN line holds a prefix of `spec`, if that has any, and then IN=, SRC= and
 * DST=, behind a header that the format of `spec` doesn't know. Records of /dev/kmsg never do:
 * there it was another program that wrote the line.
 */
bool foreign_is_firewall(const struct line_spec *spec, const char *line, size_t len);

/* Counts such a line, and keeps the first. */
void foreign_note(struct foreign *foreign, const char *line, size_t len);

/* Whether a prefix says that the firewall accepted the packet, or may have: "[UFW ALLOW] ", "[UFW
 * AUDIT] ", "Shorewall:net-fw:ACCEPT:", "[WAN_LOCAL-10-A]". */
bool prefix_is_of_accepted(const char *prefix, size_t len);

#endif
