/* The desk from within: what its parts share. */
#ifndef KNOCKD_REQUEST_PARTS_H
#define KNOCKD_REQUEST_PARTS_H

#include "knockd/generation.h"
#include "knockd/pending.h"
#include "knockd/requests.h"

struct requests {
    struct daemon *daemon;
    struct control *control; /* NULL: there is no socket */
    bool deaf;               /* there is none, which was said */
    struct pending_all errands;
    int64_t started;
    uint32_t query; /* the last one's number */
    uint64_t counts[DOOR_EVENTS];
};

/* The requests `status`, `keys` and `sources`. */
void requests_serve_status(void *desk, struct answer *answer, char *const *words);
void requests_serve_keys(void *desk, struct answer *answer, char *const *words);
void requests_serve_sources(void *desk, struct answer *answer, char *const *words);

/* The requests `doors`, `open`, `close` and `forget`. */
void requests_serve_doors(void *desk, struct answer *answer, char *const *words);
void requests_serve_open(void *desk, struct answer *answer, char *const *words);
void requests_serve_close(void *desk, struct answer *answer, char *const *words);
void requests_serve_forget(void *desk, struct answer *answer, char *const *words);

/* A whole number from 1 to `most`; 0: it isn't one. */
unsigned requests_parse_number(const char *text, unsigned most);

/* Reads an address; false after answering that it isn't one. */
bool requests_parse_address(struct answer *answer, const char *text, struct addr *address);

/* The request `watch`, and what is told to those who made it. */
void requests_serve_watch(void *desk, struct answer *answer, char *const *words);
void requests_tell_door(struct requests *desk, const struct door_event *event);

/* Asks the listener what its sources brought, and what the packets of `address` (NULL: nobody) did;
 * the answer goes on with that, rows of `depth`. */
void requests_ask_sources(struct requests *desk, struct answer *answer, unsigned depth,
                          const struct addr *address);

/* Rows of an answer to `why`. False when no honest listener says that. */
bool requests_list_packet(const struct config *config, const struct message_packet *packet,
                          struct row *row);
bool requests_list_effect(const struct config *config, const struct message_effect *effect,
                          const struct addr *address, struct row *row);

/* The request `why`. */
void requests_serve_why(void *desk, struct answer *answer, char *const *words);

#endif
