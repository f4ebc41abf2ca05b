/*
 * Captures of packets, by libpcap: their filters, and reading their files. The only header that
 * stands for libpcap; a build without it has capture_absent.c.
 */
#ifndef LIB_CAPTURE_H
#define LIB_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/capture_ports.h"

/* Whether this build has libpcap. */
bool capture_is_built(void);

/* --- filters --- */

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

/* --- files --- */

enum { CAPTURE_ERROR_SIZE = 256 };

/* Where the bytes of a capture come from. Returns how many were put into `out`; 0: there are no
 * more; -1 and errno. */
typedef long capture_read(void *arg, char *out, size_t size);

/* A packet of a capture, valid until the next one is read. */
struct capture_packet {
    const uint8_t *bytes; /* from the link's header on */
    size_t len;           /* captured */
    size_t whole;         /* that there were on the wire */
    int64_t time;         /* ns since 1970 */
    bool has_time;        /* its time is one that ns can hold */
};

enum capture_result {
    CAPTURE_PACKET,
    CAPTURE_END,
    CAPTURE_BROKEN, /* `error` says how; nothing that follows can be read */
};

struct capture;

/*
 * Begins to read a capture of any kind that libpcap reads, whose bytes `read` brings, for as long
 * as it is read. NULL when it is none, with the reason in `error`; else the caller frees it.
 */
struct capture *capture_open(capture_read *read, void *arg, char error[CAPTURE_ERROR_SIZE]);

/* The link that all its packets are of, as listener/link_header.h numbers them, and what people
 * call it. */
int capture_link(const struct capture *capture);
const char *capture_link_name(const struct capture *capture);

enum capture_result capture_next(struct capture *capture, struct capture_packet *out,
                                 char error[CAPTURE_ERROR_SIZE]);

void capture_free(struct capture *capture);

#endif
