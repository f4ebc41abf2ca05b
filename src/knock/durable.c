/* Syncs directories: a file's own sync doesn't put its name on the disk. */
#include "knock/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool durable_name(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    /* With the slash, so that the root's name isn't empty. */
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return synced;
}
