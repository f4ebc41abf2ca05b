/* The plain form of the client: HOST PORT[:PROTO]... */
#ifndef KNOCK_PORTS_H
#define KNOCK_PORTS_H

#include "knock/options.h"

/* Knocks at the ports that the words name. False, told already, when something is wrong with them,
 * or a knock couldn't be sent. */
bool knock_ports(const struct options *options);

#endif
