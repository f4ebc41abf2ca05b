/* Whom to knock at: one address, found once, so that every knock goes to the same machine. */
#ifndef KNOCK_TARGET_H
#define KNOCK_TARGET_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "lib/addr.h"
#include "lib/sequence.h"

/* An address with its zone ("fe80::1%eth0"), and a line "tcp [address]:65535" of it. */
enum {
    KNOCK_HOST_SIZE = ADDR_TEXT_SIZE + 1 + IF_NAMESIZE,
    KNOCK_POINT_SIZE = KNOCK_HOST_SIZE + 16,
};

struct knock_target {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } address; /* port 0 */
    socklen_t length;
    char text[KNOCK_HOST_SIZE]; /* numeric */
    bool named;                 /* found by a name, not written as an address */
};

/*
 * Finds the address of `host`, a name or an address of `family` (AF_INET, AF_INET6, AF_UNSPEC); of
 * several the first that getaddrinfo(3) gives. On error returns false and points *why to the
 * reason.
 */
bool knock_target_resolve(const char *host, int family, struct knock_target *out, const char **why);

/* The same, and reports why it isn't found, and what to do. */
bool knock_target_find(const char *host, int family, struct knock_target *out);

/* Writes "tcp 192.0.2.1:7000" or "udp [2001:db8::1]:7000" to `out` and returns it. */
const char *knock_target_point(const struct knock_target *target, struct port_proto step,
                               char out[KNOCK_POINT_SIZE]);

/* The same machine at `port`, for connect() and the like. */
struct knock_target knock_target_at(const struct knock_target *target, uint16_t port);

/* The address alone, without its zone. */
struct addr knock_target_addr(const struct knock_target *target);

/* What to do about `error`, an errno of sending packets to `target`, as a phrase; NULL when that
 * isn't known. */
const char *knock_target_advice(const struct knock_target *target, int error);

#endif
