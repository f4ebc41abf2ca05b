/* Messages of STUN (RFC 8489): the question which address a server sees, and its answer. Pure. */
#ifndef KNOCK_STUN_MESSAGE_H
#define KNOCK_STUN_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

/* A transaction's id, the request, the most that an answer by UDP has, and a reason's text. */
enum { STUN_ID_SIZE = 12, STUN_REQUEST_SIZE = 20, STUN_ANSWER_MAX = 1500, STUN_REASON_SIZE = 81 };

enum stun_kind {
    STUN_OTHER,   /* no answer to this request */
    STUN_ADDRESS, /* holds the address */
    STUN_ERROR,   /* the server refuses, with a reason */
    STUN_UNCLEAR, /* answers the request, but not so that it can be used */
};

struct stun_answer {
    enum stun_kind kind;
    struct addr address;           /* STUN_ADDRESS */
    unsigned code;                 /* STUN_ERROR: 300 to 699 */
    char reason[STUN_REASON_SIZE]; /* STUN_ERROR: printable ASCII, may be empty */
};

/* Writes the binding request with that random transaction id. */
void stun_request(const uint8_t id[STUN_ID_SIZE], uint8_t out[STUN_REQUEST_SIZE]);

/*
 * Reads the `len` bytes of a datagram as the answer to the request with that id. The address is
 * that of XOR-MAPPED-ADDRESS; of a server of RFC 3489, which has none, that of MAPPED-ADDRESS. A
 * message that holds an attribute that has to be understood, and isn't, is unclear.
 */
void stun_read(const uint8_t *bytes, size_t len, const uint8_t id[STUN_ID_SIZE],
               struct stun_answer *out);

#endif
