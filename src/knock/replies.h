/*
 * The sockets that sent the packets of a knock, kept for what comes back for them. A TCP socket is
 * kept for a moment only, so that the server gets the one SYN; a connection is reset.
 */
#ifndef KNOCK_REPLIES_H
#define KNOCK_REPLIES_H

#include <poll.h>

#include "knock/answers.h"
#include "knock/target.h"

enum {
    REPLIES_MAX = 32, /* sockets: the longest sequence */
    /* ms that a TCP socket is kept: the kernel sends the SYN again after 1000. */
    REPLIES_TCP_MS = 250,
};

struct replies {
    bool listens;
    struct addr target;
    struct answers answers;
    struct pollfd sockets[REPLIES_MAX];
    int64_t until[REPLIES_MAX]; /* when each is to be closed */
    unsigned count;
};

/* `target`: where the packets go. `listens`: false to read nothing that comes back, and so keep no
 * TCP socket. The caller calls replies_close(). */
void replies_open(struct replies *replies, const struct knock_target *target, bool listens);

/*
 * Sends a SYN to `to` from `fd`, a non-blocking TCP socket, which it takes over. Returns 0, or the
 * errno of a SYN that didn't leave this machine.
 */
int replies_send_syn(struct replies *replies, int fd, const struct knock_target *to);

/* Has the system keep what comes back to a new socket, unless nothing is to be read. */
void replies_listen(const struct replies *replies, int fd);

/*
 * Sends a datagram from the UDP socket `fd` like sendto(), but no ICMP error about an earlier one
 * fails it. Returns 0 or the errno of one that didn't leave this machine.
 */
int replies_send_udp(struct replies *replies, int fd, const struct knock_target *to,
                     const void *bytes, size_t len);

/* Takes over a UDP socket that has sent. Kept as long as there is room, so that the kernel can't
 * give its port again. */
void replies_keep(struct replies *replies, int fd);

/* Reads what came back to a UDP socket that stays the caller's. */
void replies_read(struct replies *replies, int fd);

/* Reads what came back to all that are kept, and closes those whose time is over. To be called
 * REPLIES_TCP_MS after each SYN, some hundred ms later at most. */
void replies_collect(struct replies *replies);

/* The same, but closes all. replies->answers stays. */
void replies_close(struct replies *replies);

#endif
