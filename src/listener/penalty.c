#include "listener/penalty.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyed.h"

enum { PLACES = 16 };

struct penalties {
    struct penalty_rule rule;
    uint8_t key[KEYED_KEY_SIZE];
    uint32_t row_mask;
    uint32_t *tags; /* a part of each address's hash: one line of the cache tells of a whole row */
    struct suspect *suspects;
    int64_t *times; /* when knocks broke: max_failures for each suspect */
    struct penalty_counters counters;
};

struct penalties *penalties_new(const struct penalty_rule *rule, unsigned max,
                                const uint8_t key[16])
{
    assert(rule->max_failures > 0 && max > 0 && max < UINT32_MAX / 2);
    size_t rows = 1;
    while (rows * PLACES < max)
        rows *= 2;
    struct penalties *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->rule = *rule;
    p->row_mask = (uint32_t)rows - 1;
    memcpy(p->key, key, sizeof(p->key));
    p->tags = calloc(rows * PLACES, sizeof(*p->tags));
    p->suspects = calloc(rows * PLACES, sizeof(*p->suspects));
    p->times = calloc(rows * PLACES, rule->max_failures * sizeof(*p->times));
    if (!p->tags || !p->suspects || !p->times) {
        penalties_free(p);
        return NULL;
    }
    return p;
}

void penalties_free(struct penalties *penalties)
{
    if (!penalties)
        return;
    free(penalties->tags);
    free(penalties->suspects);
    free(penalties->times);
    free(penalties);
}

/* The first place of the row that an address belongs into. */
static size_t row_of(const struct penalties *p, const struct addr *address, uint32_t *tag)
{
    uint64_t hash = keyed_hash(p->key, address, sizeof(*address));
    *tag = (uint32_t)(hash >> 32);
    return (size_t)((uint32_t)hash & p->row_mask) * PLACES;
}

struct suspect *penalties_find(const struct penalties *penalties, const struct addr *address)
{
    uint32_t tag;
    size_t row = row_of(penalties, address, &tag);
    for (size_t i = row; i < row + PLACES; i++)
        if (penalties->tags[i] == tag && addr_equal(&penalties->suspects[i].address, address))
            return &penalties->suspects[i];
    return NULL;
}

static int64_t *times_of(const struct penalties *p, const struct suspect *suspect)
{
    return p->times + (size_t)(suspect - p->suspects) * p->rule.max_failures;
}

unsigned penalties_failures(const struct penalties *penalties, const struct suspect *suspect,
                            int64_t now)
{
    const int64_t *times = times_of(penalties, suspect);
    unsigned count = 0;
    for (unsigned i = 0; i < suspect->failures; i++)
        count += now - times[(suspect->oldest + i) % penalties->rule.max_failures] <=
                 penalties->rule.window;
    return count;
}

/* What speaks for keeping it, most of all first; nothing does for one whose time is over. */
enum worth { WORTH_NOTHING, WORTH_BEGUN, WORTH_FAILED, WORTH_DEAF };

static enum worth worth_of(const struct penalties *p, const struct suspect *suspect, int64_t now)
{
    if (suspect->address.family == 0)
        return WORTH_NOTHING;
    if (now < suspect->deaf_until)
        return WORTH_DEAF;
    if (penalties_failures(p, suspect, now) > 0)
        return WORTH_FAILED;
    /* One that ran out is a failure that will be counted when the address comes again. */
    return suspect->under_way && now - suspect->until <= p->rule.window ? WORTH_BEGUN
                                                                        : WORTH_NOTHING;
}

/* Of a row, the place that can best be spared. */
static size_t least_of(const struct penalties *p, size_t row, int64_t now, enum worth *worth)
{
    size_t least = row;
    *worth = worth_of(p, &p->suspects[row], now);
    for (size_t i = row + 1; i < row + PLACES && *worth != WORTH_NOTHING; i++) {
        enum worth other = worth_of(p, &p->suspects[i], now);
        if (other > *worth ||
            (other == *worth && p->suspects[i].touched >= p->suspects[least].touched))
            continue;
        *worth = other;
        least = i;
    }
    return least;
}

struct suspect *penalties_add(struct penalties *penalties, const struct addr *address, int64_t now)
{
    uint32_t tag;
    enum worth worth;
    size_t place = least_of(penalties, row_of(penalties, address, &tag), now, &worth);
    penalties->counters.evicted += worth >= WORTH_FAILED;
    penalties->counters.overlooked += worth == WORTH_BEGUN;
    penalties->tags[place] = tag;
    penalties->suspects[place] = (struct suspect){.address = *address, .touched = now};
    return &penalties->suspects[place];
}

bool penalties_fail(struct penalties *penalties, struct suspect *suspect, int64_t when)
{
    unsigned max = penalties->rule.max_failures;
    int64_t *times = times_of(penalties, suspect);
    if (suspect->failures == max) {
        suspect->oldest = (suspect->oldest + 1) % max;
        suspect->failures--;
    }
    times[(suspect->oldest + suspect->failures++) % max] = when;
    if (suspect->failures < max || when - times[suspect->oldest] > penalties->rule.window)
        return false;
    suspect->failures = 0;
    suspect->touched = when;
    suspect->deaf_until = when + penalties->rule.length;
    penalties->counters.penalised++;
    return true;
}

void penalties_forgive(struct suspect *suspect)
{
    suspect->under_way = false;
    suspect->failures = 0;
}

struct penalty_counters *penalties_counters(struct penalties *penalties)
{
    return &penalties->counters;
}
