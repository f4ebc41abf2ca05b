/* Asking a STUN server (RFC 8489) which address this machine's packets come from, as it sees them.
 */
#ifndef KNOCK_STUN_H
#define KNOCK_STUN_H

#include "knock/source.h"

enum { STUN_PORT = 3478 };

/*
 * Asks `server`, HOST[:PORT], by UDP from `source`, in the family of `target`: seven times, ever
 * longer apart, and for 39.5 s, but not longer than `until` (clock_now()). Only an answer from the
 * address that was asked, with the transaction's id, counts. False, reported already, when none
 * came with an address.
 */
bool stun_ask(const char *server, const struct source *source, const struct knock_target *target,
              int64_t until, struct addr *out);

#endif
