/* Opens the sockets of captures. */
#include "keeper/packet_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/capture.h"
#include "lib/receive_buffer.h"

/* The families of a capture's sockets, and their protocols. Bound to one of these and to no
 * interface, a socket hears what comes in by any, also by one that comes later, once, under the
 * name that the firewall has for it; and nothing that goes out. The one of IPv6 is read first:
 * who knocks by both families at once begins with it (RFC 6724), and the second message of a key is
 * later than the first, which would be refused behind it. */
static const struct {
    int family;
    uint16_t protocol;
} captured[PACKET_SOCKETS] = {{6, ETH_P_IPV6}, {4, ETH_P_IP}};

/* So much may wait for the listener. */
enum { RECEIVE_BUFFER = 4 << 20 };

/* Gives the socket its filter for good, and has it tell how long a packet is of which it copies
 * less. */
static int confine(int fd, const struct capture_filter *filter)
{
    unsigned count;
    struct sock_fprog program = {
        .filter = (struct sock_filter *)(uintptr_t)capture_filter_program(filter, &count)};
    program.len = (unsigned short)count;
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0 ||
        receive_buffer_set(fd, RECEIVE_BUFFER) < 0)
        return -1;
    return setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on));
}

static const char *capture_reason(int error)
{
    static char text[160];
    if (error == EPERM || error == EACCES)
        return geteuid() == 0
                   ? "it takes the capability CAP_NET_RAW, which root lacks here: allow it in the "
                     "unit (CapabilityBoundingSet=), or to the container"
                   : "it takes the capability CAP_NET_RAW: run knockd as root";
    if (error == EAFNOSUPPORT)
        return "packet sockets aren't permitted here: this kernel has none (CONFIG_PACKET), or the "
               "unit forbids them (RestrictAddressFamilies= without AF_PACKET)";
    snprintf(text, sizeof(text), "%s", strerror(error));
    return text;
}

static void warn_widened(const struct config_source *source, unsigned widened,
                         struct report *report)
{
    if (widened > 0)
        report_warning(
            report, source->pos,
            "source \"%s\": the doors open and ignore so many ports that the kernel can't "
            "leave out all of them: packets to %u of those ports will reach the listener",
            source->name, widened);
}

void packet_sockets_check(const struct capture_ports *ports, const struct config_source *source,
                          struct report *report)
{
    char why[256];
    struct capture_filter *filter = capture_filter_new(ports, captured[0].family, why, sizeof(why));
    if (filter)
        warn_widened(source, capture_filter_widened(filter), report);
    else
        report_error(report, source->pos, "source \"%s\": can't hear packets: %s", source->name,
                     why);
    capture_filter_free(filter);
}

/* Made with protocol 0 it hears nothing yet. */
static int open_captured(const struct capture_filter *filter)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || confine(fd, filter) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int open_family(const struct capture_ports *ports, const struct config_source *source,
                       int number, const char **why, struct report *report)
{
    static char text[256];
    struct capture_filter *filter =
        capture_filter_new(ports, captured[number].family, text, sizeof(text));
    *why = text;
    if (!filter)
        return -1;
    if (number == 0)
        warn_widened(source, capture_filter_widened(filter), report);
    int fd = open_captured(filter);
    if (fd < 0)
        *why = capture_reason(errno);
    capture_filter_free(filter);
    return fd;
}

int packet_sockets_open(const struct capture_ports *ports, const struct config_source *source,
                        int fds[PACKET_SOCKETS], const char **why, struct report *report)
{
    for (int i = 0; i < PACKET_SOCKETS; i++) {
        fds[i] = open_family(ports, source, i, why, report);
        if (fds[i] >= 0)
            continue;
        while (i > 0)
            close(fds[--i]);
        return -1;
    }
    return PACKET_SOCKETS;
}

int packet_sockets_begin(const int fds[PACKET_SOCKETS])
{
    for (int i = 0; i < PACKET_SOCKETS; i++) {
        const struct sockaddr_ll any = {.sll_family = AF_PACKET,
                                        .sll_protocol = htons(captured[i].protocol)};
        if (bind(fds[i], (const struct sockaddr *)&any, sizeof(any)) < 0)
            return -1;
    }
    return 0;
}
