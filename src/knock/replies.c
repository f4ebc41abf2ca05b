/* A socket comes here when it has sent, is read when something came back, and is closed in time. */
#include "knock/replies.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

#define KEPT INT64_MAX

static int family_of(const struct replies *replies)
{
    return replies->target.family == 6 ? AF_INET6 : AF_INET;
}

void replies_open(struct replies *replies, const struct knock_target *target, bool listens)
{
    replies->listens = listens;
    replies->target = knock_target_addr(target);
    replies->answers = (struct answers){0};
    replies->count = 0;
}

static void drop(struct replies *replies, unsigned i)
{
    close(replies->sockets[i].fd);
    replies->count--;
    memmove(&replies->sockets[i], &replies->sockets[i + 1],
            (replies->count - i) * sizeof(replies->sockets[0]));
    memmove(&replies->until[i], &replies->until[i + 1],
            (replies->count - i) * sizeof(replies->until[0]));
}

/* The oldest makes room. */
static void add(struct replies *replies, int fd, int64_t until)
{
    short events = until == KEPT ? 0 : POLLOUT;
    if (replies->count == REPLIES_MAX)
        drop(replies, 0);
    replies->sockets[replies->count] = (struct pollfd){.fd = fd, .events = events};
    replies->until[replies->count++] = until;
}

/* Should a service answer the SYN, its connection is reset: a regular end would keep the ports from
 * being used by the next round. */
static void set_reset(int fd)
{
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

int replies_send_syn(struct replies *replies, int fd, const struct knock_target *to)
{
    set_reset(fd);
    replies_listen(replies, fd);
    int error = connect(fd, &to->address.any, to->length) < 0 ? errno : 0;
    if (error == ECONNREFUSED)
        answers_add(&replies->answers, error);
    if (error == EINPROGRESS && replies->listens)
        add(replies, fd, clock_now() + REPLIES_TCP_MS * (CLOCK_SECOND / 1000));
    else
        close(fd); /* or the kernel would send the SYN again */
    return error == EINPROGRESS || error == ECONNREFUSED ? 0 : error;
}

void replies_listen(const struct replies *replies, int fd)
{
    if (replies->listens)
        icmp_listen(fd, family_of(replies));
}

int replies_send_udp(struct replies *replies, int fd, const struct knock_target *to,
                     const void *bytes, size_t len)
{
    if (sendto(fd, bytes, len, 0, &to->address.any, to->length) >= 0)
        return 0;
    if (!replies->listens)
        return errno;
    /* Nothing was sent: an ICMP error may be why, and none can be while they are ignored. */
    replies_read(replies, fd);
    icmp_ignore(fd, family_of(replies));
    int error = sendto(fd, bytes, len, 0, &to->address.any, to->length) < 0 ? errno : 0;
    icmp_listen(fd, family_of(replies));
    return error;
}

void replies_keep(struct replies *replies, int fd)
{
    add(replies, fd, KEPT);
}

void replies_read(struct replies *replies, int fd)
{
    if (replies->listens)
        answers_read(&replies->answers, fd, &replies->target);
}

void replies_collect(struct replies *replies)
{
    int64_t now = clock_now();
    poll(replies->sockets, replies->count, 0);
    for (unsigned i = replies->count; i-- > 0;) {
        if (replies->sockets[i].revents)
            replies_read(replies, replies->sockets[i].fd);
        if (now >= replies->until[i] || (replies->sockets[i].revents & POLLOUT))
            drop(replies, i);
    }
}

void replies_close(struct replies *replies)
{
    replies_collect(replies);
    while (replies->count > 0)
        drop(replies, replies->count - 1);
}
