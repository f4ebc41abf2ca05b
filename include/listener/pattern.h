/*
 * A text in which some digits may be others. The lines of one log begin alike but for their times:
 * what was found out about one beginning is true of the next, and to compare the two costs a
 * fraction of reading it again. Pure.
 */
#ifndef LISTENER_PATTERN_H
#define LISTENER_PATTERN_H

#include "listener/scan.h"

enum { PATTERN_LEAST = 16, PATTERN_MOST = 248 };

/* Each byte of the text lies between its `low` and `low` + `more`. */
struct line_pattern {
    uint8_t len; /* 0: none, which nothing fits */
    uint8_t low[PATTERN_MOST];
    uint8_t more[PATTERN_MOST];
};

/* The pattern of `text` alone. No pattern when its length is none for one. */
void line_pattern_set(struct line_pattern *pattern, const char *text, size_t len);

/* Lets all bytes of text[from, to) that are digits be any other digit. */
void line_pattern_loosen(struct line_pattern *pattern, size_t from, size_t to);

/* Not 0 where the bytes at `at` don't fit. */
static inline scan_bytes line_pattern_wrong(const struct line_pattern *pattern, size_t at,
                                            const char *text)
{
    scan_bytes above = scan_load16(text + at) - scan_load16(pattern->low + at);
    return (scan_bytes)(above > scan_load16(pattern->more + at));
}

/* Whether the text of `len` bytes begins with something that fits. */
static inline bool line_pattern_fits(const struct line_pattern *pattern, const char *text,
                                     size_t len)
{
    size_t end = pattern->len;
    if (end == 0 || len < end)
        return false;
    scan_bytes wrong = line_pattern_wrong(pattern, end - PATTERN_LEAST, text);
    for (size_t at = 0; at + PATTERN_LEAST < end; at += PATTERN_LEAST)
        wrong |= line_pattern_wrong(pattern, at, text);
    return scan_none(wrong);
}

#endif
