#include "knock/send.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

void knock_sender_open(struct knock_sender *sender, const struct source *source)
{
    sender->source = source;
    sender->next = 0;
    for (unsigned i = 0; i < STEPS_MAX; i++)
        sender->held[i] = -1;
}

void knock_sender_close(struct knock_sender *sender)
{
    for (unsigned i = 0; i < STEPS_MAX; i++)
        if (sender->held[i] >= 0)
            close(sender->held[i]);
}

static void hold(struct knock_sender *sender, int fd)
{
    int *slot = &sender->held[sender->next++ % STEPS_MAX];
    if (*slot >= 0)
        close(*slot);
    *slot = fd;
}

/* Until the packet is sent: the kernel counts on then as if there were no bind(). Where it can't,
 * it chooses a port at once, which will do as well. */
static void leave_port_open(int fd)
{
#ifdef IP_BIND_ADDRESS_NO_PORT
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
#else
    (void)fd;
#endif
}

/* The address is the source's. */
static int open_socket(const struct source *source, const struct knock_target *to, int type)
{
    int fd = source_socket(source, to, type);
    if (fd < 0 || source->own.length == 0)
        return fd;
    leave_port_open(fd);
    if (bind(fd, &source->own.address.any, source->own.length) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/*
 * Closed at once: an open socket would send its SYN again after a second, which is a knock too
 * many, or be connected. The kernel counts the source ports of TCP up, so the next one differs.
 */
static int send_tcp(const struct knock_sender *sender, const struct knock_target *to)
{
    int fd = open_socket(sender->source, to, SOCK_STREAM);
    if (fd < 0)
        return errno;
    int error = connect(fd, &to->address.any, to->length) < 0 ? errno : 0;
    close(fd);
    return error == EINPROGRESS || error == ECONNREFUSED ? 0 : error;
}

/* Unconnected: an ICMP answer to an earlier knock must not fail a later one. */
static int send_udp(struct knock_sender *sender, const struct knock_target *to)
{
    int fd = open_socket(sender->source, to, SOCK_DGRAM);
    if (fd < 0)
        return errno;
    int error = sendto(fd, "", 0, 0, &to->address.any, to->length) < 0 ? errno : 0;
    hold(sender, fd);
    return error;
}

int knock_send(struct knock_sender *sender, const struct knock_target *target,
               struct port_proto step)
{
    struct knock_target to = knock_target_at(target, step.port);
    return step.proto == IPPROTO_UDP ? send_udp(sender, &to) : send_tcp(sender, &to);
}

void knock_pause(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}
