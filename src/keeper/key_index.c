/* Finds the few keys that may have made a message, by its hint and its time. */
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
    assert(count <= KEY_INDEX_MAX && skew >= 0);
    struct key_index *index = calloc(1, sizeof(*index));
    if (!index)
        return NULL;
    index->keys = keys;
    index->count = count;
    index->period_count = (unsigned)((2 * skew + SEALED_HINT_PERIOD - 1) / SEALED_HINT_PERIOD) + 1;
    index->periods = calloc(index->period_count, sizeof(*index->periods));
    index->entries = calloc((size_t)index->period_count * count + 1, sizeof(*index->entries));
    if (!index->periods || !index->entries) {
        key_index_free(index);
        return NULL;
    }
    for (unsigned i = 0; i < index->period_count; i++)
        index->periods[i].entries = index->entries + (size_t)i * count;
    return index;
}

void key_index_free(struct key_index *index)
{
    if (!index)
        return;
    free(index->periods);
    free(index->entries);
    free(index);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void make(const struct key_index *index, struct period *period, uint64_t time)
{
    for (unsigned i = 0; i < index->count; i++)
        period->entries[i] = (uint32_t)sealed_hint(&index->keys[i], time) << 16 | i;
    qsort(period->entries, index->count, sizeof(*period->entries), compare);
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

const uint32_t *key_index_find(struct key_index *index, uint64_t time, uint16_t hint,
                               unsigned *count)
{
    uint64_t number = (time >> 16) / SEALED_HINT_PERIOD;
    struct period *period = &index->periods[number % index->period_count];
    if (!period->made || period->number != number)
        make(index, period, time);
    unsigned first = first_from(period->entries, index->count, (uint32_t)hint << 16), end = first;
    while (end < index->count && period->entries[end] >> 16 == hint)
        end++;
    *count = end - first;
    return period->entries + first;
}
