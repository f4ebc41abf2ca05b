#include "knock/send.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

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

int knock_send(const struct source *source, const struct knock_target *target,
               struct port_proto step, struct replies *replies)
{
    struct knock_target to = knock_target_at(target, step.port);
    bool udp = step.proto == IPPROTO_UDP;
    int fd = open_socket(source, &to, udp ? SOCK_DGRAM : SOCK_STREAM);
    if (fd < 0)
        return errno;
    /* The kernel counts the source ports of TCP up, so the next one differs. */
    if (!udp)
        return replies_send_syn(replies, fd, &to);
    replies_listen(replies, fd);
    int error = replies_send_udp(replies, fd, &to, "", 0);
    replies_keep(replies, fd);
    return error;
}

void knock_pause(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}
