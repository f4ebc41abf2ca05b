/* How the listener gives up everything that it could do harm with, before it hears a byte. */
#ifndef LISTENER_SANDBOX_H
#define LISTENER_SANDBOX_H

#include <sys/types.h>

/* The empty folder that is the listener's whole world. */
#define SANDBOX_ROOT "/run/knockd/empty"

enum sandbox_step {
    SANDBOX_DONE,
    SANDBOX_LIMITS,
    SANDBOX_CHROOT,
    SANDBOX_USER,
    SANDBOX_REGAIN, /* the privilege could be taken back */
    SANDBOX_NO_NEW_PRIVS,
    SANDBOX_FILTER,
    SANDBOX_STEPS,
};

/*
 * Takes the limits, root, user and filter of a listener; there is no way back. Returns
 * SANDBOX_DONE, or the step that failed, with errno: then the process must end.
 */
enum sandbox_step sandbox_enter(uid_t uid, gid_t gid);

/* What a step does, for the message when it failed. */
const char *sandbox_step_name(unsigned step);

#endif
