/* Rules of a door as iptables(8) commands: "[-t TABLE] CHAIN MATCHES -j TARGET". Pure but for
 * malloc. */
#ifndef KEEPER_RULE_H
#define KEEPER_RULE_H

#include <stddef.h>

/*
 * The command that does `action` (-I, -D or -C) with `rule`: "-t nat PREROUTING ..." becomes
 * "%IPTABLES% -w 5 -t nat -I PREROUTING ...". Refuses what could be inserted but not deleted again.
 * The caller frees it. NULL with one line in `why`.
 */
char *rule_command(const char *rule, const char *action, char *why, size_t why_size);

#endif
