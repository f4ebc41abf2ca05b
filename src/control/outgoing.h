/* Bytes on their way to who reads slowly: a buffer with a bound. */
#ifndef CONTROL_OUTGOING_H
#define CONTROL_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>

struct outgoing {
    char *bytes;
    size_t len, room;
    size_t sent;
};

/* Appends; false, with nothing changed, if more than `most` bytes would wait, or memory is short.
 */
bool outgoing_add(struct outgoing *out, const char *text, size_t len, size_t most);

/* Sends as much as the socket takes. Returns the bytes sent, or -1 when the other end is gone. */
long outgoing_send(struct outgoing *out, int socket);

bool outgoing_empty(const struct outgoing *out);
void outgoing_free(struct outgoing *out);

#endif
