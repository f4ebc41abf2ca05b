/* Rules of a door as iptables(8) commands: "[-t TABLE] CHAIN MATCHES -j TARGET". Pure but for
 * malloc. */
#ifndef KEEPER_RULE_H
#define KEEPER_RULE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The command that does `action` (-I, -D or -C) with `rule`: "-t nat PREROUTING ..." becomes
 * "%IPTABLES% -w 5 -t nat -I PREROUTING ...". `comment`: with the comment "knockd DOOR" at its end,
 * unless the rule has a comment of its own. Refuses what could be inserted but not deleted again.
 * The caller frees it. NULL with one line in `why`.
 */
char *rule_command(const char *rule, const char *action, bool comment, char *why, size_t why_size);

/* Whether the rule has a comment of its own. */
bool rule_has_comment(const char *rule);

/* The command that looks for a rule with a comment and nothing else in the chain of `rule`: it
 * finds none, or it doesn't know comments. NULL where rule_command refuses the rule. The caller
 * frees it.
 */
char *rule_comment_probe(const char *rule);

#endif
