/* Remembers who brought a knock: a table of 4 places for each hash, a bit for each source. */
#include "keeper/copies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

enum { WAYS = 4, SETS = COPIES_MAX / WAYS, SOURCES = 64 };

_Static_assert(sizeof(struct copies_knock) == 84, "no padding: all of it is hashed");
_Static_assert((int)CONFIG_SOURCES_MAX <= (int)SOURCES, "a bit for each source");

struct brought {
    uint64_t knock;   /* hash */
    uint64_t sources; /* bits of those that brought it; 0: the place is free */
    int64_t since;
    int64_t until;
};

struct copies {
    uint8_t key[CRYPTO_KEY_SIZE];
    /* The numbers of sources outlive a reload, which may give them another order. */
    char names[SOURCES][CONFIG_NAME_MAX + 1];
    uint64_t counts[SOURCES];
    uint64_t evicted;
    struct brought items[SETS][WAYS];
};

struct copies *copies_new(const uint8_t key[16])
{
    struct copies *copies = calloc(1, sizeof(*copies));
    if (copies)
        memcpy(copies->key, key, sizeof(copies->key));
    return copies;
}

void copies_free(struct copies *copies)
{
    free(copies);
}

static unsigned find_source(const struct copies *copies, const char *name)
{
    unsigned i = 0;
    while (i < SOURCES && copies->names[i][0] != '\0' && strcmp(copies->names[i], name) != 0)
        i++;
    return i;
}

/* Reloads may have brought more sources in time than there are bits: then all begins again. */
static unsigned number_source(struct copies *copies, const char *name)
{
    unsigned i = find_source(copies, name);
    if (i < SOURCES && copies->names[i][0] != '\0')
        return i;
    if (i == SOURCES) {
        memset(copies->names, 0, sizeof(copies->names));
        memset(copies->items, 0, sizeof(copies->items));
        memset(copies->counts, 0, sizeof(copies->counts));
        i = 0;
    }
    snprintf(copies->names[i], sizeof(copies->names[i]), "%s", name);
    return i;
}

static bool is_remembered(const struct brought *item, int64_t now)
{
    return item->sources != 0 && now <= item->until;
}

/* The oldest of the same knocks that the source, `bit`, hasn't brought yet, or may bring again;
 * NULL: none. */
static struct brought *find_brought(struct brought set[WAYS], uint64_t knock,
                                    const struct copies_source *source, uint64_t bit, int64_t now)
{
    struct brought *found = NULL;
    for (unsigned i = 0; i < WAYS; i++)
        if (is_remembered(&set[i], now) && set[i].knock == knock &&
            (!(set[i].sources & bit) || now - set[i].since < source->again) &&
            (!found || set[i].since < found->since))
            found = &set[i];
    return found;
}

/* A free place, or the oldest one. */
static struct brought *make_room(struct copies *copies, struct brought set[WAYS], int64_t now)
{
    struct brought *oldest = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (!is_remembered(&set[i], now))
            return &set[i];
        if (set[i].since < oldest->since)
            oldest = &set[i];
    }
    copies->evicted++;
    return oldest;
}

bool copies_note(struct copies *copies, const struct copies_knock *knock,
                 const struct copies_source *source, int64_t now, int64_t until)
{
    unsigned number = number_source(copies, source->name);
    uint64_t bit = UINT64_C(1) << number;
    uint64_t hash = crypto_keyed_hash(copies->key, knock, sizeof(*knock));
    struct brought *set = copies->items[hash % SETS];
    struct brought *found = find_brought(set, hash, source, bit, now);
    if (!found) {
        *make_room(copies, set, now) =
            (struct brought){.knock = hash, .sources = bit, .since = now, .until = until};
        return false;
    }
    found->sources |= bit;
    copies->counts[number]++;
    return true;
}

uint64_t copies_of(const struct copies *copies, const char *source)
{
    uint64_t all = 0;
    if (source) {
        unsigned i = find_source(copies, source);
        return i < SOURCES ? copies->counts[i] : 0;
    }
    for (unsigned i = 0; i < SOURCES; i++)
        all += copies->counts[i];
    return all;
}

uint64_t copies_evicted(const struct copies *copies)
{
    return copies->evicted;
}
