/* Warns of what is doubtful in this host, as it is just now, and not in the configuration alone. */
#ifndef KNOCKD_HOST_CHECK_H
#define KNOCKD_HOST_CHECK_H

#include <stdio.h>

#include "lib/config.h"
#include "lib/port_set.h"

/*
 * knockd -t alone: warns of knock ports that something on this host listens on, of ports so near to
 * them that captures take them in, of prefixes too long for iptables, and, for root, of firewall
 * rules that log only some ports with a prefix of ours.
 */
void host_check_for_test(const struct config *config, struct report *report);

/* Whose packets the kernel logs, as net.netfilter.nf_log_all_netns has it. */
enum netns_logging {
    NETNS_FIRST,     /* of the first network namespace's alone, or nothing is known */
    NETNS_ALL,       /* of all, so of those that users make for themselves, too */
    NETNS_NOT_FIRST, /* of all, or of nothing that this namespace has: it isn't the first */
};

/* What is found in the folder of that sysctl, /proc/sys/net/netfilter. */
enum netns_logging host_check_read_netns(const char *folder);

/* Warns of sources whose lines a local user can have the kernel write, with any address. */
void host_check_netns(const struct config *config, enum netns_logging logging,
                      struct report *report);

/* Warns of logs that others than their owner may write to, where a sequence opens a door by them.
 */
void host_check_writers(const struct config *config, struct report *report);

/* A start and a reload as well: warns of rules that root may not change, of whose packets the
 * kernel logs, of logs that others may write to, and of two packet filters that both hold rules. */
void host_check_kernel(const struct config *config, struct report *report);

/* Parts of host_check_for_test, for tests: with the ports that are listened on, and a file, read
 * from its beginning, of what iptables-save printed. */
void host_check_ports(const struct config *config, const struct port_set *taken,
                      struct report *report);
void host_check_rules(const struct config *config, FILE *rules, struct report *report);
void host_check_captured(const struct config *config, const struct port_set *taken,
                         struct report *report);
void host_check_prefixes(const struct config *config, struct report *report);

#endif
