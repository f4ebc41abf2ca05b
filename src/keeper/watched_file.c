/* Opens a log at its path, watches it, and notices that its path means another file. */
#include "keeper/watched_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

void watched_file_init(struct watched_file *file)
{
    *file = (struct watched_file){.fd = -1, .watch = -1};
    for (int i = 0; i < LOG_FILES - 1; i++)
        file->old[i] = -1;
}

/* Our own descriptor of the open file keeps its inode number from being given to another, so that
 * device and inode do tell. As they were when it was opened: FUSE may show the new file's under the
 * old descriptor. */
static bool is_open(const struct watched_file *file, const struct stat *st)
{
    return file->fd >= 0 && st->st_dev == file->device && st->st_ino == file->inode;
}

/* Watches the inode that is open, whatever its name means by now. */
static void watch(struct watched_file *file, int inotify)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
    memmove(file->old + 1, file->old, sizeof(file->old) - sizeof(*file->old));
    file->old[0] = file->watch;
    file->watch = inotify_add_watch(inotify, path, IN_MODIFY);
    file->polled = file->watch < 0 || !path_watch_hears_all(file->fd);
}

/* Opens nothing but a regular file: anyone who may turn a link on the way could have it lead to a
 * device, and to open some, a watchdog or a tape, does something. */
static int open_regular(const char *path, struct stat *st)
{
    char found[64];
    int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
    if (place < 0)
        return -1;
    snprintf(found, sizeof(found), "/proc/self/fd/%d", place);
    errno = EINVAL;
    if (fstat(place, st) == 0 && S_ISREG(st->st_mode))
        fd = open(found, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int error = errno;
    close(place);
    errno = error;
    return fd;
}

int watched_file_look(struct watched_file *file, int inotify, const char *path)
{
    struct stat st;
    path_watch_begin(&file->path, inotify, path, file->fd >= 0);
    int fd = open_regular(path, &st);
    if (fd < 0)
        return -1;
    if (is_open(file, &st)) {
        close(fd);
        return 0;
    }
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->device = st.st_dev;
    file->inode = st.st_ino;
    file->size = st.st_size;
    watch(file, inotify);
    return 1;
}

bool watched_file_uses(const struct watched_file *file, int number)
{
    if (number == file->watch || path_watch_has(&file->path, number))
        return true;
    for (int i = 0; i < LOG_FILES - 1; i++)
        if (number == file->old[i])
            return true;
    return false;
}

const char *watched_file_reason(int error)
{
    return error == EINVAL ? "not a regular file" : strerror(error);
}
