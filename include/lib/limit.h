/* A token bucket: how often something may happen that a stranger can cause. Pure. */
#ifndef LIB_LIMIT_H
#define LIB_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
    unsigned per_second;
    unsigned burst;
    int64_t tokens; /* in billionths, so that the refill is exact */
    int64_t last;   /* ns */
    uint64_t dropped;
};

/* A full bucket. */
struct limit limit_make(unsigned per_second, unsigned burst, int64_t now);

/* Takes one token. False, counted in `dropped`, when there is none. */
bool limit_take(struct limit *limit, int64_t now);

#endif
