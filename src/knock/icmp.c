#include "knock/icmp.h"

#ifdef __linux__

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>

void icmp_listen(int fd, int family)
{
    const int on = 1;
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    else
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
}

static void take(struct sock_extended_err *error, struct addr *teller)
{
    const struct sockaddr *from = SO_EE_OFFENDER(error);
    if (error->ee_origin == SO_EE_ORIGIN_ICMP && from->sa_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, from, sizeof(ip4));
        *teller = (struct addr){.family = 4};
        memcpy(teller->bytes, &ip4.sin_addr, 4);
    } else if (error->ee_origin == SO_EE_ORIGIN_ICMP6 && from->sa_family == AF_INET6) {
        struct sockaddr_in6 ip6;
        memcpy(&ip6, from, sizeof(ip6));
        *teller = (struct addr){.family = 6};
        memcpy(teller->bytes, &ip6.sin6_addr, 16);
    }
}

void icmp_take(int fd, struct addr *teller)
{
    _Alignas(struct cmsghdr) char control[512];
    char packet[64];
    struct iovec data = {packet, sizeof(packet)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        bool error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                     (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
        if (error)
            take((struct sock_extended_err *)(void *)CMSG_DATA(part), teller);
    }
}

#else

void icmp_listen(int fd, int family)
{
    (void)fd;
    (void)family;
}

void icmp_take(int fd, struct addr *teller)
{
    (void)fd;
    (void)teller;
}

#endif
