/* The endpoints of an attempt, one for each family of addresses: where it knocks, from where, and
 * which port it waits for. */
#ifndef KNOCK_ENDPOINTS_H
#define KNOCK_ENDPOINTS_H

#include <stdio.h>

#include "knock/watch.h"

enum { ENDPOINTS_MAX = 2 };

struct endpoint {
    struct knock_target target; /* that is knocked at */
    struct source source;       /* of the knock */
};

struct endpoints {
    unsigned count;
    struct endpoint all[ENDPOINTS_MAX];
    struct watched ports[ENDPOINTS_MAX]; /* that each waits for, at the same places */
    const char *watched_name;            /* their host as the user calls it */
    char left_out[600]; /* why there is no endpoint by one of both families; "" no reason */
};

/*
 * Finds the endpoints that `profile` asks for. `proxy_host` is the host whose port is waited for,
 * NULL for the one that is knocked at. Of both families one is enough; about the other a line goes
 * to `list`, if that isn't NULL. False, reported already, when there is no endpoint. *endpoints
 * holds pointers into `profile` and `proxy_host`.
 */
bool endpoints_find(const struct profile *profile, const char *proxy_host, FILE *list,
                    struct endpoints *endpoints);

/* Takes out the endpoints whose port is open. */
void endpoints_drop_open(struct endpoints *endpoints);

/*
 * Chooses what the knocks of the endpoints are bound to, by binding_choose() (knock/binding.h). Of
 * both families an endpoint that can't be bound, for which a STUN server or address_command has a
 * second if there is another, is taken out, as by endpoints_find(). False, reported already, when
 * none is left.
 */
bool endpoints_bind(const struct profile *profile, int64_t until, bool only_look, FILE *list,
                    struct endpoints *endpoints);

#endif
