/* Waits for the commands of an earlier run, which are orphans by now, and kills what stays. */
#include "keeper/orphans.h"

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

enum holding { HOLDS_NOT, INHERITED, TOOK_IT };

/*
 * Whether the process `pid` locked the file itself: the kernel names the process that did, also
 * where the descriptor was inherited from it (proc(5), fdinfo).
 */
static bool took_lock(const char *pid, const char *fd)
{
    char path[64], line[160];
    int taker = -1;
    snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
    FILE *file = fopen(path, "re");
    while (file && taker < 0 && fgets(line, sizeof(line), file))
        if (sscanf(line, "lock: %*d: FLOCK %*s WRITE %d", &taker) != 1)
            taker = -1;
    if (file)
        fclose(file);
    return taker > 0 && taker == atoi(pid);
}

static enum holding holding_of(const char *pid, const struct stat *lock)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    DIR *dir = opendir(path);
    enum holding holding = HOLDS_NOT;
    for (const struct dirent *entry; dir && holding != TOOK_IT && (entry = readdir(dir));) {
        struct stat st;
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_dev == lock->st_dev &&
            st.st_ino == lock->st_ino)
            holding = took_lock(pid, entry->d_name) ? TOOK_IT : INHERITED;
    }
    if (dir)
        closedir(dir);
    return holding;
}

/* Calls each(arg, pid, holding) for every process but this one that has the lock's file open. */
static void each_holder(int fd, void (*each)(void *arg, pid_t pid, enum holding holding), void *arg)
{
    struct stat lock;
    DIR *proc = fstat(fd, &lock) == 0 ? opendir("/proc") : NULL;
    for (const struct dirent *entry; proc && (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        enum holding holding = pid == getpid() ? HOLDS_NOT : holding_of(entry->d_name, &lock);
        if (holding != HOLDS_NOT)
            each(arg, pid, holding);
    }
    if (proc)
        closedir(proc);
}

static void note_keeper(void *arg, pid_t pid, enum holding holding)
{
    if (holding == TOOK_IT)
        *(pid_t *)arg = pid;
}

/* A command inherits the lock. Who took it himself is a keeper, and it lives. 0: there is none. */
static pid_t living_keeper(int fd)
{
    pid_t keeper = 0;
    each_holder(fd, note_keeper, &keeper);
    return keeper;
}

static void kill_command(void *arg, pid_t pid, enum holding holding)
{
    (void)arg;
    if (holding != INHERITED)
        return;
    log_warning("a command of an earlier run still runs; killing process %d", (int)pid);
    kill(pid, SIGKILL);
}

int orphans_wait(const char *state_dir, int64_t limit, char *why, size_t why_size)
{
    char *path = NULL;
    int fd = -1;
    if (asprintf(&path, "%s/commands.lock", state_dir) >= 0)
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* On a disk that has become read-only, a lock is one all the same. */
    if (fd < 0 && path && errno == EROFS)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    if (fd < 0) {
        snprintf(why, why_size, "can't open %s/commands.lock: %s", state_dir, strerror(errno));
        return -1;
    }
    if (lock_until(fd, clock_now()))
        return fd;
    /* Its commands are at their work: nothing of it is waited for, still less killed. */
    pid_t keeper = living_keeper(fd);
    if (!keeper) {
        log_notice("waiting for commands of an earlier run to end");
        if (lock_until(fd, clock_now() + limit))
            return fd;
        keeper = living_keeper(fd);
    }
    if (!keeper) {
        each_holder(fd, kill_command, NULL);
        if (lock_until(fd, clock_now() + last_moment))
            return fd;
    }
    if (keeper)
        snprintf(why, why_size,
                 "another knockd is running: process %d has locked %s/commands.lock; end it first",
                 (int)keeper, state_dir);
    else
        snprintf(why, why_size, "%s/commands.lock is held by a process that can't be killed",
                 state_dir);
    close(fd);
    return -1;
}
