#include "listener/stalled.h"

#include <stddef.h>

static const int64_t quiet = INT64_C(10000000000);

static struct stalled_knock *find(struct stalled *attempts, uint32_t source, uint32_t door,
                                  const struct addr *address)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *a = &attempts->list[i];
        if (a->stage > 0 && a->source == source && a->door == door &&
            addr_equal(&a->address, address))
            return a;
    }
    return NULL;
}

void stalled_reach(struct stalled *attempts, const struct stalled_knock *attempt)
{
    struct stalled_knock *known = find(attempts, attempt->source, attempt->door, &attempt->address);
    if (known) {
        if (attempt->stage >= known->stage) {
            known->stage = attempt->stage;
            known->instead = (struct port_proto){0};
        }
        return;
    }
    for (int i = 0; i < STALLED_MAX; i++) {
        if (attempts->list[i].stage == 0) {
            attempts->list[i] = *attempt;
            return;
        }
    }
    attempts->unsaid++;
}

void stalled_finish(struct stalled *attempts, uint32_t source, const struct addr *address)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *a = &attempts->list[i];
        if (a->stage > 0 && a->source == source && addr_equal(&a->address, address))
            a->stage = 0;
    }
}

bool stalled_have_room(const struct stalled *attempts)
{
    for (int i = 0; i < STALLED_MAX; i++)
        if (attempts->list[i].stage == 0)
            return true;
    return false;
}

int64_t stalled_next(const struct stalled *attempts)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < STALLED_MAX; i++)
        if (attempts->list[i].stage > 0 && attempts->list[i].until < next)
            next = attempts->list[i].until;
    return next;
}

bool stalled_expire(struct stalled *attempts, int64_t now, struct stalled_knock *out)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *a = &attempts->list[i];
        if (a->stage == 0 || a->until > now)
            continue;
        *out = *a;
        a->stage = 0;
        if (now >= attempts->quiet_until) {
            attempts->quiet_until = now + quiet;
            return true;
        }
        attempts->unsaid++;
    }
    return false;
}
