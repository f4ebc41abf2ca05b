/*
 * The pause before something that failed is tried again: it doubles from one try to the next, up to
 * a limit. Pure.
 */
#ifndef LIB_BACKOFF_H
#define LIB_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first;   /* ns, above 0 */
    int64_t longest; /* ns */
    int64_t pause;   /* the next one; 0: `first` */
};

/* Returns the pause before the next try, in ns, and doubles the one after it. */
static inline int64_t backoff_next(struct backoff *backoff)
{
    int64_t pause = backoff->pause > 0 ? backoff->pause : backoff->first;
    backoff->pause = pause < backoff->longest / 2 ? 2 * pause : backoff->longest;
    return pause;
}

/* It works again: the next pause is the first one. */
static inline void backoff_reset(struct backoff *backoff)
{
    backoff->pause = 0;
}

#endif
