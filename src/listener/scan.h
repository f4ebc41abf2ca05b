/*
 * Steps through a text that need not be terminated. Every step takes where it stands and where the
 * text ends, and returns where it came to, or NULL when the text isn't what was asked for. NULL
 * passes through, so that a chain of steps is checked once, at its end.
 */
#ifndef LISTENER_SCAN_H
#define LISTENER_SCAN_H

#include <arpa/inet.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/addr.h"

/* What every line needs is part of what needs it, and what few need stays a function, so that the
 * way of most is short: a call with what it saves costs 1 % of the time that a line takes. */
#define SCAN_OFTEN __attribute__((always_inline)) static inline
#define SCAN_RARE  __attribute__((noinline)) static

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

/* Of eight values, a bit 0x80 for the first that isn't below 10: that was no digit. The bits of
 * those behind it tell nothing. */
static inline uint64_t scan_others(uint64_t values)
{
    return ((values + 0x7676767676767676) | values) & 0x8080808080808080;
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

/* Where a number ends, and its value; NULL: there is none. */
struct scan_value {
    const char *behind;
    uint64_t value;
};

/* Digit by digit, for what may be long or near the end of the text. By value, so that nothing of
 * the caller's has to be in memory. */
struct scan_value scan_long_number(const char *p, const char *end, uint32_t max);

/* The seven digits of `n`, to be compared with those of a number. */
SCAN_OFTEN uint64_t scan_decimal(uint64_t n)
{
    return n % 10 | n / 10 % 10 << 8 | n / 100 % 10 << 16 | n / 1000 % 10 << 24 |
           n / 10000 % 10 << 32 | n / 100000 % 10 << 40 | n / 1000000 % 10 << 48;
}

/* The number that eight digits make, the first one lowest: two become one, and four of those one
 * number. */
static inline uint32_t scan_join(uint64_t values)
{
    const uint64_t first_and_third = 0x000000ff000000ff;
    values = values * 10 + (values >> 8);
    return (uint32_t)(((values & first_and_third) * ((UINT64_C(1000000) << 32) + 100) +
                       ((values >> 16) & first_and_third) * ((UINT64_C(10000) << 32) + 1)) >>
                      32);
}

/* A decimal number up to `max`, as the kernel writes it: no sign, no leading zero. Eight digits are
 * taken at a time, without a branch that their number, which is random, would mislead. The digits
 * are compared, so that a number that is ignored needn't be made of them. *out is unspecified when
 * there is none. */
SCAN_OFTEN const char *scan_number(const char *p, const char *end, uint32_t max, uint32_t *out)
{
    uint64_t values, others;
    if (!p || end - p < 8 || (others = scan_others(values = scan_load8(p) ^ SCAN_ZEROS)) == 0) {
        struct scan_value found = scan_long_number(p, end, max);
        *out = (uint32_t)found.value;
        return found.behind;
    }
    unsigned digits = scan_count(others);
    bool leading_zero = digits > 1 && (values & 0xff) == 0;
    if (digits == 0 || leading_zero)
        return NULL;
    /* Zeros in front make them eight. */
    values <<= 64 - 8 * digits;
    if (max <= 9999999 && __builtin_bswap64(values) > scan_decimal(max))
        return NULL;
    *out = scan_join(values);
    return p + digits;
}

/* From `min` to `max` hex digits. */
static inline const char *scan_hex(const char *p, const char *end, int min, int max)
{
    int n = 0;
    while (p && n < max && p + n < end && hex_class(p[n]))
        n++;
    return p && n >= min ? p + n : NULL;
}

/* One to three digits without a leading zero, up to 255, shifted into *quad. The text goes on: its
 * digits end before its end. */
static inline const char *scan_octet(const char *p, uint32_t *quad)
{
    unsigned value, digit;
    if (!p || (value = digit_value(*p++)) > 9)
        return NULL;
    if ((digit = digit_value(*p)) <= 9) {
        if (value == 0)
            return NULL;
        value = value * 10 + digit;
        p++;
        if ((digit = digit_value(*p)) <= 9) {
            value = value * 10 + digit;
            p++;
        }
    }
    *quad = *quad << 8 | value;
    return value <= 255 ? p : NULL;
}

static inline const char *scan_dot(const char *p)
{
    return p && *p == '.' ? p + 1 : NULL;
}

/* Reads a dotted quad; what follows it is for the caller to check. A call across files would cost
 * 3 % of the time that a log takes. */
SCAN_OFTEN const char *scan_quad(const char *p, const char *end, uint8_t out[4])
{
    enum { ROOM = 16 }; /* the longest quad and what ends it */
    char copy[ROOM] = {0};
    const char *at = p;
    if (!p)
        return NULL;
    /* Near the end of the text it is read from a copy, so that no digit has to look for the end. */
    if (end - p < ROOM)
        at = memcpy(copy, p, (size_t)(end - p));
    const char *start = at;
    uint32_t quad = 0;
    at = scan_octet(at, &quad);
    at = scan_octet(scan_dot(at), &quad);
    at = scan_octet(scan_dot(at), &quad);
    at = scan_octet(scan_dot(at), &quad);
    quad = htonl(quad);
    memcpy(out, &quad, sizeof(quad));
    return at ? p + (at - start) : NULL;
}

/* Whether a blank is here. */
static inline bool scan_at_blank(const char *p, const char *end)
{
    return p && p < end && *p == ' ';
}

/* The same as scan_address, for any other form than a dotted quad. */
const char *scan_address6(const char *p, const char *end, struct addr *out);

/* Reads an address of either family, which must end in a blank: the token as a whole counts. *out
 * is unspecified when it isn't one. */
SCAN_OFTEN const char *scan_address(const char *p, const char *end, struct addr *out)
{
    if (!p)
        return NULL;
    /* Written in place: a copy of what was just written in pieces would wait for the pieces. */
    *out = (struct addr){.family = 4};
    const char *after = scan_quad(p, end, out->bytes);
    return scan_at_blank(after, end) ? after : scan_address6(p, end, out);
}

#endif
