/* Which address a sealed knock is bound to: the one that the server will see. */
#ifndef KNOCK_BINDING_H
#define KNOCK_BINDING_H

#include "knock/source.h"

/* How long a STUN server or address_command may take where the profile says no timeout. */
enum { BINDING_WAIT_S = 10 };

/*
 * Sets source->bound as `profile` asks for, and source->binding to what it is and why. `source` is
 * that of source_choose() for packets to `target`. A STUN server or address_command is asked if
 * need be, until `until` (clock_now(); INT64_MAX: BINDING_WAIT_S from now), but not with
 * `only_look`, when nothing becomes known of the address. False, reported already, when there is
 * none to bind to.
 */
bool binding_choose(const struct profile *profile, const struct knock_target *target, int64_t until,
                    bool only_look, struct source *source);

/* Whether binding_choose() will ask a STUN server or address_command. */
bool binding_asks(const struct profile *profile, const struct knock_target *target,
                  const struct source *source);

#endif
