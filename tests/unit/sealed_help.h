/* What the tests of sealed knocks share: hex, addresses, chance that can be had again. */
#ifndef SEALED_HELP_H
#define SEALED_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/clock.h"

/* Reads hex digits up to anything else, at most `max` bytes; returns how many. */
static inline size_t unhex(const char *text, uint8_t *out, size_t max)
{
    size_t len = 0;
    unsigned byte;
    while (len < max && sscanf(text + 2 * len, "%2x", &byte) == 1)
        out[len++] = (uint8_t)byte;
    return len;
}

static inline const char *to_hex(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", bytes[i]);
    return out;
}

static inline struct addr address(const char *text)
{
    struct addr a = {0};
    assert_true(addr_parse(text, strlen(text), &a));
    return a;
}

/* For a group of tests to begin with: SEED, or a new one, which is printed. */
static inline int sow(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)clock_now();
    (void)state;
    printf("# SEED=%u\n", seed);
    srand(seed);
    return 0;
}

static inline void random_bytes(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(rand() >> 7);
}

/* A random order of the numbers below `count` (Fisher and Yates). */
static inline void shuffle(uint8_t *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned k = (unsigned)rand() % (i + 1);
        out[i] = out[k];
        out[k] = (uint8_t)i;
    }
}

#endif
