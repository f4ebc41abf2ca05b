/* Of several names, the one that a mistyped word is nearest to. Pure. */
#ifndef LIB_NEAREST_H
#define LIB_NEAREST_H

struct nearest {
    const char *word;
    const char *found; /* NULL: none is near enough */
    unsigned distance;
};

/* Begins with no name found. */
struct nearest nearest_to(const char *word);

/* Takes `name` if it is nearer than those before: of three bytes one, of six or more at most two
 * were inserted, left out, replaced or swapped with the next one. */
void nearest_compare(struct nearest *nearest, const char *name);

#endif
