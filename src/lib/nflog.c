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
#include <time.h>
#include <unistd.h>

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

/* Binds the group first, with nothing else: then EBUSY says that another socket has it. */
static int bind_group(int fd, uint16_t group)
{
    char buffer[MNL_NLMSG_HDRLEN + 128];
    struct nlmsghdr *message = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, group);
    if (nflog_attr_put_cfg_cmd(message, NFULNL_CFG_CMD_BIND) < 0 || send_config(fd, message) < 0)
        return -1;
    message = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, group);
    if (nflog_attr_put_cfg_mode(message, NFULNL_COPY_PACKET, NFLOG_COPIED) < 0)
        return -1;
    mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(1));
    mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(KERNEL_BUFFER));
    mnl_attr_put_u16(message, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    return send_config(fd, message);
}

/* Beyond the limit of the system, where that is permitted. */
static void enlarge_buffer(int fd)
{
    int size = RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int nflog_group_open(unsigned group)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0)
        return -1;
    enlarge_buffer(fd);
    if (bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0 && bind_group(fd, (uint16_t)group) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* --- reading --- */

/* Whether the link layer's header, of Ethernet, is of a frame to a group. */
static bool is_link_group(struct nlattr *const *attributes)
{
    const struct nlattr *type = attributes[NFULA_HWTYPE], *header = attributes[NFULA_HWHEADER];
    if (!type || !header || ntohs(mnl_attr_get_u16(type)) != ARPHRD_ETHER ||
        mnl_attr_get_payload_len(header) == 0)
        return false;
    const uint8_t *destination = mnl_attr_get_payload(header);
    return destination[0] & 1;
}

static void read_packet(struct nlattr *const *attributes, struct nflog_packet *out)
{
    const struct nlattr *prefix = attributes[NFULA_PREFIX], *in = attributes[NFULA_IFINDEX_INDEV],
                        *sequence = attributes[NFULA_SEQ], *payload = attributes[NFULA_PAYLOAD];
    *out = (struct nflog_packet){.prefix = "", .link_group = is_link_group(attributes)};
    if (prefix) {
        out->prefix = mnl_attr_get_payload(prefix);
        out->prefix_len = strnlen(out->prefix, mnl_attr_get_payload_len(prefix));
    }
    if (in)
        out->in = ntohl(mnl_attr_get_u32(in));
    out->has_sequence = sequence != NULL;
    if (sequence)
        out->sequence = ntohl(mnl_attr_get_u32(sequence));
    if (payload) {
        out->bytes = mnl_attr_get_payload(payload);
        out->len = mnl_attr_get_payload_len(payload);
    }
}

/* Whether the message is of a packet. Attributes of a size that their type doesn't have make it
 * none. */
static bool is_packet(const struct nlmsghdr *message, struct nlattr **attributes)
{
    enum { PACKET = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET };
    return message->nlmsg_type == PACKET &&
           message->nlmsg_len >= MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg) &&
           nflog_nlmsg_parse(message, attributes) == MNL_CB_OK;
}

bool nflog_next(const uint8_t *datagram, size_t len, size_t *at, struct nflog_packet *out)
{
    assert((uintptr_t)datagram % NLMSG_ALIGNTO == 0);
    while (*at < len) {
        struct nlattr *attributes[NFULA_MAX + 1] = {NULL};
        const struct nlmsghdr *message = (const void *)(datagram + *at);
        if (!mnl_nlmsg_ok(message, (int)(len - *at)))
            return false;
        *at += NLMSG_ALIGN(message->nlmsg_len);
        if (is_packet(message, attributes)) {
            read_packet(attributes, out);
            return true;
        }
    }
    return false;
}
