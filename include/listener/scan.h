/*
 * Steps through a text that need not be terminated. Every step takes where it stands and where the
 * text ends, and returns where it came to, or NULL when the text isn't what was asked for. NULL
 * passes through, so that a chain of steps is checked once, at its end.
 */
#ifndef LISTENER_SCAN_H
#define LISTENER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/addr.h"

/* Reads a dotted quad; what follows it is the caller's to judge. */
const char *scan_quad(const char *p, const char *end, uint8_t out[4]);

/* Reads an address of either family, which must end in a blank: the token as a whole counts. *out
 * is unspecified when it isn't one. */
const char *scan_address(const char *p, const char *end, struct addr *out);

/* The `n` bytes of `text`. Inlined, `n` is a constant and the comparison one or two loads. */
static inline const char *scan_text(const char *p, const char *end, const char *text, size_t n)
{
    return p && (size_t)(end - p) >= n && memcmp(p, text, n) == 0 ? p + n : NULL;
}

#define SCAN(p, end, literal) scan_text(p, end, "" literal, sizeof(literal) - 1)

/* Steps over `text` if it is here, and says whether it was. */
static inline bool scan_take(const char **p, const char *end, const char *text, size_t n)
{
    const char *after = scan_text(*p, end, text, n);
    if (after)
        *p = after;
    return after;
}

#define TAKE(p, end, literal) scan_take(p, end, "" literal, sizeof(literal) - 1)

/* Above 9 for what isn't a decimal digit. */
static inline unsigned digit_value(char ch)
{
    return (unsigned)(unsigned char)ch - '0';
}

static inline bool is_digit(char ch)
{
    return digit_value(ch) <= 9;
}

/* The value of a hex digit with SCAN_HEX set, 0 for any other byte: many can be tested by one
 * "and", without a branch that an address' random digits would mislead. */
enum { SCAN_HEX = 0x10 };
extern const uint8_t scan_hex_class[256];

static inline unsigned hex_class(char ch)
{
    return scan_hex_class[(unsigned char)ch];
}

/* The byte that two hex digits make. */
static inline uint8_t hex_byte(const char *p)
{
    return (uint8_t)((hex_class(p[0]) & 15) << 4 | (hex_class(p[1]) & 15));
}

static inline const char *scan_blanks(const char *p, const char *end)
{
    while (p && p < end && *p == ' ')
        p++;
    return p;
}

/* At least one digit, of any value. */
static inline const char *scan_digits(const char *p, const char *end)
{
    if (!p || p == end || !is_digit(*p))
        return NULL;
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* A decimal number up to `max`, as the kernel writes it: no sign, no leading zero. */
static inline const char *scan_number(const char *p, const char *end, uint32_t max, uint32_t *out)
{
    if (!p || p == end || !is_digit(*p))
        return NULL;
    const char *start = p;
    uint64_t value = digit_value(*p++);
    bool zero = value == 0;
    unsigned digit;
    while (p < end && (digit = digit_value(*p)) <= 9) {
        value = value * 10 + digit;
        p++;
    }
    bool leading_zero = zero && p - start > 1;
    if (value > max || p - start > 10 || leading_zero)
        return NULL;
    *out = (uint32_t)value;
    return p;
}

/* From `min` to `max` hex digits. */
static inline const char *scan_hex(const char *p, const char *end, int min, int max)
{
    int n = 0;
    while (p && n < max && p + n < end && hex_class(p[n]))
        n++;
    return p && n >= min ? p + n : NULL;
}

#endif
