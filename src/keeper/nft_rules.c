/*
 * Messages of netlink(7) to nf_tables and what comes back: GETGEN -> the generation; a dump of
 * GETRULE -> handles; a batch of DELRULE that names the generation -> done as a whole, or not.
 */
#include "keeper/nft_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/grow.h"

/* Names of tables and chains that iptables makes are much shorter. */
enum { NAME_LONGEST = 128 };

/* A message with all its attributes fits, and so does what the kernel sends at once. */
enum { MESSAGE_ROOM = 512, REPLY_ROOM = 64 << 10 };

int nft_rules_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
}

/* --- messages --- */

static void *add_bytes(struct nlmsghdr *header, size_t size)
{
    char *at = (char *)header + header->nlmsg_len;
    memset(at, 0, NLMSG_ALIGN(size));
    header->nlmsg_len += (uint32_t)NLMSG_ALIGN(size);
    return at;
}

static void begin(struct nlmsghdr *header, unsigned type, unsigned flags, int family,
                  uint16_t resource)
{
    memset(header, 0, NLMSG_HDRLEN);
    header->nlmsg_len = NLMSG_HDRLEN;
    header->nlmsg_type = (uint16_t)type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    struct nfgenmsg *part = add_bytes(header, sizeof(*part));
    part->nfgen_family = (uint8_t)(family == 6   ? NFPROTO_IPV6
                                   : family == 4 ? NFPROTO_IPV4
                                                 : NFPROTO_UNSPEC);
    part->version = NFNETLINK_V0;
    part->res_id = htons(resource);
}

static void add_attribute(struct nlmsghdr *header, unsigned type, const void *value, size_t size)
{
    struct nlattr *attribute = add_bytes(header, NLA_HDRLEN + size);
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    attribute->nla_type = (uint16_t)type;
    memcpy((char *)attribute + NLA_HDRLEN, value, size);
}

static unsigned type_of(unsigned message)
{
    return NFNL_SUBSYS_NFTABLES << 8 | message;
}

/* One that is about rules of the chain. */
static void begin_rule(struct nlmsghdr *header, unsigned message, unsigned flags, int family,
                       const char *table, const char *chain)
{
    begin(header, type_of(message), flags, family, 0);
    add_attribute(header, NFTA_RULE_TABLE, table, strlen(table) + 1);
    add_attribute(header, NFTA_RULE_CHAIN, chain, strlen(chain) + 1);
}

static bool is_name(const char *name)
{
    return strlen(name) <= NAME_LONGEST;
}

static int send_all(int fd, const void *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, 0);
    if (sent >= 0 && (size_t)sent < size)
        errno = EMSGSIZE;
    return sent == (ssize_t)size ? 0 : -1;
}

/* --- replies --- */

/* The attribute's value, of `size` bytes or more; NULL: there is none. */
static const void *find_attribute(const struct nlmsghdr *header, unsigned type, size_t size)
{
    const char *at = (const char *)header + NLMSG_SPACE(sizeof(struct nfgenmsg));
    const char *end = (const char *)header + header->nlmsg_len;
    while (end - at >= NLA_HDRLEN) {
        const struct nlattr *attribute = (const struct nlattr *)(const void *)at;
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > end - at)
            return NULL;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type)
            return attribute->nla_len >= NLA_HDRLEN + size ? at + NLA_HDRLEN : NULL;
        at += NLA_ALIGN(attribute->nla_len);
    }
    return NULL;
}

/* Reads one message after the other up to the last, or an error. `take` gets those of `type`, and
 * returns -1 and errno to end it. 0: the end has come. */
