/*
 * The sockets of a capture of what comes in. The keeper opens and confines them; the listener
 * reads.
 */
#ifndef KEEPER_PACKET_SOCKETS_H
#define KEEPER_PACKET_SOCKETS_H

#include "lib/capture_ports.h"
#include "lib/config.h"
#include "lib/message.h"

/*
 * Opens the sockets of `source`, of type pcap: returns how many, with their descriptors in
 * `fds`, which the caller owns. A capture takes what `ports` say; its sockets can't be given
 * another filter, and hear nothing before packet_sockets_begin. -1: *why says what is wrong and
 * what to do (valid until the next call). Warnings go to `report`.
 */
int packet_sockets_open(const struct capture_ports *ports, const struct config_source *source,
                        int fds[PACKET_SOCKETS], const char **why, struct report *report);

/* Reports what is to be said of the filter of such a source, without opening anything. */
void packet_sockets_check(const struct capture_ports *ports, const struct config_source *source,
                          struct report *report);

/* From here on they hear. -1 and errno. */
int packet_sockets_begin(const int fds[PACKET_SOCKETS]);

#endif
