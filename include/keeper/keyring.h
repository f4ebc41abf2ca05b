/*
 * The keys of sealed knocks: those that doors name, read from key_dir/NAME.key, with what follows
 * from their secrets in locked memory.
 */
#ifndef KEEPER_KEYRING_H
#define KEEPER_KEYRING_H

#include "keeper/key_index.h"
#include "lib/config.h"
#include "lib/limit.h"

struct key {
    const char *name;         /* the configuration's */
    int64_t expires;          /* s since 1970, the first moment at which it isn't good */
    struct config_list doors; /* names; not set: any */
    struct limit rate;        /* of its messages */
    bool known;               /* whether `last` has been looked up */
    uint64_t last;            /* time of the last message that was used up */
    bool used;                /* one was, as far as the store knows */
    struct addr last_from;    /* whence it came; family 0: it didn't in this run */
    int64_t last_came;        /* when, ns */
    bool fresh;               /* it wasn't in force before: see keeper/in_force.h */
    uint64_t since;           /* its messages up to that time aren't good */
};

/* A door that sealed knocks open. */
struct keyed_door {
    uint8_t id[SEALED_DOOR_SIZE];
    unsigned number;
};

struct keyring {
    unsigned count;
    struct key *keys;           /* by name */
    struct sealed_key *secrets; /* of the same numbers */
    struct key_index *index;
    unsigned door_count;
    struct keyed_door *doors;
    bool unbound;           /* a door takes messages that aren't bound to their source */
    bool unbound_fresh;     /* none did before */
    uint64_t unbound_since; /* of all keys, unbound messages up to that time aren't good */
};

/*
 * Loads the keys that the doors of `config` name, which must live as long; none if no door takes
 * sealed knocks. `now` in s since 1970 tells which are expired; of those, and of files that aren't
 * there, it only warns: so a key is taken away. Refuses a folder or a
 * file that others may write to, another server's key, and one secret under two names. NULL after
 * telling `report`.
 */
struct keyring *keyring_load(const struct config *config, int64_t now, struct report *report);

/* `keyring` takes the place of `old`: what was in force there isn't fresh. */
void keyring_follow(struct keyring *keyring, const struct keyring *old);

/* Whether a message of key number `key` may have been refused before the key was in force. */
bool keyring_is_early(const struct keyring *keyring, unsigned key, bool bound, uint64_t time);

/* Whether its file lets the key open a door of this name. */
bool key_may_open(const struct key *key, const char *door);

/* Wipes and frees it. NULL is fine. */
void keyring_free(struct keyring *keyring);

#endif
