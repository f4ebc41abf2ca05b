/*
 * May this knock open that door? The listener asks for a door, or hands over a sealed message.
 * One-time sequences and sealed messages are used up first, durably. Then the door is opened or
 * closed, or the knock is refused, with the reason in the log. Who knocked gets no answer.
 */
#ifndef KEEPER_AUTHORIZE_H
#define KEEPER_AUTHORIZE_H

#include <time.h>

#include "keeper/copies.h"
#include "keeper/doors.h"
#include "keeper/one_time.h"
#include "keeper/refusal_log.h"
#include "keeper/refused.h"
#include "keeper/unseal.h"
#include "lib/message.h"

/* How much one source may ask for and have written, so that it doesn't hinder another one. */
struct authorize_source {
    struct limit openings;      /* by sequences, of doors whose commands run together */
    struct limit lone_openings; /* by sequences, of other doors */
    struct limit refusals;      /* that are logged */
    struct limit strangers;     /* refusals that anyone can cause, and that are logged */
    uint64_t strangers_told;    /* of those that aren't logged, how many the log counted */
};

/* How much a listener may ask for, whatever it reads, and what it asked for so far. A reload
 * doesn't begin it again: what a source has taken counts for the one that has its number then. */
struct authorize_limits {
    struct authorize_source sources[CONFIG_SOURCES_MAX];
    struct limit one_time;            /* by one-time sequences, each of which costs a write */
    struct limit sealed_openings;     /* by sealed knocks, which no listener can make */
    struct limit messages;            /* sealed ones that are decrypted */
    char new_state[160];              /* why sealed knocks are refused, of UNSEAL_NEW_STATE */
    uint64_t sealed[UNSEAL_VERDICTS]; /* messages so far, by what became of them */
};

struct authorize_limits authorize_limits_make(int64_t now);

/* Messages that were left out of the log, since there were too many a second. */
uint64_t authorize_messages_dropped(const struct authorize_limits *limits);

/* What knocks are authorized by: a configuration in force, and the state that outlives it. */
struct authorize {
    const struct config *config;
    const struct plans *plans;
    struct one_time *once;   /* remembers which one-time sequences are used up */
    struct keyring *keyring; /* remembers the last message of each key */
    struct store *store;
    struct doors *doors;
    struct refused *refused;      /* remembers unknown messages; NULL: nothing does */
    struct refusal_log *refusals; /* for `knockctl why`; NULL: none */
    struct copies *copies;        /* remembers by which source a knock came; NULL: nothing does */
    struct authorize_limits *limits;
};

/* Serves MESSAGE_OPEN, which inbound.c has checked. */
void authorize_open(const struct authorize *a, const struct message_open *asked, int64_t now);

/* Serves MESSAGE_SEALED, which inbound.c has checked; it came at `now`, `wall` by the clock. */
void authorize_sealed(const struct authorize *a, const struct message_sealed *message, int64_t now,
                      struct timespec wall);

/* Why door number `door` doesn't open for `address`; NULL: it may. Pure. */
const char *authorize_refusal(const struct config *config, const struct plans *plans, unsigned door,
                              const struct addr *address);

#endif
