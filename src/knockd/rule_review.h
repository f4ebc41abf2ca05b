/* Warns of what the rules of doors say that can't be meant, by their words alone. */
#ifndef KNOCKD_RULE_REVIEW_H
#define KNOCKD_RULE_REVIEW_H

#include "keeper/plan.h"

/*
 * Warns of rules without a target, of doors none of whose rules opens anything or names the door's
 * port, and of interfaces in rules and doors that aren't there. With `families`, which a trial of
 * the rules tells better, of addresses of one family in the rule of a door that hears both as well.
 */
void rule_review(const struct config *config, const struct plans *plans, bool families,
                 struct report *report);

/* The family of the first whole address or network in the rule; 0: it has none. */
uint8_t rule_review_family(const char *rule);

#endif
