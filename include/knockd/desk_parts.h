/* The desk from within: what its parts share. */
#ifndef KNOCKD_DESK_PARTS_H
#define KNOCKD_DESK_PARTS_H

#include "knockd/desk.h"
#include "knockd/errand.h"
#include "knockd/regime.h"

struct desk {
    struct daemon *daemon;
    struct control *control; /* NULL: there is no socket */
    bool deaf;               /* there is none, which was said */
    struct errands errands;
    int64_t started;
    uint32_t query; /* the last one's number */
    uint64_t counts[DOOR_EVENTS];
};

/* The requests `status`, `keys` and `sources`. */
void desk_serve_status(void *desk, struct answer *answer, char *const *words);
void desk_serve_keys(void *desk, struct answer *answer, char *const *words);
void desk_serve_sources(void *desk, struct answer *answer, char *const *words);

/* The requests `doors`, `open`, `close` and `forget`. */
void desk_serve_doors(void *desk, struct answer *answer, char *const *words);
void desk_serve_open(void *desk, struct answer *answer, char *const *words);
void desk_serve_close(void *desk, struct answer *answer, char *const *words);
void desk_serve_forget(void *desk, struct answer *answer, char *const *words);

/* A whole number from 1 to `most`; 0: it isn't one. */
unsigned desk_parse_number(const char *text, unsigned most);

/* Reads an address; false after answering that it isn't one. */
bool desk_parse_address(struct answer *answer, const char *text, struct addr *address);

/* The request `watch`, and what is told to those who made it. */
void desk_serve_watch(void *desk, struct answer *answer, char *const *words);
void desk_tell_door(struct desk *desk, const struct door_event *event);

/* Asks the listener what its sources brought, and what the packets of `address` (NULL: nobody) did;
 * the answer goes on with that, rows of `depth`. */
void desk_ask_sources(struct desk *desk, struct answer *answer, unsigned depth,
                      const struct addr *address);

/* Rows of an answer to `why`. False when no honest listener says that. */
bool desk_list_packet(const struct config *config, const struct record_packet *packet,
                      struct row *row);
bool desk_list_effect(const struct config *config, const struct record_effect *effect,
                      const struct addr *address, struct row *row);

/* The request `why`. */
void desk_serve_why(void *desk, struct answer *answer, char *const *words);

#endif
