/* What a knock is to be like: a profile of knock.conf(5), or the same made of options. */
#ifndef KNOCK_PROFILE_H
#define KNOCK_PROFILE_H

#include <limits.h>

#include "knock/packets.h"
#include "lib/addr.h"
#include "lib/report.h"
#include "lib/sequence.h"

enum profile_bind { BIND_AUTO, BIND_ANY, BIND_ADDRESS, BIND_STUN, BIND_COMMAND };

#define PROFILE_UNSET UINT_MAX

/* Beside AF_INET, AF_INET6, and AF_UNSPEC for either: both at once. */
enum { FAMILY_BOTH = -1 };

struct profile {
    char *name; /* NULL: made of options alone */
    char *host;
    char *door;
    char *key;                /* path of the key file; NULL: not a sealed knock */
    char *once;               /* path of the one-time sequences */
    struct sequence sequence; /* count 0: none */
    enum packets_carrier carrier;
    struct addr open_for; /* family 0: whoever sends the knock */
    unsigned ask_port;    /* to ask the server for; 0: the door's own; PROFILE_UNSET: `port` */
    int64_t seconds;      /* ns to ask for; 0: the door's own */
    enum profile_bind bind;
    struct addr bind_address;
    char *stun;            /* HOST[:PORT] of the STUN server to ask; NULL: none */
    char *address_command; /* prints this machine's public address; NULL: none */
    bool unbound;          /* the door takes knocks that are bound to no address */
    char *interface;       /* that the packets leave by; NULL: the kernel chooses */
    unsigned port;         /* TCP, to wait for; 0: none */
    int64_t timeout;       /* ns to wait for it; 0: as long as one message takes */
    unsigned retries;      /* rounds after the first */
    unsigned delay_ms;     /* between packets; PROFILE_UNSET: as is usual for what is sent */
    unsigned span, packet_port;
    int family;     /* AF_INET, AF_INET6, AF_UNSPEC, FAMILY_BOTH */
    uint32_t given; /* a bit for each key that was given, in the order of the table */
};

/* A key's value from the command line. */
struct profile_value {
    const char *key, *text;
};

/*
 * Reads the profile called `name` from the file at `path`; NULL: begins with the
 * defaults. Then puts `count` values of the command line over it, and checks the whole. Reports
 * what is wrong, and returns false. The caller frees *profile by profile_free() either way.
 */
bool profile_load(const char *path, const char *name, const struct profile_value *values,
                  unsigned count, struct profile *profile);

/*
 * Sets *profile to the defaults, and puts `count` values of the command line over them; whether
 * they make a profile isn't checked. Otherwise like profile_load().
 */
bool profile_of_values(const struct profile_value *values, unsigned count, struct profile *profile);

/* Gets a profile of a file; `good`: it can be used to knock. */
typedef void profile_visit(const struct profile *profile, bool good);

/*
 * Reads each profile of the file at `path`, in its order, and gives it to `visit`; reports what is
 * wrong with one, and goes on. False when the file can't be read or something is wrong.
 */
bool profile_each(const char *path, profile_visit *visit);

/* The keys of the file. */
struct config_schema;
const struct config_schema *profile_schema(void);

void profile_free(struct profile *profile);

#endif
