/* The keys of knock.conf(5), and how each is read. */
#ifndef KNOCK_PROFILE_KEYS_H
#define KNOCK_PROFILE_KEYS_H

#include "knock/profile.h"
#include "lib/config_values.h"

enum { PROFILE_GLOBAL, PROFILE_PROFILE };

extern const struct config_schema profile_schema;

/* The key of that name; NULL: none. */
const struct config_key *profile_key(const char *name);

/* The bit of the key in profile->given. */
uint32_t profile_key_bit(const struct config_key *key);

/* The name of a key that `profile` was given though only sealed knocks have it; NULL: none. */
const char *profile_sealed_key(const struct profile *profile);

#endif
