/* Whether iptables(8) understands the rules of doors: knockd -t asks it, and changes nothing. */
#ifndef KNOCKD_RULE_CHECK_H
#define KNOCKD_RULE_CHECK_H

#include "keeper/plan.h"

/*
 * Has iptables, and ip6tables, look for each rule of each door (-C), with an address for which the
 * door may open. A rule that it doesn't understand is an error, a chain that isn't there a warning,
 * and so is everything for which rules can't be tried: no privilege, a lock that another program
 * holds, too many rules for the time that a check may take.
 */
void rule_check(const struct config *config, const struct plans *plans, struct report *report);

#endif
