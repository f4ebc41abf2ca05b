#include "keeper/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum store_file refuse(char *why, size_t why_size, const char *path, const char *what)
{
    snprintf(why, why_size, "%s %s", path, what);
    return STORE_FILE_REFUSED;
}

static enum store_file cannot_open(char *why, size_t why_size, const char *path, int error)
{
    if (error == ELOOP)
        return refuse(why, why_size, path,
                      "is a symbolic link, which isn't followed; remove it, or set state_dir to "
                      "the folder that it leads to");
    if (error == EISDIR)
        return refuse(why, why_size, path, "is a folder where a file belongs; remove it");
    snprintf(why, why_size, "can't open %s to read and write: %s", path, strerror(error));
    return STORE_FILE_REFUSED;
}

/* Its commands run with our rights, so nobody else may have had a hand in it. */
static enum store_file judge_open(int fd, const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return cannot_open(why, why_size, path, errno);
    if (!S_ISREG(st.st_mode))
        return refuse(why, why_size, path, "is not a regular file; remove it");
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return refuse(why, why_size, path,
                      "belongs to another user or can be written by others, so what it says to "
                      "run can't be trusted; look at it, then remove it");
    if ((st.st_mode & 077) && fchmod(fd, 0600) < 0) {
        snprintf(why, why_size, "can't take the right to read %s from others: %s", path,
                 strerror(errno));
        return STORE_FILE_REFUSED;
    }
    return st.st_size == 0 ? STORE_FILE_EMPTY : STORE_FILE_THERE;
}

enum store_file store_file_judge(const char *path, char *why, size_t why_size)
{
    /* O_NONBLOCK: a FIFO in its place doesn't hold us up. */
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STORE_FILE_MISSING : cannot_open(why, why_size, path, errno);
    enum store_file file = judge_open(fd, path, why, why_size);
    close(fd);
    return file;
}

static const char *const suffixes[] = {"", "-wal", "-journal"};
enum { SUFFIXES = sizeof(suffixes) / sizeof(*suffixes) };

void store_file_remove(const char *path)
{
    for (int i = 0; i < SUFFIXES; i++) {
        char *name;
        if (asprintf(&name, "%s%s", path, suffixes[i]) < 0)
            return;
        unlink(name);
        free(name);
    }
}

int store_file_make(const char *path, char *why, size_t why_size)
{
    store_file_remove(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        return close(fd);
    snprintf(why, why_size, "can't make %s: %s", path, strerror(errno));
    return -1;
}

/* A name is durable when the folder is. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = fd < 0 ? -1 : fsync(fd);
    int error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = error;
    return rc;
}

int store_file_install(const char *from, const char *to, char *why, size_t why_size)
{
    if (rename(from, to) == 0 && sync_folder(to) == 0)
        return 0;
    snprintf(why, why_size, "can't rename %s to %s: %s", from, to, strerror(errno));
    return -1;
}

/* The time to the nanosecond: two damaged files in a second don't share a name. */
static char *aside_name(const char *path)
{
    struct timespec now;
    struct tm tm;
    char day[32], *name;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &tm) || !strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm))
        snprintf(day, sizeof(day), "%lld", (long long)now.tv_sec);
    if (asprintf(&name, "%s.damaged-%s.%09ldZ", path, day, now.tv_nsec) < 0)
        return NULL;
    return name;
}

static int move_with(const char *path, const char *name, const char *suffix)
{
    char *from = NULL, *to = NULL;
    int rc = -1;
    if (asprintf(&from, "%s%s", path, suffix) >= 0 && asprintf(&to, "%s%s", name, suffix) >= 0)
        rc = rename(from, to);
    int error = errno;
    free(from);
    free(to);
    errno = error;
    return rc;
}

char *store_file_move(const char *path, char *why, size_t why_size)
{
    char *name = aside_name(path);
    /* The journals after the file: without them a damaged file can look like a whole, older one. */
    int moved = 0;
    while (name && moved < SUFFIXES &&
           (move_with(path, name, suffixes[moved]) == 0 || (moved > 0 && errno == ENOENT)))
        moved++;
    if (moved == SUFFIXES)
        return name;
    snprintf(why, why_size, "%s can't be read as a store, nor moved aside: %s; move it by hand",
             path, strerror(errno));
    free(name);
    return NULL;
}
