/*
 * Filters of captures. The only header that stands for libpcap; a build without it has
 * capture_absent.c.
 */
#ifndef LIB_CAPTURE_H
#define LIB_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/capture_ports.h"

/* Whether this build can compile filters. */
bool capture_is_built(void);

struct capture_filter;
struct sock_filter;

/*
 * Compiles the filter for packets of `family` (4 or 6) that begin with the IP header. NULL with a
 * line in `why`; the caller frees it.
 */
struct capture_filter *capture_filter_new(const struct capture_ports *ports, int family, char *why,
                                          size_t size);
void capture_filter_free(struct capture_filter *filter);

/* Ports that it takes beyond those wanted: capture_ports_write. */
unsigned capture_filter_widened(const struct capture_filter *filter);

/* For SO_ATTACH_FILTER: *count instructions, which the filter owns. Takes CAPTURE_COPIED bytes of
 * the packets that are for this host (PACKET_HOST), and of them those that it is for. */
const struct sock_filter *capture_filter_program(const struct capture_filter *filter,
                                                 unsigned *count);

/* Whether it takes the packet of `len` bytes, that for this host. */
bool capture_filter_takes(const struct capture_filter *filter, const uint8_t *bytes, size_t len);

#endif
