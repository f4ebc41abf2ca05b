/* Whether iptables(8) and ip6tables(8) can put a comment on a door's rule, by which it is known for
 * one of ours later. */
#ifndef KEEPER_RULE_COMMENTS_H
#define KEEPER_RULE_COMMENTS_H

#include "lib/config.h"

enum rule_comments_state { RULE_COMMENTS_UNTRIED, RULE_COMMENTS_WORK, RULE_COMMENTS_MISSING };

struct rule_comments {
    enum rule_comments_state of[2]; /* by family: IPv4, IPv6 */
};

/*
 * Tries each family that wasn't tried, and in which a rule of `config` would get a comment, by
 * looking for a rule that isn't there. For root. Waits for it, some milliseconds as a rule. Warns
 * where it doesn't work: then no rule of that family gets a comment.
 */
void rule_comments_try(struct rule_comments *comments, const struct config *config,
                       struct report *report);

#endif
