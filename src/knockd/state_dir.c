/*
 * The life of the state folder's locks: taken at the start, the folder's first -> held for as long
 * as knockd runs, even if their files are removed -> checked whenever something in the folder
 * changes, and made again where a file is missing.
 *
 * A lock belongs to an inode. If somebody removes the lock's file, or moves the folder away, the
 * running knockd has a lock that no other knockd can find. So the folder is locked as well as the
 * file.
 *
 * Which folder a configuration has is noted in /run while its doors may be open: at the next start
 * the file may name another folder, or be unreadable. The configuration is locked there, too: where
 * the state folder was moved, a second knockd would find another one, which isn't locked.
 */
#include "knockd/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keeper/orphans.h"
#include "knockd/safe_folder.h"

static const struct state_dir untaken = {.folder = -1, .lock = -1, .commands = -1, .claim = -1};

static const char lock_name[] = "lock", commands_name[] = "commands.lock";

/* How often a lock is tried, 20 ms apart. At a start, a command that an earlier run had just forked
 * may still hold it; a knockd that runs checks again anyway, and doesn't wait. */
enum { TRIES_TO_START = 26, TRIES_TO_MEND = 1 };

static int try_lock(int fd, int tries)
{
    static const struct timespec pause = {.tv_nsec = 20000000};
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 1; rc < 0 && errno == EWOULDBLOCK && i < tries; i++) {
        nanosleep(&pause, NULL);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    return rc;
}

static bool same_file(int fd, int folder, const char *name)
{
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static int open_lock(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* On a disk that has become read-only, a lock is one all the same. */
    return fd < 0 && errno == EROFS ? openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : fd;
}

/* Opens and locks the file. One that is renamed or removed before it is locked is no lock that
 * another knockd would find: then it is made again. */
static int lock_file(int folder, const char *name, int tries)
{
    for (int i = 0; i < 10; i++) {
        int fd = open_lock(folder, name);
        if (fd < 0)
            return -1;
        if (try_lock(fd, tries) < 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        if (same_file(fd, folder, name))
            return fd;
        close(fd);
    }
    errno = EAGAIN;
    return -1;
}

/* Opens and locks the folder. Some file systems, NFS for one, lock no folders: there the file has
 * to do; and where others may open the folder, since they could lock it as well, and so keep knockd
 * out. */
static int lock_folder(const char *path, int tries)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)) != 0)
        return fd;
    if (fd < 0 || try_lock(fd, tries) == 0 || errno != EWOULDBLOCK)
        return fd;
    close(fd);
    errno = EWOULDBLOCK;
    return -1;
}

/* Puts the reason in `why`, by errno. */
static enum state_dir_taken not_taken(const char *path, char *why, size_t why_size)
{
    bool busy = errno == EWOULDBLOCK;
    char lock[4096];
    snprintf(lock, sizeof(lock), "%s/%s", path, lock_name);
    if (busy)
        snprintf(why, why_size, "another knockd is running: it holds %s%s",
                 access(lock, F_OK) == 0 ? lock : path,
                 access(lock, F_OK) == 0 ? "" : ", from which the file of its lock was removed");
    else
        snprintf(why, why_size, "can't lock %s: %s", lock, strerror(errno));
    return busy ? STATE_DIR_BUSY : STATE_DIR_REFUSED;
}

/* Opens and locks what is at `path` now. */
static enum state_dir_taken take_locks(struct state_dir *dir, const char *path, int tries,
                                       char *why, size_t why_size)
{
    dir->folder = lock_folder(path, tries);
    if (dir->folder < 0)
        return not_taken(path, why, why_size);
    dir->lock = lock_file(dir->folder, lock_name, tries);
    if (dir->lock >= 0)
        return STATE_DIR_TAKEN;
    enum state_dir_taken taken = not_taken(path, why, why_size);
    close(dir->folder);
    dir->folder = -1;
    return taken;
}

