/*
 * Steps through a text that need not be terminated. Every step takes where it stands and where the
 * text ends, and returns where it came to, or NULL when the text isn't what was asked for. NULL
 * passes through, so that a chain of steps is checked once, at its end.
 */
#ifndef LISTENER_SCAN_H
#define LISTENER_SCAN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/addr.h"

/* Reads a dotted quad; what follows it is for the caller to check. */
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

/* Steps over `text` if it is here, and returns whether it was. */
static inline bool scan_skip(const char **p, const char *end, const char *text, size_t n)
{
    const char *after = scan_text(*p, end, text, n);
    if (after)
        *p = after;
    return after;
}

#define SKIP(p, end, literal) scan_skip(p, end, "" literal, sizeof(literal) - 1)

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

/* Eight bytes, the first one lowest. */
static inline uint64_t scan_load8(const void *p)
{
    uint64_t bytes;
    memcpy(&bytes, p, sizeof(bytes));
    return le64toh(bytes);
}

/* What turns eight digits into their values. */
#define SCAN_ZEROS UINT64_C(0x3030303030303030)

/* Of eight values, a bit 0x80 for each that isn't below 10: for each that was no digit. */
static inline uint64_t scan_others(uint64_t values)
{
    const uint64_t high = 0x8080808080808080;
    return (((values & ~high) + 0x7676767676767676) | values) & high;
}

/* How many of the eight values are digits before the first other one, which there must be. */
static inline unsigned scan_count(uint64_t others)
{
    return (unsigned)__builtin_ctzll(others) / 8;
}

/* Sixteen bytes, to be looked at side by side, whatever the processor has for that. A comparison
 * makes 0xff of each that it is true of. */
typedef uint8_t scan_bytes __attribute__((vector_size(16)));

static inline scan_bytes scan_load16(const void *p)
{
    scan_bytes bytes;
    memcpy(&bytes, p, sizeof(bytes));
    return bytes;
}

/* Whether all are 0. */
static inline bool scan_none(scan_bytes bytes)
{
    uint64_t halves[2];
    memcpy(halves, &bytes, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

/* Digit by digit, for what may be long or near the end of the text. */
const char *scan_long_number(const char *p, const char *end, uint32_t max, uint32_t *out);

/* A decimal number up to `max`, as the kernel writes it: no sign, no leading zero. Eight digits are
 * taken at a time, without a branch that their number, which is random, would mislead. */
static inline const char *scan_number(const char *p, const char *end, uint32_t max, uint32_t *out)
{
    uint64_t values, others;
    if (!p || end - p < 8 || (others = scan_others(values = scan_load8(p) ^ SCAN_ZEROS)) == 0)
        return scan_long_number(p, end, max, out);
    unsigned digits = scan_count(others);
    bool leading_zero = digits > 1 && (values & 0xff) == 0;
    if (digits == 0 || leading_zero)
        return NULL;
    /* Zeros in front make them eight; then two become one, and four of those one number. */
    values <<= 64 - 8 * digits;
    values = values * 10 + (values >> 8);
    const uint64_t first_and_third = 0x000000ff000000ff;
    values = ((values & first_and_third) * ((UINT64_C(1000000) << 32) + 100) +
              ((values >> 16) & first_and_third) * ((UINT64_C(10000) << 32) + 1)) >>
             32;
    *out = (uint32_t)values;
    return values <= max ? p + digits : NULL;
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
