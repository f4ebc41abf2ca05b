/* What knockd -t finds doubtful in this host, as it is just now, and not in the file alone. */
#ifndef KNOCKD_DOUBTS_H
#define KNOCKD_DOUBTS_H

#include <stdio.h>

#include "lib/config.h"
#include "lib/port_set.h"

/*
 * Warns of knock ports that something on this host listens on, and, for root, of firewall rules
 * that log only some ports with a prefix of ours.
 */
void doubts_tell(const struct config *config, struct report *report);

/* The two parts, for tests: with the ports that are listened on, and what iptables-save prints. */
void doubts_of_ports(const struct config *config, const struct port_set *taken,
                     struct report *report);
void doubts_of_rules(const struct config *config, FILE *rules, struct report *report);

#endif
