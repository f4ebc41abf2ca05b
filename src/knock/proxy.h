/* Passing bytes between standard input and output and a connection, as ssh's ProxyCommand does. */
#ifndef KNOCK_PROXY_H
#define KNOCK_PROXY_H

#include <stdbool.h>

/*
 * Passes bytes both ways until both have ended, or the peer's way has and nobody reads: the end of
 * standard input is passed on, and what the peer still sends comes through. Closes `fd`. False,
 * reported already, when the connection broke.
 */
bool proxy_relay(int fd);

#endif
