/* Records on their way to a listener that may be slow: the keeper never waits for it. */
#ifndef KNOCKD_OUTBOX_H
#define KNOCKD_OUTBOX_H

#include "lib/loop.h"
#include "lib/record.h"

struct outbox_item;

struct outbox {
    struct loop *loop;
    int socket;
    struct outbox_item *first;
    struct outbox_item **end;
    struct watch *on_room;
};

void outbox_init(struct outbox *outbox, struct loop *loop, int socket);

/* Sends `record`, with descriptor `fd` (duplicated) unless it is -1, as soon as there is room. */
int outbox_send(struct outbox *outbox, const struct record *record, int fd);

/* Drops what wasn't sent. */
void outbox_free(struct outbox *outbox);

#endif
