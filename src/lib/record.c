#include "lib/record.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BODY(member) (offsetof(struct record, u) + sizeof(((struct record *)0)->u.member))

size_t record_size(uint32_t type)
{
    static const size_t sizes[RECORD_TYPES] = {
        [RECORD_REPLY] = offsetof(struct record, u),
        [RECORD_OPEN] = BODY(open),
        [RECORD_SEALED] = BODY(sealed),
        [RECORD_EVENT] = BODY(event),
        [RECORD_REOPEN] = BODY(reopen),
        [RECORD_SEEN] = BODY(seen),
        [RECORD_COUNTERS] = BODY(counters),
        [RECORD_TALLY] = BODY(tally),
        [RECORD_OTHER] = BODY(other),
        [RECORD_PACKET] = BODY(packet),
        [RECORD_EFFECT] = BODY(effect),
        [RECORD_ANSWERED] = BODY(answered),
        [RECORD_PONG] = BODY(ping),
        [RECORD_CONFIG] = BODY(config),
        [RECORD_SOURCE] = BODY(source),
        [RECORD_PREFIX] = BODY(prefix),
        [RECORD_DOOR] = BODY(door),
        [RECORD_IGNORE] = BODY(ignore),
        [RECORD_START] = offsetof(struct record, u),
        [RECORD_FD] = BODY(fd),
        [RECORD_QUERY] = BODY(query),
        [RECORD_PING] = BODY(ping),
    };
    return type < RECORD_TYPES ? sizes[type] : 0;
}

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

/* The one descriptor of a message, -1 if it has none. Alignment makes room for a second one, which
 * nobody honest sends: then all are closed and -2 is returned. */
static int take_fd(struct msghdr *message)
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

enum record_result record_receive(int socket, struct record *record, int *fd)
{
    union control control;
    struct iovec iov = {.iov_base = record, .iov_len = sizeof(*record)};
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
        return errno == EAGAIN ? RECORD_NONE : RECORD_END;
    if (got == 0)
        return RECORD_END;
    *fd = take_fd(&message);
    bool whole = *fd != -2 && (size_t)got >= sizeof(record->type) &&
                 !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
                 (size_t)got == record_size(record->type);
    if (!whole && *fd >= 0)
        close(*fd);
    if (!whole)
        *fd = -1;
    return whole ? RECORD_GOT : RECORD_BAD;
}

enum record_result record_send(int socket, const struct record *record, int fd, bool wait)
{
    union control control = {.bytes = {0}};
    /* sendmsg only reads it, but its interface can't say so. */
    struct record copy = *record;
    struct iovec iov = {.iov_base = &copy, .iov_len = record_size(record->type)};
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
        return RECORD_GOT;
    return errno == EAGAIN ? RECORD_NONE : RECORD_END;
}
