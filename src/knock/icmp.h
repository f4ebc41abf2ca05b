/* ICMP errors about the packets that a socket sent, where the system keeps them. */
#ifndef KNOCK_ICMP_H
#define KNOCK_ICMP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

/* Why the packet wasn't delivered. */
enum icmp_kind {
    ICMP_KIND_OTHER,
    ICMP_KIND_NO_ROUTE,   /* no route, or nobody at the address */
    ICMP_KIND_PROHIBITED, /* a firewall forbids it */
    ICMP_KIND_PORT,       /* nothing listens at the port, or a firewall rejects it */
    ICMP_KIND_EXPIRED,    /* it passed too many routers */
    ICMP_KIND_TOO_BIG,    /* for a network on the way; the kernel sends smaller ones from then on */
};

struct icmp_error {
    enum icmp_kind kind;
    int error;          /* the errno that the kernel makes of it */
    struct addr sender; /* as its packet has it; family 0: not known */
};

/* The kind of the error with that type and code, of ICMP (`family` 4) or ICMPv6 (6). Pure. */
enum icmp_kind icmp_kind_of(uint8_t family, uint8_t type, uint8_t code);

/* Asks the kernel to keep ICMP errors about the socket `fd` of `family` (AF_INET, AF_INET6). Then
 * an error about one packet of a UDP socket makes the next one fail. */
void icmp_listen(int fd, int family);

/* Undoes that: what was kept is gone, and nothing that was received fails the next packet. */
void icmp_ignore(int fd, int family);

/* Takes the first error that was kept. False when there is none, as where the system doesn't keep
 * them: Linux does for TCP since 5.11. */
bool icmp_receive(int fd, struct icmp_error *out);

#endif
