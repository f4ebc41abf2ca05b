/*
 * A group of NFLOG: binding it, by the configuration messages of nfnetlink_log, each of which the
 * kernel acknowledges; and reading what it sends, which is checked as if a stranger had sent it.
 */
#include "lib/nflog.h"

#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <net/if_arp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/receive_buffer.h"

/* The kernel allocates so much for each packet, and more for one that needs it (nfulnl_log_packet):
 * its default of a page would fill the receive buffer with a tenth of the packets. */
enum { KERNEL_BUFFER = 512 };

/* Room for a burst of packets until the listener gets its turn, in bytes. */
enum { RECEIVE_BUFFER = 16 << 20 };

/* How long the kernel may take to acknowledge, in ms: it does so before send() returns. */
enum { PATIENCE_MS = 1000 };

bool nflog_is_built(void)
{
    return true;
}

/* Whether a whole message begins there. libmnl takes a length of 2 GiB and more for a negative one,
 * which isn't too much. */
static bool is_whole(const struct nlmsghdr *message, size_t left)
{
    return left <= NFLOG_DATAGRAM && mnl_nlmsg_ok(message, (int)left) && message->nlmsg_len <= left;
}

/* --- opening --- */

/* The acknowledgement of a configuration message. 0, or -1 and errno. */
static int read_acknowledgement(int fd)
{
    union {
        struct nlmsghdr header;
        uint8_t bytes[NFLOG_DATAGRAM];
    } answer;
    for (;;) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (poll(&readable, 1, PATIENCE_MS) <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        ssize_t got = recv(fd, answer.bytes, sizeof(answer.bytes), MSG_DONTWAIT);
        if (got < 0 && errno != EINTR && errno != ENOBUFS)
            return -1;
        /* Packets may come before it, once the group is bound. */
        if (got < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
            answer.header.nlmsg_type != NLMSG_ERROR)
            continue;
        const struct nlmsgerr *error = NLMSG_DATA(&answer.header);
        errno = -error->error;
        return error->error == 0 ? 0 : -1;
    }
}

static int send_config(int fd, struct nlmsghdr *message)
{
    message->nlmsg_flags |= NLM_F_ACK;
    if (send(fd, message, message->nlmsg_len, 0) < 0)
        return -1;
    return read_acknowledgement(fd);
}

/* Whether we may configure groups at all: a message that nobody sends to the kernel is refused for
 * what it is only then. */
static bool may_configure(int fd)
{
    char buffer[MNL_NLMSG_HDRLEN + 128];
    struct nlmsghdr *message = nflog_nlmsg_put_header(buffer, NFULNL_MSG_PACKET, AF_UNSPEC, 0);
    return send_config(fd, message) == 0 || errno != EPERM;
}

/* The kernel says EPERM of a group that another socket has, too. */
static int bind_alone(int fd, struct nlmsghdr *message)
{
    if (nflog_attr_put_cfg_cmd(message, NFULNL_CFG_CMD_BIND) < 0)
        return -1;
    if (send_config(fd, message) == 0)
        return 0;
    if (errno == EPERM)
        errno = may_configure(fd) ? EBUSY : EPERM;
    return -1;
}

/* Binds the group first, with nothing else: then its error is about that. */
static int bind_group(int fd, uint16_t group)
{
    char buffer[MNL_NLMSG_HDRLEN + 128];
    struct nlmsghdr *message = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, group);
    if (bind_alone(fd, message) < 0)
        return -1;
    message = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, group);
    if (nflog_attr_put_cfg_mode(message, NFULNL_COPY_PACKET, NFLOG_COPIED) < 0)
        return -1;
    mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(1));
    mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(KERNEL_BUFFER));
    mnl_attr_put_u16(message, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    return send_config(fd, message);
}

/* Else the kernel would drop all packets, once it had to drop one, until the socket is read empty.
 * Their numbers tell of the loss without its error. */
static int keep_what_fits(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on));
}

int nflog_group_open(unsigned group)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0)
        return -1;
    receive_buffer_set(fd, RECEIVE_BUFFER);
    if (keep_what_fits(fd) == 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0 &&
        bind_group(fd, (uint16_t)group) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* --- reading --- */

/* The first attribute of each type that a packet may have. */
struct attributes {
    const struct nlattr *of[NFULA_MAX + 1];
};

static int note_attribute(const struct nlattr *attribute, void *arg)
{
    struct attributes *attributes = arg;
    uint16_t type = mnl_attr_get_type(attribute);
    if (type <= NFULA_MAX && !attributes->of[type])
        attributes->of[type] = attribute;
    return MNL_CB_OK;
}

/* What it holds, if that is at least `size` bytes; else NULL. */
static const void *content(const struct attributes *attributes, uint16_t type, size_t size)
{
    const struct nlattr *attribute = attributes->of[type];
    return attribute && mnl_attr_get_payload_len(attribute) >= size
               ? mnl_attr_get_payload(attribute)
               : NULL;
}

/* False: there is none of that type. */
static bool number(const struct attributes *attributes, uint16_t type, uint32_t *out)
{
    uint32_t value;
    const void *bytes = content(attributes, type, sizeof(value));
    if (!bytes)
        return false;
    memcpy(&value, bytes, sizeof(value));
    *out = ntohl(value);
    return true;
}

static void read_prefix(const struct attributes *attributes, struct nflog_packet *out)
{
    const char *text = content(attributes, NFULA_PREFIX, 1);
    out->prefix = text ? text : "";
    out->prefix_len =
        text ? strnlen(text, mnl_attr_get_payload_len(attributes->of[NFULA_PREFIX])) : 0;
}

static void read_bytes(const struct attributes *attributes, struct nflog_packet *out)
{
    out->bytes = content(attributes, NFULA_PAYLOAD, 1);
    if (out->bytes)
        out->len = mnl_attr_get_payload_len(attributes->of[NFULA_PAYLOAD]);
}

/* Ethernet begins with the address of the receiver, and its first bit says whether it is a group's.
 */
static bool is_to_group(const struct attributes *attributes)
{
    uint16_t type;
    const void *hardware = content(attributes, NFULA_HWTYPE, sizeof(type));
    const uint8_t *header = content(attributes, NFULA_HWHEADER, 1);
    if (!hardware || !header)
        return false;
    memcpy(&type, hardware, sizeof(type));
    return ntohs(type) == ARPHRD_ETHER && header[0] & 1;
}

static bool read_packet(const struct nlmsghdr *message, struct nflog_packet *out)
{
    struct attributes attributes = {{NULL}};
    *out = (struct nflog_packet){0};
    if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
        mnl_attr_parse(message, sizeof(struct nfgenmsg), note_attribute, &attributes) < 0)
        return false;
    read_prefix(&attributes, out);
    read_bytes(&attributes, out);
    number(&attributes, NFULA_IFINDEX_INDEV, &out->in);
    out->has_sequence = number(&attributes, NFULA_SEQ, &out->sequence);
    out->link_group = is_to_group(&attributes);
    return true;
}

bool nflog_next(const uint8_t *datagram, size_t len, size_t *at, struct nflog_packet *out)
{
    assert((uintptr_t)datagram % NLMSG_ALIGNTO == 0);
    while (*at < len) {
        const struct nlmsghdr *message = (const void *)(datagram + *at);
        size_t left = len - *at;
        if (!is_whole(message, left))
            return false;
        size_t size = MNL_ALIGN(message->nlmsg_len);
        *at = size < left ? *at + size : len;
        if (read_packet(message, out))
            return true;
    }
    return false;
}
