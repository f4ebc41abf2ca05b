#include "keeper/survivors.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

/* How long those that were killed may take to be gone. */
static const int64_t last_moment = 5 * CLOCK_SECOND;

/* Tries the lock again and again until `deadline`. */
static bool lock_until(int fd, int64_t deadline)
{
    static const struct timespec pause = {.tv_nsec = 20000000};
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (clock_now() >= deadline)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static bool holds(const char *pid, const struct stat *lock)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    DIR *dir = opendir(path);
    bool found = false;
    for (const struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        struct stat st;
        found = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_dev == lock->st_dev &&
                st.st_ino == lock->st_ino;
    }
    if (dir)
        closedir(dir);
    return found;
}

/* Whoever has the file open inherited it: no number of a process has to be believed. */
static void kill_holders(int fd)
{
    struct stat lock;
    DIR *proc = fstat(fd, &lock) == 0 ? opendir("/proc") : NULL;
    for (const struct dirent *entry; proc && (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid != getpid() && holds(entry->d_name, &lock)) {
            log_warning("a command of an earlier run still runs; killing process %d", (int)pid);
            kill(pid, SIGKILL);
        }
    }
    if (proc)
        closedir(proc);
}

int survivors_wait(const char *state_dir, int64_t limit, char *why, size_t why_size)
{
    char *path = NULL;
    int fd = -1;
    if (asprintf(&path, "%s/commands.lock", state_dir) >= 0)
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (fd < 0) {
        snprintf(why, why_size, "can't open %s/commands.lock: %s", state_dir, strerror(errno));
        return -1;
    }
    if (lock_until(fd, clock_now()))
        return fd;
    log_notice("waiting for commands of an earlier run to end");
    if (lock_until(fd, clock_now() + limit))
        return fd;
    kill_holders(fd);
    if (lock_until(fd, clock_now() + last_moment))
        return fd;
    snprintf(why, why_size, "%s/commands.lock is held by a process that can't be killed",
             state_dir);
    close(fd);
    return -1;
}
