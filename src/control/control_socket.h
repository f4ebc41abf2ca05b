/* The file of the control socket. */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A socket that listens at `path`, mode 0600. One that is there already is replaced if it is ours
 * and no program listens on it. Sets *inode; -1 with one line in `why`.
 */
int control_socket_listen(const char *path, ino_t *inode, char *why, size_t why_size);

/* Removes the file if it is still the one that was made. */
void control_socket_remove(const char *path, ino_t inode);

#endif
