/* Steps through numbers and addresses in a text. */
#include "listener/scan.h"

/* Bytes of the kernel's form of an IPv6 address: eight groups of four digits. */
enum { GROUPS_TEXT = 39 };

const uint8_t scan_hex_class[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
    ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1a, ['b'] = 0x1b,
    ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f, ['A'] = 0x1a, ['B'] = 0x1b,
    ['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e, ['F'] = 0x1f,
};

struct scan_value scan_long_number(const char *p, const char *end, uint32_t max)
{
    const struct scan_value none = {NULL, 0};
    if (!p || p == end || !is_digit(*p))
        return none;
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
        return none;
    return (struct scan_value){p, value};
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

const char *scan_address6(const char *p, const char *end, struct addr *out)
{
    out->family = 6;
    const char *after = groups(p, end, out->bytes);
    if (scan_at_blank(after, end))
        return after;
    size_t most = (size_t)(end - p) < ADDR_TEXT_SIZE ? (size_t)(end - p) : ADDR_TEXT_SIZE;
    after = memchr(p, ' ', most);
    return after && addr_parse(p, (size_t)(after - p), out) ? after : NULL;
}
