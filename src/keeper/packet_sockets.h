/*
 * The sockets that bring packets without a log: a group of NFLOG, or a capture of what comes in.
 * The keeper opens and confines them; the listener reads.
 */
#ifndef KEEPER_PACKET_SOCKETS_H
#define KEEPER_PACKET_SOCKETS_H

#include "lib/config.h"

/* Sockets of one source at most: a capture has one for each family. */
enum { PACKET_SOCKETS = 2 };

/*
 * Opens the sockets of `source`, of type nflog or pcap, in `config`: returns how many, with their
 * descriptors in `fds`, which the caller owns. -1: *why says what is wrong and what to do (valid
 * until the next call).
 */
int packet_sockets_open(const struct config *config, const struct config_source *source,
                        int fds[PACKET_SOCKETS], const char **why);

#endif
