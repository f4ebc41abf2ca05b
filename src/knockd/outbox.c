#include "knockd/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct outbox_item {
    struct outbox_item *next;
    int fd;
    bool counted;
    struct record record;
};

void outbox_init(struct outbox *outbox, struct loop *loop, int socket)
{
    *outbox = (struct outbox){.loop = loop, .socket = socket};
    outbox->end = &outbox->first;
}

void outbox_bound(struct outbox *outbox)
{
    outbox->bounded = true;
}

static void drop_first(struct outbox *outbox)
{
    struct outbox_item *item = outbox->first;
    outbox->first = item->next;
    if (!outbox->first)
        outbox->end = &outbox->first;
    outbox->count -= item->counted;
    if (item->fd >= 0)
        close(item->fd);
    free(item);
}

static void on_room(void *arg)
{
    struct outbox *outbox = arg;
    while (outbox->first) {
        struct outbox_item *item = outbox->first;
        /* A listener that is gone is noticed by the one who reads. */
        if (record_send(outbox->socket, &item->record, item->fd, false) == RECORD_NONE)
            return;
        drop_first(outbox);
    }
    loop_unwatch(outbox->on_room);
    outbox->on_room = NULL;
}

int outbox_send(struct outbox *outbox, const struct record *record, int fd)
{
    if (!outbox->first && record_send(outbox->socket, record, fd, false) != RECORD_NONE)
        return 0;
    if (outbox->count == OUTBOX_MAX) {
        errno = ENOBUFS;
        return -1;
    }
    struct outbox_item *item = calloc(1, sizeof(*item));
    if (!item)
        return -1;
    item->record = *record;
    item->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    item->counted = outbox->bounded;
    outbox->count += item->counted;
    *outbox->end = item;
    outbox->end = &item->next;
    if (!outbox->on_room)
        outbox->on_room = loop_watch(outbox->loop, outbox->socket, LOOP_WRITE, on_room, outbox);
    return outbox->on_room && (fd < 0 || item->fd >= 0) ? 0 : -1;
}

void outbox_free(struct outbox *outbox)
{
    while (outbox->first)
        drop_first(outbox);
    loop_unwatch(outbox->on_room);
    outbox->on_room = NULL;
}
