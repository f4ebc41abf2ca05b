/*
 * A listener hands over a sealed message: unsealed, used up durably, judged, and then the door is
 * opened or closed, or it is refused with the reason. Nothing is ever answered to who knocked.
 */
#ifndef KEEPER_AUTHORIZE_SEALED_H
#define KEEPER_AUTHORIZE_SEALED_H

#include <time.h>

#include "keeper/authorize.h"
#include "keeper/refusal_log.h"
#include "keeper/refused.h"
#include "keeper/unseal.h"

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
