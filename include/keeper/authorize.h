/*
 * May this knock open that door? A listener asks for a door, or hands over a sealed message; both
 * are judged, the one-time ones used up durably, and then the door is opened or closed, or the
 * knock is refused with the reason. Nothing is ever answered to who knocked.
 */
#ifndef KEEPER_AUTHORIZE_H
#define KEEPER_AUTHORIZE_H

#include <time.h>

#include "keeper/doors.h"
#include "keeper/one_time.h"
#include "keeper/refusal_log.h"
#include "keeper/refused.h"
#include "keeper/unseal.h"
#include "lib/message.h"

/* How much a listener may ask for, whatever it reads. */
struct admission {
    struct limit openings;            /* by sequences */
    struct limit one_time;            /* by one-time sequences, each of which costs a write */
    struct limit sealed_openings;     /* by sealed knocks, which no listener can make */
    struct limit refusals;            /* that are logged */
    struct limit messages;            /* sealed ones that are looked at */
    struct limit strangers;           /* refusals that anyone can cause, and that are logged */
    uint64_t strangers_told;          /* how many of those that aren't the log tells of */
    uint64_t sealed[UNSEAL_VERDICTS]; /* messages so far, by what became of them */
};

struct admission authorize_make(int64_t now);

/* Serves an OPEN record. False when no honest listener says that. */
bool authorize_open(struct admission *admission, const struct config *config,
                    const struct plans *plans, struct one_time *once, struct store *store,
                    struct doors *doors, const struct message_open *asked, int64_t now);

enum gate_verdict {
    GATE_OPEN,
    GATE_REFUSED, /* a knock that isn't served; *why says so */
    GATE_BAD,     /* no honest listener says that */
};

/* Judges an OPEN record against the configuration. Pure. */
enum gate_verdict gate_judge(const struct config *config, const struct plans *plans,
                             const struct message_open *open, const char **why);

/* Whether an address is one that a parser of logs can yield: of a family, and zero behind IPv4. */
bool gate_address(const struct addr *address);

/* What a sealed knock is served by. */
struct sealed_service {
    const struct config *config;
    const struct plans *plans;
    struct keyring *keyring; /* it remembers what is used up */
    struct store *store;
    struct doors *doors;
    struct refused *refused;      /* it remembers what is unknown; NULL: nothing does */
    struct refusal_log *refusals; /* for `why`; NULL: none */
};

/* Serves a SEALED record that came at `now`, `wall` by the clock. False when no honest listener
 * says that. */
bool authorize_sealed(struct admission *admission, const struct sealed_service *service,
                      const struct message_sealed *message, int64_t now, struct timespec wall);

#endif
