/* Sends and receives messages, each in one datagram of exactly its size. */
#include "lib/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BODY(member) (offsetof(struct message, u) + sizeof(((struct message *)0)->u.member))

size_t message_size(uint32_t type)
{
    static const size_t sizes[MESSAGE_TYPES] = {
        [MESSAGE_REPLY] = offsetof(struct message, u),
        [MESSAGE_OPEN] = BODY(open),
        [MESSAGE_SEALED] = BODY(sealed),
        [MESSAGE_EVENT] = BODY(event),
        [MESSAGE_REOPEN] = BODY(reopen),
        [MESSAGE_SEEN] = BODY(seen),
        [MESSAGE_COUNTERS] = BODY(counters),
        [MESSAGE_STATS] = BODY(stats),
        [MESSAGE_OTHER] = BODY(other),
        [MESSAGE_PACKET] = BODY(packet),
        [MESSAGE_EFFECT] = BODY(effect),
        [MESSAGE_ANSWERED] = BODY(answered),
        [MESSAGE_PONG] = BODY(ping),
        [MESSAGE_CONFIG] = BODY(config),
        [MESSAGE_SOURCE] = BODY(source),
        [MESSAGE_PREFIX] = BODY(prefix),
        [MESSAGE_HEARD] = BODY(heard),
        [MESSAGE_DOOR] = BODY(door),
        [MESSAGE_IGNORE] = BODY(ignore),
        [MESSAGE_START] = offsetof(struct message, u),
        [MESSAGE_FD] = BODY(fd),
        [MESSAGE_QUERY] = BODY(query),
        [MESSAGE_PING] = BODY(ping),
        [MESSAGE_INTERFACE] = BODY(interface),
        [MESSAGE_ZONE] = BODY(zone),
    };
    return type < MESSAGE_TYPES ? sizes[type] : 0;
}

const char *header_advice(enum header_hint hint)
{
    static const char *const texts[HEADER_HINTS] = {
        [HEADER_OTHER] = ("expected the header of the kernel's lines, as in \"Nov 23 14:28:52 gate "
                          "kernel: \"; see HEADERS in knockd.conf(5)"),
        [HEADER_ULOGD] = "ulogd writes such lines: set format = ulogd",
        [HEADER_PROXMOX] =
            "this is Proxmox's own log: see pve-firewall.conf in the folder examples",
        [HEADER_JSON] = "they are JSON: see HEADERS in knockd.conf(5)",
    };
    return texts[hint];
}

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

/* The one descriptor of a message, -1 if it has none. Alignment makes room for a second one, which
 * nobody honest sends: then all are closed and -2 is returned. */
static int receive_fd(struct msghdr *message)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(message);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return -1;
    int fds[sizeof(union control) / sizeof(int)];
    size_t size = c->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(c), size);
    if (size == sizeof(int))
        return fds[0];
    for (size_t i = 0; i < size / sizeof(int); i++)
        close(fds[i]);
    return -2;
}

enum message_result message_receive(int socket, struct message *msg, int *fd)
{
    union control control;
    struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    do {
        got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        /* ECONNRESET: the other end went without reading all; what it said is still there. */
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    *fd = -1;
    if (got < 0)
        return errno == EAGAIN ? MESSAGE_NONE : MESSAGE_END;
    if (got == 0)
        return MESSAGE_END;
    *fd = receive_fd(&message);
    bool whole = *fd != -2 && (size_t)got >= sizeof(msg->type) &&
                 !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
                 (size_t)got == message_size(msg->type);
    if (!whole && *fd >= 0)
        close(*fd);
    if (!whole)
        *fd = -1;
    return whole ? MESSAGE_GOT : MESSAGE_BAD;
}

enum message_result message_send(int socket, const struct message *msg, int fd, bool wait)
{
    union control control = {.bytes = {0}};
    /* sendmsg only reads it, but its interface can't say so. */
    struct message copy = *msg;
    struct iovec iov = {.iov_base = &copy, .iov_len = message_size(msg->type)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return MESSAGE_GOT;
    return errno == EAGAIN ? MESSAGE_NONE : MESSAGE_END;
}
