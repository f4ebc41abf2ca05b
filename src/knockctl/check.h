/* What a firewall in force lacks for knocks to be heard, and for doors to open and close. */
#ifndef KNOCKCTL_CHECK_H
#define KNOCKCTL_CHECK_H

#include "knockctl/findings.h"
#include "knockctl/firewall.h"
#include "knockctl/rules.h"

/* Exit statuses of `knockctl rules --check`. */
enum { CHECK_NOTHING, CHECK_FOUND, CHECK_FAILED };

/*
 * Prints each finding, which says what is wrong, which rule it is, and what to do, and returns
 * how many there are; that memory was short counts as one. `rules` is what rules_collect made of
 * `config`; `families`: those that are looked at (enum firewall_family).
 */
unsigned check_firewall(struct findings *out, const struct firewall *firewall,
                        const struct config *config, const struct rules *rules, unsigned families);

/*
 * Reads the firewall in force and checks it, all of it or, with `kind_said`, that of `kind` alone.
 * Returns the exit status; CHECK_FAILED after saying why on standard error.
 */
int check_run(struct findings *out, const struct config *config, const struct rules *rules,
              enum rules_kind kind, bool kind_said);

#endif
