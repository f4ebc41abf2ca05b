/* How much may wait in a socket until it is read. */
#ifndef LIB_RECEIVE_BUFFER_H
#define LIB_RECEIVE_BUFFER_H

/* So many bytes, beyond the limit of the system where that is permitted (CAP_NET_ADMIN), else as
 * many as there may be. 0, or -1 and errno. */
int receive_buffer_set(int fd, int size);

#endif
