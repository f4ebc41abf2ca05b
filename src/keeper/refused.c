/* Refused sealed messages: for each period of a hint, the latest time by hint. */
#include "keeper/refused.h"

#include <stdlib.h>
#include <string.h>

/* Of 128 s each: more than those that aren't stale at a time, with max_skew at its greatest. */
enum { PERIODS = 16, HINTS = 1 << 16 };

/* The latest time by hint, counted from the period's begin, and 1 more; 0: no message. */
struct period {
    uint64_t number; /* since 1970 */
    uint32_t *times; /* NULL: no message */
};

struct refused {
    struct period periods[PERIODS];
    uint64_t all; /* all messages up to that time count as refused */
    uint64_t unbound;
    uint64_t newest;
};

static uint64_t period_of(uint64_t time)
{
    return (time >> 16) / SEALED_HINT_PERIOD;
}

static uint64_t period_begin(uint64_t number)
{
    return number * SEALED_HINT_PERIOD << 16;
}

struct refused *refused_new(void)
{
    return calloc(1, sizeof(struct refused));
}

void refused_free(struct refused *refused)
{
    for (int i = 0; refused && i < PERIODS; i++)
        free(refused->periods[i].times);
    free(refused);
}

void refused_note_all(struct refused *refused, uint64_t time)
{
    refused->all = sealed_later(refused->all, time);
    refused->newest = sealed_later(refused->newest, time);
}

/* A period that is over leaves its place to a later one; should the clock be set back, all of it
 * counts as refused. NULL: there is no place for this one. */
static struct period *find_period(struct refused *refused, uint64_t number)
{
    struct period *period = &refused->periods[number % PERIODS];
    if (period->times && period->number > number)
        return NULL;
    if (period->times && period->number < number) {
        refused_note_all(refused, period_begin(period->number + 1) - 1);
        memset(period->times, 0, HINTS * sizeof(*period->times));
    }
    if (!period->times)
        period->times = calloc(HINTS, sizeof(*period->times));
    period->number = number;
    return period->times ? period : NULL;
}

void refused_note(struct refused *refused, uint64_t time, uint16_t hint, bool own)
{
    struct period *period = find_period(refused, period_of(time));
    refused->newest = sealed_later(refused->newest, time);
    if (own)
        refused->unbound = sealed_later(refused->unbound, time);
    if (!period) {
        refused_note_all(refused, time);
        return;
    }
    uint32_t since = (uint32_t)(time - period_begin(period->number)) + 1;
    if (since > period->times[hint])
        period->times[hint] = since;
}

uint64_t refused_newest_of(const struct refused *refused, const struct sealed_key *key)
{
    uint64_t newest = refused->all;
    for (int i = 0; i < PERIODS; i++) {
        const struct period *period = &refused->periods[i];
        uint64_t start = period_begin(period->number);
        uint32_t since = period->times ? period->times[sealed_hint(key, start)] : 0;
        if (since)
            newest = sealed_later(newest, start + since - 1);
    }
    return newest;
}

uint64_t refused_newest_unbound(const struct refused *refused)
{
    return sealed_later(refused->unbound, refused->all);
}

uint64_t refused_newest(const struct refused *refused)
{
    return refused->newest;
}
