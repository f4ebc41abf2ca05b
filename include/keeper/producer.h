/* A program that writes log lines: journalctl, or any command. Started again when it ends. */
#ifndef KEEPER_PRODUCER_H
#define KEEPER_PRODUCER_H

#include "keeper/program.h"
#include "lib/loop.h"

/* Tells `report` if the program of `source` can't be run; nothing for sources that have none. */
void producer_check(const struct config_source *source, struct report *report);

struct producer;

/*
 * A producer for `source`, which must live as long; it runs as the listener's `user` with the
 * groups that reading logs takes. Whenever it is started, opened(arg, fd) gets the descriptor to
 * read from, which is closed afterwards. NULL and errno.
 */
struct producer *producer_new(struct loop *loop, const struct config_source *source,
                              const char *user, void (*opened)(void *arg, int fd), void *arg);

/* Starts it for the first time. */
void producer_start(struct producer *producer);

/* Ends the program with all that it started. NULL is fine. */
void producer_free(struct producer *producer);

#endif