enum state_dir_taken state_dir_take(struct state_dir *dir, const char *path, char *why,
                                    size_t why_size)
{
    *dir = untaken;
    if (!safe_folder_check(path, why, why_size))
        return STATE_DIR_REFUSED;
    enum state_dir_taken taken = take_locks(dir, path, TRIES_TO_START, why, why_size);
    if (taken == STATE_DIR_TAKEN && !(dir->path = strdup(path))) {
        snprintf(why, why_size, "out of memory");
        taken = STATE_DIR_REFUSED;
        state_dir_release(dir);
    }
    return taken;
}

bool state_dir_wait(struct state_dir *dir, int64_t limit, char *why, size_t why_size)
{
    dir->commands = orphans_wait(dir->path, limit, why, why_size);
    return dir->commands >= 0;
}

static void close_locks(struct state_dir *dir)
{
    int fds[] = {dir->commands, dir->lock, dir->folder};
    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    dir->commands = dir->lock = dir->folder = -1;
}

void state_dir_release(struct state_dir *dir)
{
    if (dir->path)
        close_locks(dir);
    if (dir->path && dir->claim >= 0)
        close(dir->claim);
    free(dir->path);
    *dir = untaken;
}

/* Makes and locks the file again if it was removed, and closes the removed one. */
static enum state_dir_found mend_lock(const struct state_dir *dir, int *fd, const char *name,
                                      char *why, size_t why_size)
{
    if (*fd < 0 || same_file(*fd, dir->folder, name))
        return STATE_DIR_WHOLE;
    int made = lock_file(dir->folder, name, TRIES_TO_MEND);
    if (made < 0) {
        snprintf(why, why_size, "%s/%s was removed while knockd runs, and can't be made again: %s",
                 dir->path, name,
                 errno == EWOULDBLOCK ? "another process has locked it" : strerror(errno));
        return STATE_DIR_BROKEN;
    }
    close(*fd);
    *fd = made;
    snprintf(why, why_size, "%s/%s was removed while knockd runs: made again; leave it there",
             dir->path, name);
    return STATE_DIR_MENDED;
}

/* Takes all locks of the folder at the path. */
static enum state_dir_taken take_again(const struct state_dir *dir, struct state_dir *made,
                                       char *why, size_t why_size)
{
    *made = untaken;
    if (!safe_folder_make(dir->path, 0700, why, why_size))
        return STATE_DIR_REFUSED;
    enum state_dir_taken taken = take_locks(made, dir->path, TRIES_TO_MEND, why, why_size);
    if (taken != STATE_DIR_TAKEN || dir->commands < 0)
        return taken;
    made->commands = lock_file(made->folder, commands_name, TRIES_TO_MEND);
    if (made->commands >= 0)
        return STATE_DIR_TAKEN;
    taken = errno == EWOULDBLOCK ? STATE_DIR_BUSY : STATE_DIR_REFUSED;
    snprintf(why, why_size, "can't lock its %s: %s", commands_name, strerror(errno));
    close_locks(made);
    return taken;
}

/* Takes the folder that is at the path now in place of the removed one, if it can be used. */
static enum state_dir_found mend_folder(struct state_dir *dir, char *why, size_t why_size)
{
    char reason[1024];
    struct state_dir made;
    enum state_dir_taken taken = take_again(dir, &made, reason, sizeof(reason));
    if (taken != STATE_DIR_TAKEN) {
        snprintf(why, why_size,
                 "the state folder %s was removed or replaced while knockd runs, and what is there "
                 "now can't be used: %s",
                 dir->path, reason);
        return taken == STATE_DIR_BUSY ? STATE_DIR_ANOTHERS : STATE_DIR_BROKEN;
    }
    close_locks(dir);
    dir->folder = made.folder;
    dir->lock = made.lock;
    dir->commands = made.commands;
    snprintf(why, why_size,
             "the state folder %s was removed or replaced while knockd runs: going on with the one "
             "that is there now",
             dir->path);
    return STATE_DIR_MENDED;
}

