/* What the files of the requests share. */
#ifndef CONTROL_REQUEST_PARTS_H
#define CONTROL_REQUEST_PARTS_H

#include "control/pending.h"
#include "control/requests.h"

struct requests {
    struct requests_services services;
    struct control *control; /* NULL: there is no socket */
    bool broken;             /* there is none, which was logged */
    struct pending_list pending;
    int64_t started;
    uint32_t query; /* number of the last question to the listener */
    uint64_t counts[DOOR_EVENTS];
};

static inline struct requests_state requests_state(const struct requests *requests)
{
    return requests->services.state(requests->services.arg);
}

/* The requests `status`, `keys` and `history`. */
void requests_serve_status(void *requests, struct answer *answer, char *const *words);
void requests_serve_keys(void *requests, struct answer *answer, char *const *words);
void requests_serve_history(void *requests, struct answer *answer, char *const *words);

/* The requests `doors`, `open`, `close` and `forget`. */
void requests_serve_doors(void *requests, struct answer *answer, char *const *words);
void requests_serve_open(void *requests, struct answer *answer, char *const *words);
void requests_serve_close(void *requests, struct answer *answer, char *const *words);
void requests_serve_forget(void *requests, struct answer *answer, char *const *words);

/* The request `sources`. */
void requests_serve_sources(void *requests, struct answer *answer, char *const *words);

/* The request `why`. */
void requests_serve_why(void *requests, struct answer *answer, char *const *words);

/* The request `watch`. */
void requests_serve_watch(void *requests, struct answer *answer, char *const *words);

/* The request `strays`: tells of rules that nobody closes, or (`strays remove`) removes those of
 * ours. */
void requests_serve_strays(void *requests, struct answer *answer, char *const *words);

/* The answer to it, after a moment in which knockctl is told to be patient. */
void requests_find_strays(void *requests, struct answer *answer, bool remove);

/* Passes an event of a door on to those who watch. */
void requests_watch_door(struct requests *requests, const struct door_event *event);

/* A whole number from 1 to `most`; 0: it isn't one. */
unsigned request_parse_number(const char *text, unsigned most);

/* Reads an address; false after answering that it isn't one. */
bool request_parse_address(struct answer *answer, const char *text, struct addr *address);

/* Adds a port as "22:tcp"; null for port 0. */
void request_row_port(struct row *row, const char *key, struct port_proto port);

/* Asks the listener for its counters, and for the packets of `address` unless that is NULL. The
 * answer goes on with them, in rows of `depth`. */
void query_listener(struct requests *requests, struct answer *answer, unsigned depth,
                    const struct addr *address);

/* Who asked question `query` and still waits for the answer; NULL: nobody. */
struct pending *query_find(struct requests *requests, uint32_t query);

/* The listener has answered its question: ends the answer of who asked it, unless that is NULL, and
 * asks the next one. */
void query_answered(struct requests *requests, struct pending *pending);

/* Answers `status` and `sources` with what the listener counted: of a source, of lines in it that
 * don't count, and for `status` alone of all packets. */
void request_list_source(const struct requests *requests, const struct pending *pending,
                         const struct config_source *source, const struct message_stats *stats);
void request_list_other(const struct pending *pending, const struct message_other *other);
void request_list_counters(const struct pending *pending, const struct message_counters *counters);

/* Answers `why` with a row for each packet, and for what the packet did to each door. */
void request_list_packet(const struct pending *pending, const struct config *config,
                         const struct message_packet *packet);
void request_list_effect(const struct pending *pending, const struct config *config,
                         const struct message_effect *effect);

#endif
