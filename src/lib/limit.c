/* Refills a token bucket by the time that has passed, and takes from it. */
#include "lib/limit.h"

static const int64_t token = 1000000000;

struct limit limit_make(unsigned per_second, unsigned burst, int64_t now)
{
    return (struct limit){
        .per_second = per_second, .burst = burst, .tokens = burst * token, .last = now};
}

static void refill(struct limit *limit, int64_t now)
{
    int64_t full = limit->burst * token;
    int64_t missing = full - limit->tokens;
    int64_t elapsed = now - limit->last;
    limit->last = now;
    /* Divided, not multiplied, so that a long rest can't overflow. */
    if (elapsed > missing / limit->per_second)
        limit->tokens = full;
    else if (elapsed > 0)
        limit->tokens += elapsed * limit->per_second;
}

bool limit_take(struct limit *limit, int64_t now)
{
    refill(limit, now);
    if (limit->tokens < token) {
        limit->dropped++;
        return false;
    }
    limit->tokens -= token;
    return true;
}
