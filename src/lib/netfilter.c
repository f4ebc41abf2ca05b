/*
 * ip_tables: the names of the tables that exist (asking for another would make it) -> each table as
 * the kernel has it
 * -> its entries, less those that every table has. nf_tables: all chains and rules, asked for by
 * netlink.
 */
#include "lib/netfilter.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's headers define what <netinet/in.h> does. */
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netlink.h>

/* --- ip_tables --- */

/* What differs between the families; the kernel's structures are alike but for the size of an
 * entry's match. */
struct family {
    unsigned bit;
    int domain;
    int level;
    int get_info;
    int get_entries;
    const char *names; /* file of the tables that exist */
    size_t target_at;  /* where an entry says where its target begins, as uint16_t */
    size_t next_at;    /* and where the next entry does */
};

static const struct family families[] = {
    {NETFILTER_IP4, AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES,
     "/proc/net/ip_tables_names", offsetof(struct ipt_entry, target_offset),
     offsetof(struct ipt_entry, next_offset)},
    {NETFILTER_IP6, AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, IP6T_SO_GET_ENTRIES,
     "/proc/net/ip6_tables_names", offsetof(struct ip6t_entry, target_offset),
     offsetof(struct ip6t_entry, next_offset)},
};

_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one reader for both");
_Static_assert(offsetof(struct ipt_get_entries, entrytable) ==
                   offsetof(struct ip6t_get_entries, entrytable),
               "one reader for both");

/* A table's entries, one behind the other. */
struct entries {
    const char *bytes;
    size_t size;
};

/* The offset that an entry has at `field`. 0: there is none within the table. */
static size_t offset_in(const struct entries *entries, size_t entry, size_t field)
{
    uint16_t value;
    if (entry + field + sizeof(value) > entries->size)
        return 0;
    memcpy(&value, entries->bytes + entry + field, sizeof(value));
    return value;
}

/* The target of the entry at that offset. False when the table ends before it. */
static bool read_target(const struct family *family, const struct entries *entries, size_t entry,
                        struct xt_standard_target *out)
{
    size_t target = offset_in(entries, entry, family->target_at);
    if (target == 0 || entry + target + sizeof(*out) > entries->size)
        return false;
    memcpy(out, entries->bytes + entry + target, sizeof(*out));
    return true;
}

static bool drops_by_policy(const struct family *family, const struct ipt_getinfo *info,
                            const struct entries *entries)
{
    for (unsigned hook = 0; hook < NF_INET_NUMHOOKS; hook++) {
        struct xt_standard_target target;
        if ((info->valid_hooks & (1u << hook)) &&
            read_target(family, entries, info->underflow[hook], &target) &&
            target.verdict == -NF_DROP - 1)
            return true;
    }
    return false;
}

/* Each built-in chain ends with its policy, each other one begins with an entry "ERROR" and ends
 * with a return, and so does the table itself with such an entry: what there is besides are rules.
 */
static bool has_rules(const struct family *family, const struct ipt_getinfo *info,
                      const struct entries *entries)
{
    unsigned count = 0, errors = 0;
    for (size_t entry = 0, next; entry < entries->size; entry += next, count++) {
        struct xt_standard_target target;
        next = offset_in(entries, entry, family->next_at);
        if (next == 0 || !read_target(family, entries, entry, &target))
            return false;
        errors += strncmp(target.target.u.user.name, XT_ERROR_TARGET,
                          sizeof(target.target.u.user.name)) == 0;
    }
    unsigned of_all = (unsigned)__builtin_popcount(info->valid_hooks) + 2 * errors;
    return count + 1 > of_all;
}

/* The table as the kernel has it just now, to be freed; NULL and EAGAIN when it changed meanwhile.
 */
static struct ipt_get_entries *get_entries(const struct family *family, int fd,
                                           const struct ipt_getinfo *info)
{
    socklen_t size = (socklen_t)(sizeof(struct ipt_get_entries) + info->size);
    struct ipt_get_entries *got = calloc(1, size);
    if (!got)
        return NULL;
    memcpy(got->name, info->name, sizeof(got->name));
    got->size = info->size;
    if (getsockopt(fd, family->level, family->get_entries, got, &size) == 0)
        return got;
    int error = errno;
    free(got);
    errno = error;
    return NULL;
}

static bool table_holds_rules(const struct family *family, int fd, const char *name)
{
    enum { ATTEMPTS = 5 };
    struct ipt_get_entries *got = NULL;
    struct ipt_getinfo info;
    size_t length = strlen(name);
    if (length >= sizeof(info.name))
        return false;
    for (int i = 0; i < ATTEMPTS && !got; i++) {
        socklen_t size = sizeof(info);
        info = (struct ipt_getinfo){0};
        memcpy(info.name, name, length);
        if (getsockopt(fd, family->level, family->get_info, &info, &size) < 0)
            return false;
        got = get_entries(family, fd, &info);
        if (!got && errno != EAGAIN)
            return false;
    }
    struct entries entries = {(const char *)got + offsetof(struct ipt_get_entries, entrytable),
                              info.size};
    bool holds =
        got && (has_rules(family, &info, &entries) || drops_by_policy(family, &info, &entries));
    free(got);
    return holds;
}

