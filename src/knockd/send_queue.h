/*
 * Records on their way to a listener that may be slow: the keeper never waits for it. What waits is
 * bounded: its configuration by its own length, all that comes after that by SEND_QUEUE_MAX.
 */
#ifndef KNOCKD_SEND_QUEUE_H
#define KNOCKD_SEND_QUEUE_H

#include "lib/loop.h"
#include "lib/message.h"

/* An honest listener is told of a log, a question and a ping now and then. */
enum { SEND_QUEUE_MAX = 256 };

struct send_queue_item;

struct send_queue {
    struct loop *loop;
    int socket;
    struct send_queue_item *first;
    struct send_queue_item **end;
    struct watch *on_room;
    bool bounded;   /* the configuration has been sent, or waits */
    unsigned count; /* records that wait behind it */
};

void send_queue_init(struct send_queue *send_queue, struct loop *loop, int socket);

/* From here on no more than SEND_QUEUE_MAX further records may wait. */
void send_queue_bound(struct send_queue *send_queue);

/*
 * Sends `record`, with descriptor `fd` (duplicated) unless it is -1, as soon as there is room. -1
 * and errno if it can't even wait: ENOBUFS when SEND_QUEUE_MAX do, else there is no memory or no
 * descriptor.
 */
int send_queue_send(struct send_queue *send_queue, const struct message *message, int fd);

/* Drops what wasn't sent. */
void send_queue_free(struct send_queue *send_queue);

#endif
