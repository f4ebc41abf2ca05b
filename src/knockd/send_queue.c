/* Sends messages to the listener as soon as there is room in the socket, in order. */
#include "knockd/send_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct send_queue_item {
    struct send_queue_item *next;
    int fd;
    bool counted;
    struct message message;
};

void send_queue_init(struct send_queue *send_queue, struct loop *loop, int socket)
{
    *send_queue = (struct send_queue){.loop = loop, .socket = socket};
    send_queue->end = &send_queue->first;
}

void send_queue_bound(struct send_queue *send_queue)
{
    send_queue->bounded = true;
}

static void drop_first(struct send_queue *send_queue)
{
    struct send_queue_item *item = send_queue->first;
    send_queue->first = item->next;
    if (!send_queue->first)
        send_queue->end = &send_queue->first;
    send_queue->count -= item->counted;
    if (item->fd >= 0)
        close(item->fd);
    free(item);
}

static void on_room(void *arg)
{
    struct send_queue *send_queue = arg;
    while (send_queue->first) {
        struct send_queue_item *item = send_queue->first;
        /* That the listener is gone is noticed by receiving from it. */
        if (message_send(send_queue->socket, &item->message, item->fd, false) == MESSAGE_NONE)
            return;
        drop_first(send_queue);
    }
    loop_unwatch(send_queue->on_room);
    send_queue->on_room = NULL;
}

int send_queue_send(struct send_queue *send_queue, const struct message *message, int fd)
{
    if (!send_queue->first && message_send(send_queue->socket, message, fd, false) != MESSAGE_NONE)
        return 0;
    if (send_queue->count == SEND_QUEUE_MAX) {
        errno = ENOBUFS;
        return -1;
    }
    struct send_queue_item *item = calloc(1, sizeof(*item));
    if (!item)
        return -1;
    item->message = *message;
    item->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    item->counted = send_queue->bounded;
    send_queue->count += item->counted;
    *send_queue->end = item;
    send_queue->end = &item->next;
    if (!send_queue->on_room)
        send_queue->on_room =
            loop_watch(send_queue->loop, send_queue->socket, LOOP_WRITE, on_room, send_queue);
    return send_queue->on_room && (fd < 0 || item->fd >= 0) ? 0 : -1;
}

void send_queue_free(struct send_queue *send_queue)
{
    while (send_queue->first)
        drop_first(send_queue);
    loop_unwatch(send_queue->on_room);
    send_queue->on_room = NULL;
}
