/* Rules of doors in the firewall that no opening owns, so that nobody closes them. */
#ifndef KNOCKCTL_STRAYS_H
#define KNOCKCTL_STRAYS_H

#include "knockctl/findings.h"
#include "lib/config.h"

/*
 * Asks the knockd of `config` for them, and prints a line for each of these families (enum
 * firewall_family). Where none runs, nobody owns any: then it looks by itself for rules with our
 * comment, and prints how many there are. Returns how many lines it printed; -1 after saying why on
 * standard error.
 */
int strays_check(struct findings *out, const struct config *config, unsigned families);

#endif