/* The family's bit when ip_tables holds rules of it. */
static unsigned read_legacy(const struct family *family)
{
    char name[XT_TABLE_MAXNAMELEN + 1];
    unsigned holds = 0;
    FILE *names = fopen(family->names, "re");
    int fd = names ? socket(family->domain, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    while (fd >= 0 && !holds && fgets(name, sizeof(name), names)) {
        name[strcspn(name, "\n")] = '\0';
        if (strcmp(name, "nat") != 0 && table_holds_rules(family, fd, name))
            holds = family->bit;
    }
    if (fd >= 0)
        close(fd);
    if (names)
        fclose(names);
    return holds;
}

/* --- nf_tables --- */

/* The attribute of that type among `size` bytes; NULL: there is none. */
static const struct nlattr *find_attribute(const char *bytes, size_t size, uint16_t type)
{
    while (size >= sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const void *)bytes;
        size_t step = NLA_ALIGN(attribute->nla_len);
        if (attribute->nla_len < sizeof(*attribute) || attribute->nla_len > size)
            return NULL;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type)
            return attribute;
        bytes += step;
        size -= step < size ? step : size;
    }
    return NULL;
}

static bool is_in_nat(const char *attributes, size_t size)
{
    const struct nlattr *table = find_attribute(attributes, size, NFTA_RULE_TABLE);
    return table && table->nla_len == sizeof(*table) + sizeof("nat") &&
           memcmp(table + 1, "nat", sizeof("nat")) == 0;
}

/* The kernel's numbers are in network order; NF_DROP is 0 in any. */
static bool is_dropping(const char *attributes, size_t size)
{
    const struct nlattr *policy = find_attribute(attributes, size, NFTA_CHAIN_POLICY);
    uint32_t value = NF_ACCEPT;
    if (policy && policy->nla_len == sizeof(*policy) + sizeof(value))
        memcpy(&value, policy + 1, sizeof(value));
    return value == NF_DROP;
}

static unsigned families_of(uint8_t family)
{
    switch (family) {
    case NFPROTO_INET:
        return NETFILTER_IP4 | NETFILTER_IP6;
    case NFPROTO_IPV4:
        return NETFILTER_IP4;
    case NFPROTO_IPV6:
        return NETFILTER_IP6;
    default:
        return 0;
    }
}

/* The families that a chain or a rule makes count. */
static unsigned read_message(struct nlmsghdr *message)
{
    const struct nfgenmsg *generic = NLMSG_DATA(message);
    const char *attributes = (const char *)generic + NLMSG_ALIGN(sizeof(*generic));
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*generic)))
        return 0;
    size_t size = message->nlmsg_len - NLMSG_LENGTH(sizeof(*generic));
    bool counts = (message->nlmsg_type & 0xff) == NFT_MSG_NEWRULE ? !is_in_nat(attributes, size)
                                                                  : is_dropping(attributes, size);
    return counts ? families_of(generic->nfgen_family) : 0;
}

/* Takes what one datagram holds. False at the end of the list, or of what the kernel tells. */
static bool read_datagram(int fd, unsigned *found)
{
    static _Alignas(struct nlmsghdr) char bytes[32768];
    ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    size_t left = (size_t)got;
    for (struct nlmsghdr *message = (void *)bytes; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
            return false;
        *found |= read_message(message);
    }
    return true;
}

/* Asks for all chains or all rules; the families that those make count. */
static unsigned list_nf_tables(int what)
{
    struct {
        struct nlmsghdr header;
        struct nfgenmsg generic;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | what),
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .generic = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    unsigned found = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd >= 0 && sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
                          sizeof(kernel)) == (ssize_t)sizeof(request))
        while (found != (NETFILTER_IP4 | NETFILTER_IP6) && read_datagram(fd, &found))
            ;
    if (fd >= 0)
        close(fd);
    return found;
}

/* --- both --- */

struct netfilter netfilter_read(void)
{
    struct netfilter out = {0};
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        out.legacy |= read_legacy(&families[i]);
    out.nf_tables = list_nf_tables(NFT_MSG_GETCHAIN) | list_nf_tables(NFT_MSG_GETRULE);
    return out;
}

/* Before 1.8 there was one kind, and nothing behind the number: "iptables v1.6.1". */
enum netfilter_kind netfilter_kind(const char *version)
{
    if (strstr(version, "(nf_tables)"))
        return NETFILTER_NF_TABLES;
    return strstr(version, "tables v") ? NETFILTER_LEGACY : NETFILTER_UNKNOWN;
}

bool netfilter_tell_both(const struct netfilter *netfilter, enum netfilter_kind kind, char *out,
                         size_t size)
{
    static const char *const names[] = {"", "IPv4", "IPv6", "IPv4 and IPv6"};
    static const char *const kinds[] = {
        [NETFILTER_UNKNOWN] = "iptables isn't there, or isn't either of the two",
        [NETFILTER_LEGACY] = "iptables is the legacy one here, and doors that it opens are open "
                             "in ip_tables alone",
        [NETFILTER_NF_TABLES] = "iptables is the nft one here, and doors that it opens are open "
                                "in nf_tables alone",
    };
    unsigned both = netfilter->legacy & netfilter->nf_tables;
    if (both)
        snprintf(out, size,
                 "both of the kernel's packet filters hold rules for %s: ip_tables "
                 "(iptables-legacy) and nf_tables (iptables-nft, nft); what either drops is "
                 "dropped; %s",
                 names[both & 3], kinds[kind]);
    return both != 0;
}
