/*
 * The last refused knock of each address: for `knockctl why`, and so that one address's junk
 * takes no other's place in the log. Pure but for the memory that is taken once.
 *
 * It remembers REFUSAL_LOG_MAX addresses. A newcomer replaces the oldest of the four that its own
 * may stand beside; which these are follows from a key, so that nobody can choose whom to replace.
 */
#ifndef KEEPER_REFUSAL_LOG_H
#define KEEPER_REFUSAL_LOG_H

#include "lib/addr.h"
#include "lib/config.h"
#include "lib/limit.h"

enum { REFUSAL_LOG_MAX = 4096, REFUSAL_RATE = 1, REFUSAL_BURST = 20 /* logged, of an address */ };

struct refusal {
    struct addr address;            /* family 0: none */
    char door[CONFIG_NAME_MAX + 1]; /* which refused a complete sequence; "": a sealed knock */
    const char *why;                /* not freed */
    int64_t apart; /* s by which its time was ahead of this host's clock, if that is why; else 0 */
    int64_t time;  /* the last one, ns */
    uint32_t count;
    struct limit rate;
};

struct refusal_log;

/* `key`: 16 random bytes. NULL when memory is short. */
struct refusal_log *refusal_log_new(const uint8_t key[16]);
void refusal_log_free(struct refusal_log *log);

/*
 * Notes the refusal of a sealed knock, or of a complete sequence by `door` (NULL: the former), from
 * `address` at `now` (ns, never going back); `why` must stay. Returns whether its address has been
 * told of little enough lately to be told of once more.
 */
bool refusal_log_note(struct refusal_log *log, const struct addr *address, const char *door,
                      const char *why, int64_t apart, int64_t now);

/* The last refusal of `address`; NULL: none is remembered. Good until the next is noted. */
const struct refusal *refusal_log_find(const struct refusal_log *log, const struct addr *address);

#endif
