/*
 * How far an address means anything, from the registries of special-purpose addresses (RFC 6890,
 * and IANA's iana-ipv4-special-registry, iana-ipv6-special-registry since). Pure.
 */
#ifndef LIB_ADDR_SCOPE_H
#define LIB_ADDR_SCOPE_H

#include "lib/addr.h"

/* Each can be reached only from its own scope or a smaller one. */
enum addr_scope {
    ADDR_SCOPE_NONE, /* no host sends from it: unspecified, multicast, reserved, mapped ... */
    ADDR_SCOPE_HOST, /* loopback */
    ADDR_SCOPE_LINK,
    ADDR_SCOPE_SITE,   /* private networks */
    ADDR_SCOPE_SHARED, /* a provider's, in front of its translator */
    ADDR_SCOPE_WORLD,
};

/*
 * The scope of `a`. One that holds an IPv4 address (NAT64, 6to4, Teredo) is WORLD where that is,
 * else NONE: no packet finds its way back to it. Addresses of documentation count as WORLD, for
 * examples and tests use them as such.
 */
enum addr_scope addr_scope(const struct addr *a);

#endif
