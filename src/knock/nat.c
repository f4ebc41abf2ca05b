#include "knock/nat.h"

#include <stddef.h>

/* How far an address means anything: each can be reached only from its own scope or a smaller. */
enum scope { HOST, LINK, SITE, SHARED, WORLD };

/* From the registries of special-purpose addresses (RFC 6890). */
static const struct {
    const char *net;
    enum scope scope;
} scopes[] = {
    {"127.0.0.0/8", HOST},     {"::1", HOST},
    {"169.254.0.0/16", LINK},  {"fe80::/10", LINK},
    {"10.0.0.0/8", SITE}, /* RFC 1918 */
    {"172.16.0.0/12", SITE},   {"192.168.0.0/16", SITE},
    {"fc00::/7", SITE},        /* RFC 4193 */
    {"192.0.0.0/24", SITE},    /* RFC 7335: a host's own end of IPv4 over IPv6 */
    {"198.18.0.0/15", SITE},   /* RFC 2544, in use behind some tunnels */
    {"100.64.0.0/10", SHARED}, /* RFC 6598: a provider's, in front of its translator */
};

/* IPv4 addresses as hosts without IPv4 see them (RFC 6052, RFC 8215). */
static const char *const translated[] = {"64:ff9b::/96", "64:ff9b:1::/48"};

static bool within(const char *text, const struct addr *a)
{
    struct net net;
    return net_parse(text, &net) && net_contains(&net, a);
}

static enum scope scope_of(const struct addr *a)
{
    for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++)
        if (within(scopes[i].net, a))
            return scopes[i].scope;
    return WORLD;
}

bool nat_between(const struct addr *own, const struct addr *target)
{
    for (size_t i = 0; i < sizeof(translated) / sizeof(*translated); i++)
        if (within(translated[i], target))
            return true;
    return scope_of(own) < scope_of(target);
}
