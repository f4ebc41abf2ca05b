/* A listener asks for a door: judged by the gate, then knocked at, or refused with the reason. */
#ifndef KEEPER_AUTHORIZE_H
#define KEEPER_AUTHORIZE_H

#include "keeper/doors.h"
#include "keeper/gate.h"
#include "keeper/one_time.h"
#include "keeper/unseal.h"

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

#endif
