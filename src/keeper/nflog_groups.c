/* Binds groups of NFLOG, and says why one can't be had. */
#include "keeper/nflog_groups.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/nflog.h"

/* A knockd that was killed leaves its listener, which has the group until it notices. */
enum { TRIES = 25 };
static const struct timespec between_tries = {.tv_nsec = 20000000};

static const char *reason(int error)
{
    switch (error) {
    case EBUSY:
        return "another program has this group, ulogd perhaps: give knockd a group of its own, "
               "here and in the firewall's rules (--nflog-group, or log group)";
    case EPERM:
        return geteuid() == 0
                   ? "it takes the capability CAP_NET_ADMIN over this network, which root lacks "
                     "here: allow it in the unit (CapabilityBoundingSet=), and in a container give "
                     "that a network of its own"
                   : "it takes the capability CAP_NET_ADMIN over this network: run knockd as root";
    case EINVAL:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
        return "this kernel has no NFLOG: load its module nfnetlink_log, in a container on the "
               "host";
    default:
        return strerror(error);
    }
}

int nflog_groups_find(const struct nflog_groups *groups, unsigned group)
{
    for (unsigned i = 0; groups && i < groups->count; i++)
        if (groups->bound[i].group == group)
            return groups->bound[i].fd;
    return -1;
}

/* Waits for one that is about to go at the start only: at a reload, doors wait for the keeper. */
static int take(unsigned group, const struct nflog_groups *before)
{
    int fd = nflog_groups_find(before, group);
    if (fd >= 0)
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    fd = nflog_group_open(group);
    for (int i = 0; fd < 0 && errno == EBUSY && !before && i < TRIES; i++) {
        nanosleep(&between_tries, NULL);
        fd = nflog_group_open(group);
    }
    return fd;
}

bool nflog_groups_open(struct nflog_groups *groups, const struct config *config,
                       const struct nflog_groups *before, struct report *report)
{
    unsigned errors = report->errors;
    groups->count = 0;
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        if (source->type != SOURCE_NFLOG)
            continue;
        int fd = take(source->group, before);
        if (fd < 0) {
            report_error(report, source->pos, "source \"%s\": can't have group %u of NFLOG: %s",
                         source->name, source->group, reason(errno));
            continue;
        }
        groups->bound[groups->count].group = source->group;
        groups->bound[groups->count++].fd = fd;
    }
    if (report->errors == errors)
        return true;
    nflog_groups_close(groups);
    return false;
}

void nflog_groups_close(struct nflog_groups *groups)
{
    while (groups->count > 0)
        close(groups->bound[--groups->count].fd);
}
