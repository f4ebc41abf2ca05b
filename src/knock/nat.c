/* Compares the scopes of two addresses, and knows those that translators to IPv4 use. */
#include "knock/nat.h"

#include <stddef.h>

#include "lib/addr_scope.h"

/* IPv4 addresses as hosts without IPv4 see them (RFC 6052, RFC 8215). */
static const char *const translated[] = {"64:ff9b::/96", "64:ff9b:1::/48"};

static bool within(const char *text, const struct addr *a)
{
    struct net net;
    return net_parse(text, &net) && net_contains(&net, a);
}

static bool is_translated(const struct addr *target)
{
    for (size_t i = 0; i < sizeof(translated) / sizeof(*translated); i++)
        if (within(translated[i], target))
            return true;
    return false;
}

uint8_t nat_seen_family(const struct addr *target)
{
    return is_translated(target) ? 4 : target->family;
}

bool nat_between(const struct addr *own, const struct addr *target)
{
    return is_translated(target) || addr_scope(own) < addr_scope(target);
}
