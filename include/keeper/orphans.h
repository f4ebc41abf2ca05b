/*
 * Commands of an earlier life of the keeper. A start command that still runs would open a door
 * after we found nothing to undo, so nothing is undone before they are over.
 */
#ifndef KEEPER_ORPHANS_H
#define KEEPER_ORPHANS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Takes the lock that all commands inherit, `state_dir`/commands.lock: it is free when none of them
 * is left. Waits for that at most `limit` ns, then kills the processes that inherited it. One that
 * locked the file itself is no command but a keeper at work, and then nobody is killed. Returns a
 * descriptor to be inherited by our own commands, or -1 with one line in `why`.
 */
int orphans_wait(const char *state_dir, int64_t limit, char *why, size_t why_size);

#endif
