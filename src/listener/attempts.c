#include "listener/attempts.h"

#include <stddef.h>

static const int64_t quiet = INT64_C(10000000000);

static struct attempt *find(struct attempts *attempts, uint32_t source, uint32_t door,
                            const struct addr *address)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct attempt *a = &attempts->list[i];
        if (a->stage > 0 && a->source == source && a->door == door &&
            addr_equal(&a->address, address))
            return a;
    }
    return NULL;
}

void attempts_reach(struct attempts *attempts, const struct attempt *attempt)
{
    struct attempt *known = find(attempts, attempt->source, attempt->door, &attempt->address);
    if (known) {
        if (attempt->stage >= known->stage) {
            known->stage = attempt->stage;
            known->instead = (struct step){0};
        }
        return;
    }
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        if (attempts->list[i].stage == 0) {
            attempts->list[i] = *attempt;
            return;
        }
    }
    attempts->unsaid++;
}

void attempts_finish(struct attempts *attempts, uint32_t source, const struct addr *address)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct attempt *a = &attempts->list[i];
        if (a->stage > 0 && a->source == source && addr_equal(&a->address, address))
            a->stage = 0;
    }
}

bool attempts_have_room(const struct attempts *attempts)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++)
        if (attempts->list[i].stage == 0)
            return true;
    return false;
}

int64_t attempts_next(const struct attempts *attempts)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < ATTEMPTS_MAX; i++)
        if (attempts->list[i].stage > 0 && attempts->list[i].until < next)
            next = attempts->list[i].until;
    return next;
}

bool attempts_expire(struct attempts *attempts, int64_t now, struct attempt *out)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct attempt *a = &attempts->list[i];
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
