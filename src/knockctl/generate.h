/* Random sequences that a scan doesn't hit upon. */
#ifndef KNOCKCTL_GENERATE_H
#define KNOCKCTL_GENERATE_H

#include "lib/port_set.h"
#include "lib/sequence.h"

/*
 * From 1024: the ports below are services'. Below 20000: there sealed knocks begin by default,
 * whose ports no sequence may use.
 */
enum {
    GENERATE_FIRST = 1024,
    GENERATE_LAST = 19999,
    GENERATE_STEPS_MIN = 3,
    GENERATE_STEPS_DEFAULT = 5,
    GENERATE_GAP = 10, /* any two ports of a sequence are further apart */
};

/* Where 32 random bits come from. */
struct random_source {
    uint32_t (*next)(void *arg);
    void *arg;
};

/*
 * Makes a sequence of `count` steps (GENERATE_STEPS_MIN to STEPS_MAX) out of ports that are in
 * `taken` for neither protocol: each about one time in three UDP, both protocols present, no two
 * ports alike or near each other, neither ascending nor descending. False when `taken` leaves too
 * few ports for a sequence to be a secret.
 */
bool generate_sequence(const struct port_set *taken, unsigned count, struct random_source random,
                       struct sequence *out);

/* Writes `sequence` as a line of the configuration. */
void generate_print(FILE *out, const struct sequence *sequence);

#endif
