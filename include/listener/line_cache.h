/*
 * What stands before "MAC=" or "SRC=" in the lines of one log: time, host, prefix, interfaces. In
 * nearly every line it is what it was in a line before, but for the digits of the times. So the
 * last heads that were read are kept, and one that comes again isn't read again. The verdict is the
 * same as without, for any text. Pure.
 */
#ifndef LISTENER_LINE_CACHE_H
#define LISTENER_LINE_CACHE_H

#include "listener/logline.h"
#include "listener/pattern.h"

/* There may be some interfaces, and prefixes. */
enum { HEADS = 4 };

struct head {
    struct line_pattern pattern;
    uint8_t items; /* where "MAC=" or "SRC=" stands */
    uint8_t in;    /* the interface's name */
    uint8_t in_len;
};

/* Zeros are an empty one. Belongs to one struct line_spec: with others it's of no use. */
struct line_cache {
    struct head list[HEADS];
    uint8_t latest; /* the one that the last line had */
    uint8_t oldest;
};

/* The same as logline_parse. */
enum line_verdict line_cache_parse(struct line_cache *line_cache, const struct line_spec *spec,
                                   const char *line, size_t len, struct packet *packet);

#endif
