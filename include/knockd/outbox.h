/*
 * Records on their way to a listener that may be slow: the keeper never waits for it. What waits is
 * bounded: its configuration by its own length, all that comes after that by OUTBOX_MAX.
 */
#ifndef KNOCKD_OUTBOX_H
#define KNOCKD_OUTBOX_H

#include "lib/loop.h"
#include "lib/record.h"

/* An honest listener is told of a log, a question and a ping now and then. */
enum { OUTBOX_MAX = 256 };

struct outbox_item;

struct outbox {
    struct loop *loop;
    int socket;
    struct outbox_item *first;
    struct outbox_item **end;
    struct watch *on_room;
    bool bounded;   /* the configuration has been sent, or waits */
    unsigned count; /* records that wait behind it */
};

void outbox_init(struct outbox *outbox, struct loop *loop, int socket);

/* From here on no more than OUTBOX_MAX further records may wait. */
void outbox_bound(struct outbox *outbox);

/*
 * Sends `record`, with descriptor `fd` (duplicated) unless it is -1, as soon as there is room. -1
 * and errno if it can't even wait: ENOBUFS when OUTBOX_MAX do, else there is no memory or no
 * descriptor.
 */
int outbox_send(struct outbox *outbox, const struct record *record, int fd);

/* Drops what wasn't sent. */
void outbox_free(struct outbox *outbox);

#endif
