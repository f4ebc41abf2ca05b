/* The plain form of the client: HOST PORT[:PROTO]... */
#ifndef KNOCK_PLAIN_FORM_H
#define KNOCK_PLAIN_FORM_H

#include "knock/options.h"

/* Knocks at the ports that the words name, once. False, reported already, when something is wrong
 * with them, or a knock couldn't be sent. */
bool knock_ports(const struct options *options);

/*
 * Sets *profile to one that knocks as the words and options say, for waiting and commands. False,
 * reported already, when something is wrong with them. The caller frees it by profile_free() either
 * way.
 */
bool ports_profile(const struct options *options, struct profile *profile);

#endif
