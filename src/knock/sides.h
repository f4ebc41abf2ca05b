/* By which families of addresses an attempt goes: for each, whom to knock at, where from, and which
 * port to wait for. */
#ifndef KNOCK_SIDES_H
#define KNOCK_SIDES_H

#include <stdio.h>

#include "knock/watch.h"

enum { SIDES_MAX = 2 };

struct side {
    struct knock_target target; /* that is knocked at */
    struct source source;       /* of the knock */
};

struct sides {
    unsigned count;
    struct side all[SIDES_MAX];
    struct watched ports[SIDES_MAX]; /* that are waited for, by the same places */
    const char *watched_name;        /* their host as the user calls it */
    char left_out[600]; /* why there is no side by one of both families; "" no reason */
};

/*
 * Finds the sides that `profile` asks for. `proxy_host` is the host whose port is waited for, NULL
 * for the one that is knocked at. Of both families one is enough; about the other a line goes to
 * `list`, if that isn't NULL. False, told already, when there is no side. *sides holds pointers
 * into `profile` and `proxy_host`.
 */
bool sides_find(const struct profile *profile, const char *proxy_host, FILE *list,
                struct sides *sides);

/* Takes out the sides whose port is open. */
void sides_leave_open(struct sides *sides);

/*
 * Chooses what the knocks of the sides are bound to, by binding_choose() (knock/binding.h). Of both
 * families a side that can't be bound, for which a STUN server or address_command has a second if
 * there is another, is taken out, as by sides_find(). False, told already, when none is left.
 */
bool sides_bind(const struct profile *profile, int64_t until, bool only_look, FILE *list,
                struct sides *sides);

#endif
