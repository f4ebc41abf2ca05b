/* Where a knock comes from: by which of this machine's addresses, and what it is bound to. */
#ifndef KNOCK_SOURCE_H
#define KNOCK_SOURCE_H

#include "knock/profile.h"
#include "knock/target.h"

struct source {
    struct knock_target own; /* that the packets leave from, port 0 */
    struct addr bound;       /* as the server sees it; family 0: not bound */
};

/* Finds the source that `profile` asks for. False, told already, when there is none. */
bool source_choose(const struct profile *profile, const struct knock_target *target,
                   struct source *out);

#endif