static int receive(int fd, unsigned type, int (*take)(void *arg, const struct nlmsghdr *header),
                   void *arg)
{
    static char reply[REPLY_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    for (;;) {
        ssize_t got = recv(fd, reply, sizeof(reply), 0);
        if (got < 0)
            return -1;
        unsigned left = (unsigned)got;
        /* Not const, since NLMSG_NEXT and NLMSG_DATA aren't. */
        for (struct nlmsghdr *header = (struct nlmsghdr *)(void *)reply; NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            if (header->nlmsg_flags & NLM_F_DUMP_INTR) {
                errno = EINTR;
                return -1;
            }
            if (header->nlmsg_type == NLMSG_DONE)
                return 0;
            if (header->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *error = NLMSG_DATA(header);
                errno = -error->error;
                return error->error ? -1 : 0;
            }
            if (header->nlmsg_type == type && take(arg, header) < 0)
                return -1;
            if (header->nlmsg_type == type && !(header->nlmsg_flags & NLM_F_MULTI))
                return 0;
        }
    }
}

/* --- what is asked --- */

static int take_generation(void *arg, const struct nlmsghdr *header)
{
    uint32_t *out = arg;
    const void *value = find_attribute(header, NFTA_GEN_ID, sizeof(*out));
    if (!value) {
        errno = EBADMSG;
        return -1;
    }
    memcpy(out, value, sizeof(*out));
    *out = ntohl(*out);
    return 0;
}

int nft_rules_generation(int fd, uint32_t *out)
{
    char room[MESSAGE_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)room;
    begin(header, type_of(NFT_MSG_GETGEN), 0, 0, 0);
    return send_all(fd, room, header->nlmsg_len) < 0
               ? -1
               : receive(fd, type_of(NFT_MSG_NEWGEN), take_generation, out);
}

struct list {
    const char *chain;
    uint64_t *handles;
    unsigned count;
};

static int take_rule(void *arg, const struct nlmsghdr *header)
{
    struct list *list = arg;
    const char *chain = find_attribute(header, NFTA_RULE_CHAIN, strlen(list->chain) + 1);
    const void *handle = find_attribute(header, NFTA_RULE_HANDLE, sizeof(*list->handles));
    if (!chain || strcmp(chain, list->chain) != 0)
        return 0;
    uint64_t *handles = grow(list->handles, list->count, sizeof(*handles));
    if (!handles || !handle) {
        errno = handle ? ENOMEM : EBADMSG;
        return -1;
    }
    list->handles = handles;
    /* As it came: it goes back so. */
    memcpy(&handles[list->count++], handle, sizeof(*handles));
    return 0;
}

int nft_rules_list(int fd, int family, const char *table, const char *chain, uint64_t **handles,
                   unsigned *count)
{
    char room[MESSAGE_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)room;
    struct list list = {.chain = chain};
    if (!is_name(table) || !is_name(chain)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    begin_rule(header, NFT_MSG_GETRULE, NLM_F_DUMP, family, table, chain);
    if (send_all(fd, room, header->nlmsg_len) < 0 ||
        receive(fd, type_of(NFT_MSG_NEWRULE), take_rule, &list) < 0) {
        free(list.handles);
        return -1;
    }
    *handles = list.handles;
    *count = list.count;
    return 0;
}

/* Writes the batch at `room`, which is large enough. Returns its size. The last of its deletions is
 * answered if all are done; one that isn't comes first. */
static size_t write_batch(char *room, int family, const char *table, const struct nft_rule *rules,
                          unsigned count, uint32_t generation)
{
    char *at = room;
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)at;
    uint32_t id = htonl(generation);
    begin(header, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
    add_attribute(header, NFNL_BATCH_GENID, &id, sizeof(id));
    at += header->nlmsg_len;
    for (unsigned i = 0; i < count; i++) {
        header = (struct nlmsghdr *)(void *)at;
        begin_rule(header, NFT_MSG_DELRULE, i + 1 == count ? NLM_F_ACK : 0, family, table,
                   rules[i].chain);
        add_attribute(header, NFTA_RULE_HANDLE, &rules[i].handle, sizeof(rules[i].handle));
        at += header->nlmsg_len;
    }
    header = (struct nlmsghdr *)(void *)at;
    begin(header, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
    at += header->nlmsg_len;
    return (size_t)(at - room);
}

int nft_rules_delete(int fd, int family, const char *table, const struct nft_rule *rules,
                     unsigned count, uint32_t generation)
{
    for (unsigned i = 0; i < count; i++)
        if (!is_name(rules[i].chain) || !is_name(table)) {
            errno = ENAMETOOLONG;
            return -1;
        }
    char *room = malloc((size_t)(count + 2) * MESSAGE_ROOM);
    if (!room)
        return -1;
    size_t size = write_batch(room, family, table, rules, count, generation);
    /* It goes in one piece. */
    int buffer = (int)size + 4096;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
    int rc = send_all(fd, room, size) < 0 ? -1 : receive(fd, NLMSG_DONE, NULL, NULL);
    int error = errno;
    free(room);
    errno = error;
    return rc;
}
