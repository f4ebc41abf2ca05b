/* What stands for capture.c in a build without libpcap. */
#include <stdio.h>

#include "lib/capture.h"

bool capture_is_built(void)
{
    return false;
}

struct capture_filter *capture_filter_new(const struct capture_ports *ports, int family, char *why,
                                          size_t size)
{
    (void)ports, (void)family;
    snprintf(why, size,
             "this knockd was built without libpcap: install libpcap-dev, and build it again");
    return NULL;
}

void capture_filter_free(struct capture_filter *filter)
{
    (void)filter;
}

unsigned capture_filter_widened(const struct capture_filter *filter)
{
    (void)filter;
    return 0;
}

const struct sock_filter *capture_filter_program(const struct capture_filter *filter,
                                                 unsigned *count)
{
    (void)filter;
    *count = 0;
    return NULL;
}

bool capture_filter_takes(const struct capture_filter *filter, const uint8_t *bytes, size_t len)
{
    (void)filter, (void)bytes, (void)len;
    return false;
}

struct capture *capture_open(capture_read *read, void *arg, char error[CAPTURE_ERROR_SIZE])
{
    (void)read, (void)arg;
    snprintf(error, CAPTURE_ERROR_SIZE, "this knockd was built without libpcap");
    return NULL;
}

int capture_link(const struct capture *capture)
{
    (void)capture;
    return -1;
}

const char *capture_link_name(const struct capture *capture)
{
    (void)capture;
    return "unknown";
}

enum capture_result capture_next(struct capture *capture, struct capture_packet *out,
                                 char error[CAPTURE_ERROR_SIZE])
{
    (void)capture, (void)out, (void)error;
    return CAPTURE_END;
}

void capture_free(struct capture *capture)
{
    (void)capture;
}
