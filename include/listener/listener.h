/* The process that reads hostile text: unprivileged, sandboxed, without keys or commands. */
#ifndef LISTENER_LISTENER_H
#define LISTENER_LISTENER_H

#include <stdint.h>
#include <sys/types.h>

struct loop;

/* The descriptor on which a listener finds its socket to the keeper when it starts. */
enum { LISTENER_SOCKET = 3 };

/*
 * Drops all privilege, and takes a limit of `memory` bytes of address space, reports to the keeper
 * if that failed, then serves until the keeper closes the socket. Returns the exit status.
 */
int listener_main(uid_t uid, gid_t gid, uint64_t memory);

/* The part of it behind the sandbox, so that tests can run it: serves the keeper at the other end
 * of `socket`. Returns the exit status. */
int listener_serve(struct loop *loop, int socket);

#endif