enum state_dir_found state_dir_check(struct state_dir *dir, char *why, size_t why_size)
{
    struct stat ours, named;
    if (fstat(dir->folder, &ours) < 0 || stat(dir->path, &named) < 0 ||
        ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
        return mend_folder(dir, why, why_size);
    enum state_dir_found lock = mend_lock(dir, &dir->lock, lock_name, why, why_size);
    if (lock != STATE_DIR_WHOLE)
        return lock;
    /* A command that runs now keeps the lock that it inherited. */
    return mend_lock(dir, &dir->commands, commands_name, why, why_size);
}

/* --- what is known of a configuration, wherever its state folder is --- */

#define CLAIMS "/run/knockd/lock"

/* The path of a configuration's file in `folder`: its own path as systemd-escape(1) makes a name of
 * it. False if it is too long. */
static bool path_in(const char *folder, const char *config, char out[PATH_MAX])
{
    size_t start = (size_t)snprintf(out, PATH_MAX, "%s/", folder), used = start;
    for (config += *config == '/'; *config && used - start < NAME_MAX - 4; config++) {
        bool plain = *config != '-' && *config != '\\' && *config != '/';
        if (plain || *config == '/')
            out[used++] = *config == '/' ? '-' : *config;
        else
            used += (size_t)sprintf(out + used, "\\x%02x", (unsigned char)*config);
    }
    out[used] = '\0';
    return *config == '\0' && used > start;
}

bool state_dir_claim(struct state_dir *dir, const char *config, char *why, size_t why_size)
{
    char path[PATH_MAX], reason[512];
    if (!path_in(CLAIMS, config, path) ||
        !safe_folder_make_all(CLAIMS, 0700, reason, sizeof(reason)))
        return true;
    dir->claim = lock_file(AT_FDCWD, path, TRIES_TO_START);
    if (dir->claim >= 0 || errno != EWOULDBLOCK)
        return true;
    snprintf(why, why_size, "another knockd is running with %s: it holds %s", config, path);
    return false;
}

void state_dir_unclaim(const char *config)
{
    char path[PATH_MAX];
    if (path_in(CLAIMS, config, path))
        unlink(path);
}

void state_dir_note(const char *config, const char *state_dir)
{
    char path[PATH_MAX], made[PATH_MAX + 8], why[512];
    if (!path_in(STATE_DIR_NOTES, config, path) ||
        !safe_folder_make_all(STATE_DIR_NOTES, 0755, why, sizeof(why)))
        return;
    snprintf(made, sizeof(made), "%s.new", path);
    unlink(made);
    if (symlink(state_dir, made) == 0 && rename(made, path) < 0)
        unlink(made);
}

static void keep_claim(struct state_dir *dir, const char *config)
{
    char path[PATH_MAX], why[512];
    if (dir->claim < 0 || !path_in(CLAIMS, config, path) || same_file(dir->claim, AT_FDCWD, path) ||
        !safe_folder_make_all(CLAIMS, 0700, why, sizeof(why)))
        return;
    int made = lock_file(AT_FDCWD, path, TRIES_TO_MEND);
    if (made < 0)
        return;
    close(dir->claim);
    dir->claim = made;
}

void state_dir_keep_note(struct state_dir *dir, const char *config)
{
    char noted[PATH_MAX];
    keep_claim(dir, config);
    if (!state_dir_noted(config, noted, sizeof(noted)) || strcmp(noted, dir->path) != 0)
        state_dir_note(config, dir->path);
}

void state_dir_forget(const char *config)
{
    char path[PATH_MAX];
    if (path_in(STATE_DIR_NOTES, config, path))
        unlink(path);
}

bool state_dir_noted(const char *config, char *out, size_t size)
{
    char path[PATH_MAX], why[512];
    ssize_t len = -1;
    if (path_in(STATE_DIR_NOTES, config, path) &&
        safe_folder_check(STATE_DIR_NOTES, why, sizeof(why)))
        len = readlink(path, out, size);
    if (len <= 0 || (size_t)len >= size || *out != '/')
        return false;
    out[len] = '\0';
    return true;
}
