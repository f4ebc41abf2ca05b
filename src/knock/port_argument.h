/* PORT[:PROTO] as the client's arguments write it, numbers or names of services. */
#ifndef KNOCK_PORT_ARGUMENT_H
#define KNOCK_PORT_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sequence.h"

/* Finds the port of a service, 0 when there is none of that name for `proto` (IPPROTO_...). */
typedef uint16_t knock_service(const char *name, uint8_t proto);

/* The system's services(5). */
knock_service knock_service_lookup;

/*
 * Reads "port" or "port:proto", port 1-65535 or what `service` knows, proto tcp or udp in any case
 * and `proto` when not said. On error returns false and points *why to what was expected.
 */
bool knock_port_parse(const char *text, uint8_t proto, knock_service *service,
                      struct port_proto *out, const char **why);

#endif
