/* knockctl key: the files of sealed keys, on the server. It needs no running knockd. */
#ifndef KNOCKCTL_KEY_H
#define KNOCKCTL_KEY_H

#include "lib/config.h"
#include "lib/key_file.h"

enum { KEY_DOORS_MAX = 64 };

struct key_options {
    const char *config;               /* path of the configuration */
    const char *name;                 /* of the key; NULL: not given */
    const char *expires;              /* its last day; NULL: never */
    const char *doors[KEY_DOORS_MAX]; /* that it may open; none: whatever names it */
    unsigned door_count;
    bool roaming;     /* its knocks are bound to no address */
    const char *stun; /* HOST[:PORT] of a STUN server for its profiles; NULL: none */
    bool json;
};

/* Each prints its own messages, and returns the exit status. */
int key_new(const struct config *config, const struct key_options *options);
int key_list(const struct config *config, const struct key_options *options);

#endif
