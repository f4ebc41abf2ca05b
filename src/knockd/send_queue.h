/*
 * Messages that wait to be sent to a listener. It may be slow, and the keeper never waits for it.
 * What waits is bounded: its configuration by its own length, what follows by SEND_QUEUE_MAX.
 */
#ifndef KNOCKD_SEND_QUEUE_H
#define KNOCKD_SEND_QUEUE_H

#include "lib/loop.h"
#include "lib/message.h"

/* An honest listener is sent a log, a question and a ping now and then. */
enum { SEND_QUEUE_MAX = 256 };

struct send_queue_item;

struct send_queue {
    struct loop *loop;
    int socket;
    struct send_queue_item *first;
    struct send_queue_item **end;
    struct watch *on_room;
    bool bounded;   /* the configuration has been sent, or waits */
    unsigned count; /* messages that wait behind it */
};

void send_queue_init(struct send_queue *send_queue, struct loop *loop, int socket);

/* The configuration is complete: from here on at most SEND_QUEUE_MAX further messages may wait. */
void send_queue_bound(struct send_queue *send_queue);

/*
 * Sends `message`, with descriptor `fd` (duplicated) unless it is -1, as soon as there is room. -1
 * and errno if it can't even wait: ENOBUFS when SEND_QUEUE_MAX do, else there is no memory or no
 * descriptor.
 */
int send_queue_send(struct send_queue *send_queue, const struct message *message, int fd);

/* Drops what wasn't sent. */
void send_queue_free(struct send_queue *send_queue);

#endif
