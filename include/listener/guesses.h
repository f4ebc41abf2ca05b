/*
 * The matcher, and before it those who guess: an address that breaks too many knocks is deaf for a
 * while (penalty.h). Without a rule for that, setup->penalties is NULL and all goes to the matcher
 * as it is. Pure.
 *
 * A knock breaks when its first step at least was taken and then came a stray that left no door a
 * step, or its time ran out before a door opened. That is no failure: a packet that is a step of
 * any door, the first one again too; a retransmission, and what else is never a stray; a door that
 * goes on while another one with the same steps breaks; what broke since the last opening; a knock
 * whose lines the source lost, or whose address the matcher had to forget.
 */
#ifndef LISTENER_GUESSES_H
#define LISTENER_GUESSES_H

#include "listener/setup.h"

struct guesses_calls {
    void (*opened)(void *arg, unsigned door);
    void (*penalised)(void *arg); /* the packet's address; NULL: nobody wants to know */
    void *arg;
};

/* Takes the packet that `source` logged at `now` (ns, never going back), as matcher_feed does, or
 * returns MATCH_DEAF. */
enum match_verdict guesses_feed(const struct setup *setup, unsigned source,
                                const struct packet *packet, int64_t now,
                                const struct guesses_calls *calls);

/* Lines of `source` were lost: no door and no failure comes of what they would have been part of.
 */
void guesses_gap(struct setup *setup, unsigned source);

#endif
