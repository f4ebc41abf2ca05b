/* The keeper's second look at what a listener asks for: it may be in an attacker's hands. */
#ifndef KEEPER_GATE_H
#define KEEPER_GATE_H

#include "keeper/plan.h"
#include "lib/message.h"

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

#endif
