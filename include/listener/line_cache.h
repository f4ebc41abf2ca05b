/*
 * What stands before "MAC=" or "SRC=" in the lines of one log: time, host, prefix, interfaces. In
 * nearly every line it is what it was in a line before, but for the digits of the times. So the
 * last heads that were read are kept, and one that comes again isn't read again. The verdict is the
 * same as without, for any text. Pure.
 */
#ifndef LISTENER_LINE_CACHE_H
#define LISTENER_LINE_CACHE_H

#include "listener/logline.h"

enum { PATTERN_LEAST = 16, PATTERN_MOST = 248 };

/*
 * A text in which some digits may be others: each byte lies between its `low` and `low` + `more`.
 * To compare a line with the text of another one costs a fraction of reading it again.
 */
struct line_pattern {
    uint8_t len; /* 0: none, which nothing fits */
    uint8_t low[PATTERN_MOST];
    uint8_t more[PATTERN_MOST];
};

/* There may be some interfaces, and prefixes. */
enum { LINE_HEADS = 4 };

struct line_head {
    struct line_pattern pattern;
    uint8_t items; /* where "MAC=" or "SRC=" stands */
    uint8_t in;    /* the interface's name */
    uint8_t in_len;
};

/* Zeros are an empty one. Belongs to one struct line_spec: with others it's of no use. */
struct line_cache {
    struct line_head list[LINE_HEADS];
    uint8_t latest; /* the one that the last line had */
    uint8_t oldest;
};

/* The same as logline_parse. */
enum line_verdict line_cache_parse(struct line_cache *line_cache, const struct line_spec *spec,
                                   const char *line, size_t len, struct packet *packet);

#endif
