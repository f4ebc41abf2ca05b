/*
 * What stands before "MAC=" or "SRC=" in the lines of one log: time, host, prefix, interfaces. In
 * nearly every line it is what it was in a line before, but for the digits of the times. So the
 * last heads that were read are kept, and one that comes again isn't read again; nor are the
 * link's header and the destination, when they are those before. The verdict is the same as
 * without, for any text. Pure.
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

/* "MAC=", Ethernet's header in 14 bytes, "SRC=". */
enum { LINE_LINK = sizeof("MAC=ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff SRC=") - 1 };

/* The link's header of the last line that had one: most come from one router. */
struct line_link {
    bool known, group;
    char text[LINE_LINK];
};

/* A dotted quad of the line before, as text with the blank behind it: nearly all packets of a log
 * have the same destination. Zeros: none. */
struct known_quad {
    char text[16];
    char mask[16]; /* 0xff for each byte of it */
    uint8_t len;   /* of the quad alone; 0: none */
    struct addr address;
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
    struct line_link link;
    struct known_quad destination;
    uint8_t latest; /* the one that the last line had */
    uint8_t oldest;
};

/* The same as logline_parse. */
enum line_verdict line_cache_parse(struct line_cache *line_cache, const struct line_spec *spec,
                                   const char *line, size_t len, struct packet *packet);

#endif
