/*
 * Which interfaces the names in a configuration mean: a packet from the kernel names its interface
 * by a number, which changes when the interface goes and comes back. Follows the changes.
 */
#ifndef KEEPER_INTERFACES_H
#define KEEPER_INTERFACES_H

#include "lib/config.h"
#include "lib/loop.h"
#include "lib/message.h"

struct interfaces;

/* Called with each name and what it means, at first and when that has changed. */
typedef void interfaces_call(void *arg, const struct message *message);

/*
 * Follows the names that doors and sources of `config` have, INTERFACES_MAX at most; warns of those
 * that don't exist now, and of those by which no packet will be said to come. NULL and errno.
 */
struct interfaces *interfaces_open(struct loop *loop, const struct config *config,
                                   struct report *report);

/* Reports what they mean now, and from here on each change. */
void interfaces_start(struct interfaces *interfaces, interfaces_call *call, void *arg);

/* NULL is fine. */
void interfaces_close(struct interfaces *interfaces);

/* Gives the warnings alone. */
void interfaces_check(const struct config *config, struct report *report);

#endif
