/*
 * Whose a sealed message is, and whether it may have what it asks for. Pure: the caller brings the
 * time, remembers what was used up, and opens and closes.
 *
 *   stale? -> unknown? -> unheard? -> a copy, or replayed? -> used up, durably -> expired? -> door?
 * key? bound? allowed? port? -> open or close
 *
 * The order is part of the protocol, knock-protocol(7): what a stranger can cause costs least, and
 * what is refused for a door's sake can't be sent again once the door's configuration permits it.
 */
#ifndef KEEPER_UNSEAL_H
#define KEEPER_UNSEAL_H

#include "keeper/keyring.h"
#include "lib/message.h"

enum unseal_verdict {
    UNSEAL_GOOD,
    /* what anyone can cause */
    UNSEAL_STALE,
    UNSEAL_UNKNOWN,
    UNSEAL_REPLAYED,
    UNSEAL_NEW_STATE, /* the state, or after a crash the key, is so new that it may be a replay */
    UNSEAL_COPY,      /* the message that was served last, from the same address: one more round of
                       * it; or another source brought it */
    UNSEAL_UNHEARD,   /* its door doesn't hear the source that brought it: not used up */
    /* what only a key can, from here on */
    UNSEAL_HASTY,
    UNSEAL_UNRECORDED,
    UNSEAL_EXPIRED,
    UNSEAL_NO_DOOR,
    UNSEAL_OTHER_DOOR,
    UNSEAL_UNBOUND,
    UNSEAL_FOR_OTHERS,
    UNSEAL_NO_HOST,
    UNSEAL_NOT_ALLOWED,
    UNSEAL_PORT,
    UNSEAL_OP,
    UNSEAL_DOOR, /* the door doesn't open, for a reason of its own */
    UNSEAL_NOTHING,
    UNSEAL_VERDICTS,
};

/* A message that one of our keys has made. */
struct unsealed {
    unsigned key; /* its number */
    uint64_t time;
    bool bound;      /* to the source that it came from */
    uint32_t source; /* of the configuration: which heard it */
    struct sealed_request request;
};

/* What a message asks for, in terms of the configuration. */
struct sealed_wish {
    const struct config_door *door; /* NULL: the message names none of ours */
    unsigned number;                /* of the door */
    enum sealed_op op;
    struct addr address;    /* to open or close for */
    struct port_proto port; /* to open; when closing, port 0 is all that the key opened */
    int64_t length;         /* ns */
};

/*
 * The first half: stale, unknown, or by whom it is. `now` as sealed_time has it, `skew` in ns.
 * The message has passed inbound.h.
 */
enum unseal_verdict unseal_open(const struct keyring *keyring, const struct message_sealed *msg,
                                uint64_t now, int64_t skew, struct unsealed *out);

/*
 * The second half, once the message is used up; `now` in s since 1970. Sets *out as far as it gets.
 */
enum unseal_verdict unseal_validate(const struct config *config, const struct keyring *keyring,
                                    const struct unsealed *message, const struct addr *source,
                                    int64_t now, struct sealed_wish *out);

/* The keyed door of that id, and its number; NULL: there is none. */
const struct config_door *unseal_door(const struct config *config, const struct keyring *keyring,
                                      const uint8_t id[SEALED_DOOR_SIZE], unsigned *number);

/* Why a message was refused, for people: "stale: ...". */
const char *unseal_reason(enum unseal_verdict verdict);

#endif
