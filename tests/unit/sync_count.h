/* Counts how often this test waits for the disk: SQLite's calls come here. */
#ifndef SYNC_COUNT_H
#define SYNC_COUNT_H

#include <sys/syscall.h>
#include <unistd.h>

static unsigned syncs;

int fdatasync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fsync, fd);
}

#endif
