#include "control/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool outgoing_empty(const struct outgoing *out)
{
    return out->sent == out->len;
}

static bool make_room(struct outgoing *out, size_t needed)
{
    if (needed <= out->room)
        return true;
    size_t room = out->room ? out->room : 4096;
    while (room < needed)
        room *= 2;
    char *bytes = realloc(out->bytes, room);
    if (!bytes)
        return false;
    out->bytes = bytes;
    out->room = room;
    return true;
}

bool outgoing_add(struct outgoing *out, const char *text, size_t len, size_t most)
{
    size_t waiting = out->len - out->sent;
    if (waiting + len > most)
        return false;
    /* What was sent is dropped when there is more of it than of the rest, so that it costs little.
     */
    if (out->sent > waiting) {
        memmove(out->bytes, out->bytes + out->sent, waiting);
        out->sent = 0;
        out->len = waiting;
    }
    if (!make_room(out, out->len + len))
        return false;
    memcpy(out->bytes + out->len, text, len);
    out->len += len;
    return true;
}

long outgoing_send(struct outgoing *out, int socket)
{
    long total = 0;
    while (!outgoing_empty(out)) {
        ssize_t sent =
            send(socket, out->bytes + out->sent, out->len - out->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? total : -1;
        out->sent += (size_t)sent;
        total += sent;
    }
    return total;
}

void outgoing_free(struct outgoing *out)
{
    free(out->bytes);
    *out = (struct outgoing){0};
}
