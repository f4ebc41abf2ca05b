#include "keeper/key_index.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

/* The entries of one period, in order: hint << 16 | number of the key. */
struct period {
    bool made;
    uint64_t number; /* since 1970 */
    uint32_t *entries;
};

struct key_index {
    const struct sealed_key *keys;
    unsigned count;
    unsigned period_count; /* as many as aren't stale at a time: no message drives out another's */
    struct period *periods;
    uint32_t *entries;
};

struct key_index *key_index_new(const struct sealed_key *keys, unsigned count, int64_t skew)
{
    assert(count <= HINTS_KEYS_MAX && skew >= 0);
    struct key_index *hints = calloc(1, sizeof(*hints));
    if (!hints)
        return NULL;
    hints->keys = keys;
    hints->count = count;
    hints->period_count = (unsigned)((2 * skew + SEALED_HINT_PERIOD - 1) / SEALED_HINT_PERIOD) + 1;
    hints->periods = calloc(hints->period_count, sizeof(*hints->periods));
    hints->entries = calloc((size_t)hints->period_count * count + 1, sizeof(*hints->entries));
    if (!hints->periods || !hints->entries) {
        key_index_free(hints);
        return NULL;
    }
    for (unsigned i = 0; i < hints->period_count; i++)
        hints->periods[i].entries = hints->entries + (size_t)i * count;
    return hints;
}

void key_index_free(struct key_index *hints)
{
    if (!hints)
        return;
    free(hints->periods);
    free(hints->entries);
    free(hints);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void make(const struct key_index *hints, struct period *period, uint64_t time)
{
    for (unsigned i = 0; i < hints->count; i++)
        period->entries[i] = (uint32_t)sealed_hint(&hints->keys[i], time) << 16 | i;
    qsort(period->entries, hints->count, sizeof(*period->entries), compare);
    period->made = true;
    period->number = (time >> 16) / SEALED_HINT_PERIOD;
}

/* The first entry that isn't below `entry`. */
static unsigned first_from(const uint32_t *entries, unsigned count, uint32_t entry)
{
    unsigned low = 0;
    while (count > 0) {
        unsigned half = count / 2;
        bool below = entries[low + half] < entry;
        low += below ? half + 1 : 0;
        count = below ? count - half - 1 : half;
    }
    return low;
}

const uint32_t *key_index_find(struct key_index *hints, uint64_t time, uint16_t hint,
                               unsigned *count)
{
    uint64_t number = (time >> 16) / SEALED_HINT_PERIOD;
    struct period *period = &hints->periods[number % hints->period_count];
    if (!period->made || period->number != number)
        make(hints, period, time);
    unsigned first = first_from(period->entries, hints->count, (uint32_t)hint << 16), end = first;
    while (end < hints->count && period->entries[end] >> 16 == hint)
        end++;
    *count = end - first;
    return period->entries + first;
}
