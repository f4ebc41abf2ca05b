/*
 * The erasure code of sealed knocks: the message's bytes are values of a polynomial over GF(256),
 * of a degree so low that any so many values give all others (Reed and Solomon 1960). Pure.
 */
#ifndef LIB_PARITY_H
#define LIB_PARITY_H

#include <stdint.h>

enum { PARITY_POINTS_MAX = 32 };

/* The points that a polynomial of a degree below `count` goes through; it fits many columns of
 * bytes. */
struct parity {
    unsigned count;
    uint8_t x[PARITY_POINTS_MAX];
    uint8_t weight[PARITY_POINTS_MAX];
};

/* Takes `count` different points, from 1 to PARITY_POINTS_MAX. */
void parity_through(struct parity *p, const uint8_t *x, unsigned count);

/* The value at `at` of the polynomial whose value at x[i] is y[i]; at < 256. */
uint8_t parity_value(const struct parity *p, const uint8_t *y, unsigned at);

#endif
