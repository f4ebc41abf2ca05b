/* Resolves the host, and writes it for the user. */
#include "knock/target.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "knock/output.h"

/* One socket type, or each address would come three times. */
static int look_up(const char *host, int family, int flags, struct addrinfo **list)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_flags = flags};
    return getaddrinfo(host, NULL, &hints, list);
}

static int use_first(const struct addrinfo *first, struct knock_target *out)
{
    if (first->ai_addrlen > sizeof(out->address))
        return EAI_FAMILY;
    memcpy(&out->address, first->ai_addr, first->ai_addrlen);
    out->length = first->ai_addrlen;
    return getnameinfo(&out->address.any, out->length, out->text, sizeof(out->text), NULL, 0,
                       NI_NUMERICHOST);
}

bool knock_target_resolve(const char *host, int family, struct knock_target *out, const char **why)
{
    struct knock_target target = {0};
    struct addrinfo *list = NULL;
    /* An address needs no resolver, and -v has to explain names alone. */
    int error = look_up(host, family, AI_NUMERICHOST, &list);
    if (error == EAI_NONAME) {
        target.named = true;
        error = look_up(host, family, 0, &list);
    }
    if (error == 0) {
        error = use_first(list, &target);
        freeaddrinfo(list);
    }
    if (error != 0) {
        *why = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
        return false;
    }
    *out = target;
    return true;
}

/* Such an answer comes from filters of names; the kernel would take it for this machine. */
static bool is_somewhere(const char *host, const struct knock_target *target)
{
    struct addr address = knock_target_addr(target);
    if (addr_is_mapped(&address)) {
        output_error("%s is an IPv4 address written as one of IPv6: give %s", target->text,
                     strrchr(target->text, ':') + 1);
        return false;
    }
    if (!addr_is_unspecified(&address))
        return true;
    if (target->named)
        output_error(
            "\"%s\" resolves to %s, which is no host's address: a DNS filter may block the name; "
            "give the server's address",
            host, target->text);
    else
        output_error("%s is no host's address: give the server's", target->text);
    return false;
}

bool knock_target_find(const char *host, int family, struct knock_target *out)
{
    const char *why;
    if (knock_target_resolve(host, family, out, &why))
        return is_somewhere(host, out);
    if (family == AF_UNSPEC)
        output_error("cannot resolve \"%s\": %s; check the name or give an address", host, why);
    else
        output_error("cannot resolve \"%s\" to an IPv%d address: %s; try by IPv%d", host,
                     family == AF_INET ? 4 : 6, why, family == AF_INET ? 6 : 4);
    return false;
}

const char *knock_target_point(const struct knock_target *target, struct port_proto step,
                               char out[KNOCK_POINT_SIZE])
{
    bool ip6 = target->address.any.sa_family == AF_INET6;
    snprintf(out, KNOCK_POINT_SIZE, ip6 ? "%s [%s]:%u" : "%s %s:%u", proto_name(step.proto),
             target->text, (unsigned)step.port);
    return out;
}

struct knock_target knock_target_at(const struct knock_target *target, uint16_t port)
{
    struct knock_target to = *target;
    if (to.address.any.sa_family == AF_INET6)
        to.address.ip6.sin6_port = htons(port);
    else
        to.address.ip4.sin_port = htons(port);
    return to;
}

struct addr knock_target_addr(const struct knock_target *target)
{
    struct addr addr = {.family = 4};
    if (target->address.any.sa_family == AF_INET6) {
        addr.family = 6;
        memcpy(addr.bytes, &target->address.ip6.sin6_addr, 16);
    } else {
        memcpy(addr.bytes, &target->address.ip4.sin_addr, 4);
    }
    return addr;
}

const char *knock_target_advice(const struct knock_target *target, int error)
{
    bool ip6 = target->address.any.sa_family == AF_INET6;
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EAFNOSUPPORT:
        return ip6 ? "check this machine's IPv6 routes, or try -4"
                   : "check this machine's IPv4 routes, or try -6";
    case EPERM:
        return "a firewall rule of this machine drops it; see its OUTPUT chain";
    case EACCES:
        return "a broadcast address, or a route or rule of this machine forbids it";
    case EADDRNOTAVAIL:
        return "this machine has no address or no free port to send from";
    case EINVAL:
        if (ip6 && IN6_IS_ADDR_LINKLOCAL(&target->address.ip6.sin6_addr))
            return "a link-local address needs its interface, like fe80::1%eth0";
        return NULL;
    default:
        return NULL;
    }
}
