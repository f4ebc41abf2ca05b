/* Sets the receive buffer of a socket. */
#include "lib/receive_buffer.h"

#include <sys/socket.h>

int receive_buffer_set(int fd, int size)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == 0)
        return 0;
    return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}
