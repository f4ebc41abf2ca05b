/* HOST[:PORT], as a STUN server is given. */
#ifndef LIB_HOST_PORT_H
#define LIB_HOST_PORT_H

#include <stdbool.h>
#include <stdint.h>

enum { HOST_PORT_MAX = 255 }; /* bytes of the host */

/*
 * Reads "host", "host:port", "[address]" or "[address]:port"; what has several colons and no
 * brackets is an IPv6 address. `*port` stays as it is where none is said. False when it is none of
 * these.
 */
bool host_port_parse(const char *text, char host[HOST_PORT_MAX + 1], uint16_t *port);

#endif
