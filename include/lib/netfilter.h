/*
 * The kernel's two packet filters, ip_tables (iptables-legacy) and nf_tables (nft, iptables-nft):
 * which of them hold rules. A packet passes both, whichever of them `iptables` is.
 */
#ifndef LIB_NETFILTER_H
#define LIB_NETFILTER_H

#include <stdbool.h>
#include <stddef.h>

/* The same bits as enum firewall_family has. */
enum { NETFILTER_IP4 = 1, NETFILTER_IP6 = 2 };

/* The families of which a filter holds a rule, or a chain that drops by its policy. Tables called
 * nat don't count: they drop nothing. */
struct netfilter {
    unsigned legacy;
    unsigned nf_tables;
};

/* Asks the kernel about this network namespace; what it doesn't tell, as to those without
 * CAP_NET_ADMIN, is 0. */
struct netfilter netfilter_read(void);

/* Which of the two a program like iptables(8) writes to, by what it prints for --version. */
enum netfilter_kind { NETFILTER_UNKNOWN, NETFILTER_LEGACY, NETFILTER_NF_TABLES };
enum netfilter_kind netfilter_kind(const char *version);

/*
 * Whether both hold rules of one family, of which one line is then written to `out`: of which
 * families, and that `iptables` is `kind`.
 */
bool netfilter_tell_both(const struct netfilter *netfilter, enum netfilter_kind kind, char *out,
                         size_t size);

#endif
