/* This host's time zone, for the listener, which can't read it once it is confined. */
#ifndef KNOCKD_LOCAL_ZONE_H
#define KNOCKD_LOCAL_ZONE_H

#include <time.h>

#include "lib/message.h"

/* How long what local_zone says holds, in seconds. */
enum { LOCAL_ZONE_HOLDS = 86400 };

/* The zone's offset at `now`, with a change of it in the day before and the two days after. Reads
 * /etc/localtime again where that has changed. */
struct message_zone local_zone(time_t now);

#endif
