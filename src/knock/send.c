/* A socket for each packet of a sequence. */
#include "knock/send.h"

#include <errno.h>
#include <time.h>

int knock_send(const struct source *source, const struct knock_target *target,
               struct port_proto step, struct replies *replies)
{
    struct knock_target to = knock_target_at(target, step.port);
    bool udp = step.proto == IPPROTO_UDP;
    int fd = source_bound_socket(source, &to, udp ? SOCK_DGRAM : SOCK_STREAM);
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
