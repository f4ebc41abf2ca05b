/* Reads ICMP errors from a socket's error queue, as Linux has it. */
#include "knock/icmp.h"

/* Types and codes of RFC 792, RFC 1122, RFC 1812 and RFC 4443. */
static enum icmp_kind kind_of_ip4(uint8_t type, uint8_t code)
{
    enum { UNREACHABLE = 3, TIME_EXCEEDED = 11 };
    static const enum icmp_kind codes[] = {
        [0] = ICMP_KIND_NO_ROUTE,   [1] = ICMP_KIND_NO_ROUTE,    [3] = ICMP_KIND_PORT,
        [4] = ICMP_KIND_TOO_BIG,    [6] = ICMP_KIND_NO_ROUTE,    [7] = ICMP_KIND_NO_ROUTE,
        [9] = ICMP_KIND_PROHIBITED, [10] = ICMP_KIND_PROHIBITED, [13] = ICMP_KIND_PROHIBITED,
    };
    if (type == TIME_EXCEEDED)
        return ICMP_KIND_EXPIRED;
    return type == UNREACHABLE && code < sizeof(codes) / sizeof(*codes) ? codes[code]
                                                                        : ICMP_KIND_OTHER;
}

static enum icmp_kind kind_of_ip6(uint8_t type, uint8_t code)
{
    enum { UNREACHABLE = 1, TOO_BIG = 2, TIME_EXCEEDED = 3 };
    static const enum icmp_kind codes[] = {
        [0] = ICMP_KIND_NO_ROUTE, [1] = ICMP_KIND_PROHIBITED, [3] = ICMP_KIND_NO_ROUTE,
        [4] = ICMP_KIND_PORT,     [5] = ICMP_KIND_PROHIBITED, [6] = ICMP_KIND_NO_ROUTE,
    };
    if (type == TOO_BIG)
        return ICMP_KIND_TOO_BIG;
    if (type == TIME_EXCEEDED)
        return ICMP_KIND_EXPIRED;
    return type == UNREACHABLE && code < sizeof(codes) / sizeof(*codes) ? codes[code]
                                                                        : ICMP_KIND_OTHER;
}

enum icmp_kind icmp_kind_of(uint8_t family, uint8_t type, uint8_t code)
{
    return family == 4 ? kind_of_ip4(type, code) : kind_of_ip6(type, code);
}

#ifdef __linux__

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>

static void set_listening(int fd, int family, int on)
{
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    else
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
}

void icmp_listen(int fd, int family)
{
    set_listening(fd, family, 1);
}

void icmp_ignore(int fd, int family)
{
    int error;
    socklen_t len = sizeof(error);
    set_listening(fd, family, 0);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len); /* which clears it */
}

static void copy_sender(const struct sockaddr *from, struct addr *out)
{
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    if (from->sa_family == AF_INET) {
        memcpy(&ip4, from, sizeof(ip4));
        out->family = 4;
        memcpy(out->bytes, &ip4.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        memcpy(&ip6, from, sizeof(ip6));
        out->family = 6;
        memcpy(out->bytes, &ip6.sin6_addr, 16);
    }
}

/* An error of the kernel's own, about a packet that never left, has no kind and no sender. */
static void read_error(struct sock_extended_err *error, struct icmp_error *out)
{
    bool ip4 = error->ee_origin == SO_EE_ORIGIN_ICMP, ip6 = error->ee_origin == SO_EE_ORIGIN_ICMP6;
    out->error = (int)error->ee_errno;
    if (!ip4 && !ip6)
        return;
    out->kind = icmp_kind_of(ip4 ? 4 : 6, error->ee_type, error->ee_code);
    copy_sender(SO_EE_OFFENDER(error), &out->sender);
}

bool icmp_receive(int fd, struct icmp_error *out)
{
    _Alignas(struct cmsghdr) char control[512];
    char packet[64];
    struct iovec data = {packet, sizeof(packet)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    *out = (struct icmp_error){.kind = ICMP_KIND_OTHER};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        bool error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                     (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
        if (error)
            read_error((struct sock_extended_err *)(void *)CMSG_DATA(part), out);
    }
    return true;
}

#else

void icmp_listen(int fd, int family)
{
    (void)fd;
    (void)family;
}

void icmp_ignore(int fd, int family)
{
    (void)fd;
    (void)family;
}

bool icmp_receive(int fd, struct icmp_error *out)
{
    (void)fd;
    (void)out;
    return false;
}

#endif
