/* What stands for nflog.c in a build without libnetfilter_log. */
#include "lib/nflog.h"

#include <errno.h>

bool nflog_is_built(void)
{
    return false;
}

int nflog_group_open(unsigned group)
{
    (void)group;
    errno = ENOSYS;
    return -1;
}

bool nflog_next(const uint8_t *datagram, size_t len, size_t *at, struct nflog_packet *out)
{
    (void)datagram, (void)len, (void)at, (void)out;
    return false;
}
