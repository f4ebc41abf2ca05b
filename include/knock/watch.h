/* Whether a port answers yet. */
#ifndef KNOCK_WATCH_H
#define KNOCK_WATCH_H

#include <stdint.h>

#include "knock/source.h"
#include "knock/target.h"

/*
 * Tries to connect by TCP from `source` to `target`, whose address has its port, until `until`
 * (clock_now()). Returns the connected, blocking socket, which the caller closes; -1: nobody took a
 * connection. No packet is sent any more after this returns.
 */
int watch_port(const struct knock_target *target, const struct source *source, int64_t until);

#endif
