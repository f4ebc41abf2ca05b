/* Finds the name that was meant by a mistyped word: by how many slips of a finger they differ. */
#include "lib/nearest.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { NAME_MAX_COMPARED = 64, DISTANCE_MAX = 2 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Whether the bytes before a[i] and b[j] are the same two in the other order. */
static bool swapped(const char *a, size_t i, const char *b, size_t j)
{
    return i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
}

/* How many bytes must be inserted, removed, replaced or swapped with the next one to make `a` of
 * `b`; over 63 bytes: 64. rows[i % 3][j]: the first i bytes of `a` of the first j of `b`. */
static unsigned distance_of(const char *a, const char *b)
{
    size_t rows_len = strlen(a), len = strlen(b);
    unsigned rows[3][NAME_MAX_COMPARED];
    if (len >= NAME_MAX_COMPARED || rows_len >= NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (unsigned i = 0; i <= rows_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= len; j++) {
            if (i == 0)
                row[j] = j;
            else
                row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (swapped(a, i, b, j))
                row[j] = least(row[j], row[j], before[j - 2] + 1);
        }
    }
    return rows[rows_len % 3][len];
}

struct nearest nearest_to(const char *word)
{
    return (struct nearest){.word = word, .distance = DISTANCE_MAX + 1};
}

void nearest_compare(struct nearest *nearest, const char *name)
{
    unsigned distance = distance_of(nearest->word, name);
    size_t word = strlen(nearest->word), len = strlen(name);
    /* "foo" isn't meant for "door". */
    if (distance >= nearest->distance || distance > (word > len ? word : len) / 3)
        return;
    nearest->distance = distance;
    nearest->found = name;
}
