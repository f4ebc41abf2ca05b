/* Parses, formats and compares addresses and networks. */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Dotted quads are nearly every address of a log, so they don't go through inet_pton. */
static bool parse_ip4(const char *text, size_t len, uint8_t out[4])
{
    const char *p = text, *end = text + len;
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (p == end || *p++ != '.'))
            return false;
        unsigned value = 0;
        const char *start = p;
        while (p < end && *p >= '0' && *p <= '9' && p - start < 3)
            value = value * 10 + (unsigned)(*p++ - '0');
        bool leading_zero = p - start > 1 && *start == '0';
        if (p == start || value > 255 || leading_zero)
            return false;
        out[i] = (uint8_t)value;
    }
    return p == end;
}

bool addr_parse(const char *text, size_t len, struct addr *out)
{
    struct addr a = {0};
    if (parse_ip4(text, len, a.bytes)) {
        a.family = 4;
    } else {
        char copy[ADDR_TEXT_SIZE];
        if (len >= sizeof(copy) || memchr(text, '\0', len))
            return false;
        memcpy(copy, text, len);
        copy[len] = '\0';
        if (inet_pton(AF_INET6, copy, a.bytes) != 1)
            return false;
        a.family = 6;
    }
    *out = a;
    return true;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_SIZE])
{
    int family = a->family == 4 ? AF_INET : AF_INET6;
    if (a->family == 0 || !inet_ntop(family, a->bytes, out, ADDR_TEXT_SIZE))
        memcpy(out, "-", 2);
    return out;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool addr_is_group(const struct addr *a)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    if (a->family == 4)
        return (a->bytes[0] & 0xf0) == 0xe0 || memcmp(a->bytes, broadcast, 4) == 0;
    return a->family == 6 && a->bytes[0] == 0xff;
}

bool addr_is_mapped(const struct addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return a->family == 6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

bool addr_is_unspecified(const struct addr *a)
{
    static const uint8_t zeros[16];
    return memcmp(a->bytes, zeros, sizeof(zeros)) == 0;
}

/* The byte `i` of a mask of `bits` leading ones. */
static uint8_t mask_byte(unsigned bits, unsigned i)
{
    if (bits >= 8 * (i + 1))
        return 0xff;
    return bits <= 8 * i ? 0 : (uint8_t)(0xff00u >> (bits - 8 * i));
}

static bool parse_bits(const char *text, unsigned max, uint8_t *out)
{
    if (*text < '0' || *text > '9' || strlen(text) > 3)
        return false;
    char *end;
    unsigned long bits = strtoul(text, &end, 10);
    if (*end != '\0' || bits > max)
        return false;
    *out = (uint8_t)bits;
    return true;
}

bool net_parse(const char *text, struct net *out)
{
    struct net net;
    size_t len = strcspn(text, "/");
    if (!addr_parse(text, len, &net.addr))
        return false;
    unsigned max = net.addr.family == 4 ? 32 : 128;
    net.bits = (uint8_t)max;
    if (text[len] == '/' && !parse_bits(text + len + 1, max, &net.bits))
        return false;
    for (unsigned i = 0; i < max / 8; i++)
        if (net.addr.bytes[i] & ~mask_byte(net.bits, i))
            return false;
    *out = net;
    return true;
}

bool net_contains(const struct net *net, const struct addr *a)
{
    if (net->addr.family != a->family)
        return false;
    for (unsigned i = 0; i < sizeof(a->bytes) && 8 * i < net->bits; i++)
        if ((a->bytes[i] & mask_byte(net->bits, i)) != net->addr.bytes[i])
            return false;
    return true;
}
