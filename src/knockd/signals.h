/* SIGTERM, SIGINT and SIGHUP as events of the loop: no handler ever interrupts anything. */
#ifndef KNOCKD_SIGNALS_H
#define KNOCKD_SIGNALS_H

#include "lib/loop.h"

struct signals;

/*
 * Blocks the three, and SIGPIPE, and calls caught(arg, number) for each that comes. NULL and
 * errno.
 */
struct signals *signals_watch(struct loop *loop, void (*caught)(void *arg, int number), void *arg);
void signals_free(struct signals *signals);

#endif
