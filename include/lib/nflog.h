/*
 * Packets that a firewall rule hands to a group of NFLOG (linux/netfilter/nfnetlink_log.h): opening
 * the group, and reading what the kernel sends. The only header that stands for libnetfilter_log
 * and libmnl; a build without them has nflog_absent.c.
 */
#ifndef LIB_NFLOG_H
#define LIB_NFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of each packet that the kernel copies: all headers, and a sealed knock. */
enum { NFLOG_COPIED = 256 };

/* Room for one datagram of a group: a packet with its attributes, or an error's. */
enum { NFLOG_DATAGRAM = 8192 };

/* Whether this build can open groups. */
bool nflog_is_built(void);

/*
 * Binds `group`, which only one socket at a time may, and returns the socket, non-blocking and
 * closed on exec; the caller owns it. It takes CAP_NET_ADMIN in the network's user namespace. -1
 * and errno; EBUSY: another socket has the group; EPERM: the capability lacks; ENOSYS: not built.
 */
int nflog_group_open(unsigned group);

/* One packet. Pointers are into the datagram. */
struct nflog_packet {
    const char *prefix; /* of the rule, not terminated */
    size_t prefix_len;
    uint32_t in;       /* index of the interface that it came by; 0: none, the host's own */
    uint32_t sequence; /* its number among all packets of the group */
    bool has_sequence;
    bool link_group;      /* the link layer sent it to a group: broadcast or multicast */
    const uint8_t *bytes; /* from the IP header on; NULL: none came */
    size_t len;
};

/*
 * Reads the message of a datagram of `len` bytes at *at, which begins at 0, and moves *at behind
 * it. False: there is no further one, or it isn't one of the kernel's. A message that isn't about a
 * packet is skipped.
 */
bool nflog_next(const uint8_t *datagram, size_t len, size_t *at, struct nflog_packet *out);

#endif
