/* Opens the sockets that bring packets without a log. */
#include "keeper/packet_sockets.h"

#include <errno.h>
#include <string.h>

#include "lib/nflog.h"

static int open_nflog(const struct config_source *source, int fds[PACKET_SOCKETS], const char **why)
{
    fds[0] = nflog_group_open(source->group);
    if (fds[0] >= 0)
        return 1;
    *why = errno == ENOSYS  ? "this knockd was built without libnetfilter_log: install "
                              "libnetfilter-log-dev, and build it again"
           : errno == EBUSY ? "another program has the group, ulogd perhaps: choose another group, "
                              "here and in the firewall's rules"
                            : strerror(errno);
    return -1;
}

int packet_sockets_open(const struct config *config, const struct config_source *source,
                        int fds[PACKET_SOCKETS], const char **why)
{
    (void)config;
    if (source->type == SOURCE_NFLOG)
        return open_nflog(source, fds, why);
    *why = "this knockd was built without libpcap: install libpcap-dev, and build it again";
    return -1;
}
