/* Rules on trial: applied, and taken back unless someone confirms that they still get in. */
#ifndef KNOCKCTL_TRIAL_H
#define KNOCKCTL_TRIAL_H

#include <stdbool.h>

#include "knockctl/rules.h"

/* One firewall program and what it is to read. */
struct trial_part {
    enum rules_kind kind;
    struct rules rules;
};

/*
 * Applies the parts, asks on standard output for "yes" on standard input within `seconds`, and
 * takes back what it did if that doesn't come: also on a signal, when the terminal goes away, or
 * when this process is killed, since another one, away from the terminal, holds the way back.
 * Changes that others make to the firewall meanwhile stay. Returns whether the rules were kept;
 * says why not.
 */
bool trial_run(const struct trial_part *parts, unsigned count, unsigned seconds);

#endif
