/* How the listener gives up everything that it could do harm with, before it reads a byte. */
#ifndef LISTENER_SANDBOX_H
#define LISTENER_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/message.h"

/* The empty folder that is the listener's whole world. */
#define SANDBOX_ROOT "/run/knockd/empty"

/*
 * Takes the limits, root, user, capabilities and filter of a listener; there is no way back. It may
 * have `memory` bytes of address space. Returns SANDBOX_DONE, or the step that failed, with errno:
 * then the process must end.
 */
enum sandbox_step sandbox_enter(uid_t uid, gid_t gid, uint64_t memory);

/* The same without the filter, so that tests can look at what is left. */
enum sandbox_step sandbox_drop(uid_t uid, gid_t gid, uint64_t memory);

/*
 * A listener's oom_score_adj beside its keeper's. The unit protects the keeper from the OOM killer,
 * since doors stay open without it. A listener that is killed is started again: it is as likely to
 * be taken as a program that nobody protects, and always likelier than its keeper.
 */
int sandbox_oom_score(int keeper);

/* What a step does, for the message when it failed. */
const char *sandbox_step_name(unsigned step);

#endif
