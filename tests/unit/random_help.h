/* Random numbers for tests, the same again from the same seed. */
#ifndef RANDOM_HELP_H
#define RANDOM_HELP_H

#include <stdint.h>
#include <stdlib.h>

#include "lib/crypto.h"

static uint64_t random_state;

/* 0 to `below` - 1: splitmix64 (Steele, Lea, Flood 2014). */
static inline uint32_t draw(uint32_t below)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % below);
}

/* Begins anew, and prints from where; SEED in the environment repeats a failure. */
static inline void draw_seed(void)
{
    const char *given = getenv("SEED");
    crypto_random(&random_state, sizeof(random_state));
    if (given)
        random_state = strtoull(given, NULL, 10);
    print_message("# SEED=%llu\n", (unsigned long long)random_state);
}

#endif
