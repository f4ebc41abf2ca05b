/* Looks an address up in the table of special-purpose networks. */
#include "lib/addr_scope.h"

#include <string.h>

enum { NO_IP4, IP4_AT_2 = 2, IP4_AT_12 = 12, IP4_INVERTED = 16 };

/* The first that contains an address decides. */
static const struct {
    const char *net;
    enum addr_scope scope;
    unsigned ip4; /* where it holds an IPv4 address, whose scope decides */
} networks[] = {
    {"0.0.0.0/8", ADDR_SCOPE_NONE, NO_IP4},       /* RFC 791: this network */
    {"10.0.0.0/8", ADDR_SCOPE_SITE, NO_IP4},      /* RFC 1918 */
    {"100.64.0.0/10", ADDR_SCOPE_SHARED, NO_IP4}, /* RFC 6598 */
    {"127.0.0.0/8", ADDR_SCOPE_HOST, NO_IP4},     /* RFC 1122 */
    {"169.254.0.0/16", ADDR_SCOPE_LINK, NO_IP4},  /* RFC 3927 */
    {"172.16.0.0/12", ADDR_SCOPE_SITE, NO_IP4},   /* RFC 1918 */
    {"192.0.0.0/24", ADDR_SCOPE_SITE, NO_IP4},    /* RFC 7335: a host's own end of IPv4 over IPv6 */
    {"192.88.99.0/24", ADDR_SCOPE_NONE, NO_IP4},  /* RFC 7526: 6to4's anycast, no host's */
    {"192.168.0.0/16", ADDR_SCOPE_SITE, NO_IP4},  /* RFC 1918 */
    {"198.18.0.0/15", ADDR_SCOPE_SITE, NO_IP4},   /* RFC 2544, in use behind some tunnels */
    {"224.0.0.0/4", ADDR_SCOPE_NONE, NO_IP4},     /* RFC 5771: multicast */
    {"240.0.0.0/4", ADDR_SCOPE_NONE, NO_IP4},     /* RFC 1112, 919: reserved, broadcast */
    {"::1", ADDR_SCOPE_HOST, NO_IP4},             /* RFC 4291 */
    {"::/96", ADDR_SCOPE_NONE, NO_IP4},           /* RFC 4291: unspecified, IPv4-compatible */
    {"::ffff:0:0/96", ADDR_SCOPE_NONE, NO_IP4},   /* RFC 4291: IPv4-mapped, never on a wire */
    {"64:ff9b::/96", ADDR_SCOPE_WORLD, IP4_AT_12}, /* RFC 6052: translated */
    {"64:ff9b:1::/48", ADDR_SCOPE_SITE, NO_IP4},   /* RFC 8215: translated within a site */
    {"100::/64", ADDR_SCOPE_NONE, NO_IP4},         /* RFC 6666: discarded */
    {"2001::/32", ADDR_SCOPE_WORLD, IP4_INVERTED}, /* RFC 4380: Teredo */
    {"2001:2::/48", ADDR_SCOPE_SITE, NO_IP4},      /* RFC 5180: benchmarks */
    {"2001:10::/28", ADDR_SCOPE_NONE, NO_IP4},     /* RFC 4843: ORCHID, names of keys */
    {"2001:20::/28", ADDR_SCOPE_NONE, NO_IP4},     /* RFC 7343: ORCHIDv2 */
    {"2002::/16", ADDR_SCOPE_WORLD, IP4_AT_2},     /* RFC 3056: 6to4 */
    {"5f00::/16", ADDR_SCOPE_NONE, NO_IP4},        /* RFC 9602: segments of routes */
    {"fc00::/7", ADDR_SCOPE_SITE, NO_IP4},         /* RFC 4193 */
    {"fe80::/10", ADDR_SCOPE_LINK, NO_IP4},        /* RFC 4291 */
    {"fec0::/10", ADDR_SCOPE_NONE, NO_IP4},        /* RFC 3879: deprecated */
    {"ff00::/8", ADDR_SCOPE_NONE, NO_IP4},         /* RFC 4291: multicast */
};

enum { NETWORKS = sizeof(networks) / sizeof(*networks) };

/* The number of the first network that contains the address; NETWORKS: none. */
static size_t find_network(const struct addr *a)
{
    struct net net;
    size_t i = 0;
    while (i < NETWORKS && !(net_parse(networks[i].net, &net) && net_contains(&net, a)))
        i++;
    return i;
}

/* Of Teredo it is the client's, with all bits inverted. */
static struct addr held_ip4(const struct addr *a, unsigned ip4)
{
    struct addr held = {.family = 4};
    memcpy(held.bytes, a->bytes + (ip4 == IP4_INVERTED ? IP4_AT_12 : ip4), 4);
    for (int i = 0; ip4 == IP4_INVERTED && i < 4; i++)
        held.bytes[i] ^= 0xff;
    return held;
}

/* No network of IPv4 holds another address, so this looks once more at most. */
static enum addr_scope scope_of_held(const struct addr *a, unsigned ip4)
{
    struct addr held = held_ip4(a, ip4);
    size_t found = find_network(&held);
    bool world = found == NETWORKS || networks[found].scope == ADDR_SCOPE_WORLD;
    return world ? ADDR_SCOPE_WORLD : ADDR_SCOPE_NONE;
}

enum addr_scope addr_scope(const struct addr *a)
{
    if (a->family == 0)
        return ADDR_SCOPE_NONE;
    size_t found = find_network(a);
    if (found == NETWORKS)
        return ADDR_SCOPE_WORLD;
    return networks[found].ip4 != NO_IP4 ? scope_of_held(a, networks[found].ip4)
                                         : networks[found].scope;
}
