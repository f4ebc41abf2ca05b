/*
 * Knocks that began and stay behind: some of them, remembered until their time is over, so that
 * the log can say how far they came. Pure; bounded, since strangers begin knocks too.
 */
#ifndef LISTENER_STALLED_H
#define LISTENER_STALLED_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/sequence.h"

enum { STALLED_MAX = 64 };

struct stalled_knock {
    uint32_t source;
    uint32_t door;
    struct addr address;
    unsigned stage; /* steps done; 0: the place is free */
    int64_t until;  /* ns: when it is over */
    /* What came in place of the step behind `stage`, to a strict door; port 0: nothing did. */
    struct port_proto instead;
};

struct stalled {
    struct stalled_knock list[STALLED_MAX];
    int64_t quiet_until; /* no more than one is spoken of in 10 s */
    uint64_t unsaid;
};

/* The attempt reached `attempt->stage`, and nothing else came instead of the next step yet. Its
 * first step decides when it is over. */
void stalled_reach(struct stalled *attempts, const struct stalled_knock *attempt);

/* The address opened a door: what it began with others, whose first steps may be the same, is no
 * failure to tell of. */
void stalled_finish(struct stalled *attempts, uint32_t source, const struct addr *address);

bool stalled_have_room(const struct stalled *attempts);

/* When the next one is over; INT64_MAX when there is none. */
int64_t stalled_next(const struct stalled *attempts);

/*
 * Takes out one that is over at `now`. True, with *out, if it is to be spoken of; else there was
 * none, or none that the limit leaves room for.
 */
bool stalled_expire(struct stalled *attempts, int64_t now, struct stalled_knock *out);

#endif
