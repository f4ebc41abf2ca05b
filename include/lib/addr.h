/* IPv4 and IPv6 addresses as values, and networks of them. Nothing here resolves a name. */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest text of an address with its NUL: eight groups of four hex digits (INET6_ADDRSTRLEN). */
enum { ADDR_TEXT_SIZE = 46 };

/* An address: family 4 or 6 (0: none), bytes in network order, unused ones zero. */
struct addr {
    uint8_t family;
    uint8_t bytes[16];
};

/* A network: the address with its host bits zero, and how many leading bits count. */
struct net {
    struct addr addr;
    uint8_t bits;
};

/* Reads the `len` bytes at `text` as one whole address. False, and *out untouched, on anything
 * else. */
bool addr_parse(const char *text, size_t len, struct addr *out);

/* Writes the canonical text (RFC 5952) of `a` to `out` and returns it; "-" when there is none. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_SIZE]);

bool addr_equal(const struct addr *a, const struct addr *b);

/* Multicast of either family, or the IPv4 limited broadcast: nobody that a door could open for. */
bool addr_is_group(const struct addr *a);

/* ::ffff:0:0/96, an IPv4 address written as IPv6 (RFC 4291, 2.5.5.2): never on a wire. */
bool addr_is_mapped(const struct addr *a);

/* 0.0.0.0 or ::, the address of a host that has none yet. */
bool addr_is_unspecified(const struct addr *a);

/*
 * Reads "address" or "address/bits". False when it isn't one, or when host bits are set: a typing
 * mistake there would silently admit a whole network that nobody meant.
 */
bool net_parse(const char *text, struct net *out);

bool net_contains(const struct net *net, const struct addr *a);

#endif
