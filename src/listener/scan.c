/* Steps through numbers and addresses in a text. */
#include "listener/scan.h"

#include <arpa/inet.h>

/* Bytes of the kernel's form of an IPv6 address: eight groups of four digits. */
enum { GROUPS_TEXT = 39 };

const uint8_t scan_hex_class[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
    ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1a, ['b'] = 0x1b,
    ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f, ['A'] = 0x1a, ['B'] = 0x1b,
    ['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e, ['F'] = 0x1f,
};

const char *scan_long_number(const char *p, const char *end, uint32_t max, uint32_t *out)
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

/* One to three digits without a leading zero, up to 255, shifted into *quad. The text goes on: its
 * digits end before its end. */
static inline const char *octet(const char *p, uint32_t *quad)
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

static inline const char *dot(const char *p)
{
    return p && *p == '.' ? p + 1 : NULL;
}

const char *scan_quad(const char *p, const char *end, uint8_t out[4])
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
    at = octet(at, &quad);
    at = octet(dot(at), &quad);
    at = octet(dot(at), &quad);
    at = octet(dot(at), &quad);
    quad = htonl(quad);
    memcpy(out, &quad, sizeof(quad));
    return at ? p + (at - start) : NULL;
}

/* Returns NULL for any other form: only the kernel writes this one, and it writes no other. */
static const char *groups(const char *p, const char *end, uint8_t out[16])
{
    if (end - p < GROUPS_TEXT || p[4] != ':')
        return NULL;
    unsigned digits = SCAN_HEX, colons = 0;
    for (int i = 0; i < 8; i++, p += 5) {
        digits &= hex_class(p[0]) & hex_class(p[1]) & hex_class(p[2]) & hex_class(p[3]);
        colons |= i < 7 ? (unsigned)(p[4] ^ ':') : 0;
        out[2 * i] = hex_byte(p);
        out[2 * i + 1] = hex_byte(p + 2);
    }
    return digits && !colons ? p - 1 : NULL;
}

static bool at_blank(const char *p, const char *end)
{
    return p && p < end && *p == ' ';
}

const char *scan_address(const char *p, const char *end, struct addr *out)
{
    if (!p)
        return NULL;
    /* Written in place: a copy of what was just written in pieces would wait for the pieces. */
    *out = (struct addr){.family = 4};
    const char *after = scan_quad(p, end, out->bytes);
    if (at_blank(after, end))
        return after;
    out->family = 6;
    after = groups(p, end, out->bytes);
    if (at_blank(after, end))
        return after;
    size_t most = (size_t)(end - p) < ADDR_TEXT_SIZE ? (size_t)(end - p) : ADDR_TEXT_SIZE;
    after = memchr(p, ' ', most);
    return after && addr_parse(p, (size_t)(after - p), out) ? after : NULL;
}
