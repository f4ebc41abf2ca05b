/*
 * The files of the store: making, checking and moving them, and noticing that an open one was
 * removed, replaced or written to by another program.
 */
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
static enum store_file check_open(int fd, const char *path, char *why, size_t why_size)
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

enum store_file store_file_check(const char *path, char *why, size_t why_size)
{
    /* O_NONBLOCK: a FIFO in its place doesn't hold us up. */
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STORE_FILE_MISSING : cannot_open(why, why_size, path, errno);
    enum store_file file = check_open(fd, path, why, why_size);
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

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

/* A name is durable when the folder is. */
static int sync_folder(const char *path)
{
    char *folder = folder_of(path);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = fd < 0 ? -1 : fsync(fd);
    int error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = error;
    return rc;
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd), error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return rc;
}

int store_file_install(const char *from, const char *to, char *why, size_t why_size)
{
    if (sync_file(from) == 0 && rename(from, to) == 0 && sync_folder(to) == 0)
        return 0;
    snprintf(why, why_size, "can't rename %s to %s: %s", from, to, strerror(errno));
    return -1;
}

/* The time to the nanosecond: two damaged files in a second don't share a name. */
static char *aside_name(const char *path, const char *word)
{
    struct timespec now;
    struct tm tm;
    char day[32], *name;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &tm) || !strftime(day, sizeof(day), "%Y%m%dT%H%M%S", &tm))
        snprintf(day, sizeof(day), "%lld", (long long)now.tv_sec);
    if (asprintf(&name, "%s.%s-%s.%09ldZ", path, word, day, now.tv_nsec) < 0)
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

char *store_file_move(const char *path, const char *word, char *why, size_t why_size)
{
    char *name = aside_name(path, word);
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

int store_file_folder(const char *path, char *why, size_t why_size)
{
    char *folder = folder_of(path);
    struct stat st;
    int rc = -1;
    if (!folder || (mkdir(folder, 0700) < 0 && errno != EEXIST) || stat(folder, &st) < 0)
        snprintf(why, why_size, "can't make the folder of %s again: %s", path, strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        snprintf(why, why_size, "%s is no folder of ours that nobody else can write to", folder);
    else
        rc = 0;
    free(folder);
    return rc;
}

/* --- the files of an open database --- */

/* The journal with a rollback is none of a running database's: it is in WAL mode. */
static const char *const open_suffixes[] = {"", "-wal"};
enum { OPEN_FILES = sizeof(open_suffixes) / sizeof(*open_suffixes) };

static int open_path(const struct store_files *files, int i)
{
    char *name;
    if (asprintf(&name, "%s%s", files->path, open_suffixes[i]) < 0)
        return -1;
    int fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    free(name);
    return fd;
}

int store_files_hold(struct store_files *files, const char *path)
{
    *files = (struct store_files){.path = path, .file = {{.fd = -1}, {.fd = -1}}};
    store_files_note(files);
    return files->file[0].fd < 0 ? -1 : 0;
}

void store_files_drop(struct store_files *files)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        if (files->file[i].fd >= 0)
            close(files->file[i].fd);
        files->file[i].fd = -1;
    }
}

/* SQLite makes the journal when it first needs one. */
void store_files_note(struct store_files *files)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        if (files->file[i].fd < 0)
            files->file[i].fd = open_path(files, i);
        if (files->file[i].fd >= 0)
            fstat(files->file[i].fd, &files->file[i].seen);
    }
}

/* Without a descriptor, since there may be none left. What can't be told isn't away. */
static bool is_at_its_path(const struct store_files *files, int i)
{
    struct stat st;
    char *name;
    if (asprintf(&name, "%s%s", files->path, open_suffixes[i]) < 0)
        return true;
    int rc = lstat(name, &st), error = errno;
    free(name);
    if (rc < 0)
        return error != ENOENT && error != ENOTDIR;
    return st.st_dev == files->file[i].seen.st_dev && st.st_ino == files->file[i].seen.st_ino;
}

bool store_files_there(const struct store_files *files)
{
    for (int i = 0; i < OPEN_FILES; i++)
        if (files->file[i].fd >= 0 && !is_at_its_path(files, i))
            return false;
    return true;
}

enum store_files_verdict store_files_check(const struct store_files *files)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        const struct stat *seen = &files->file[i].seen;
        struct stat st;
        if (files->file[i].fd >= 0 &&
            (fstat(files->file[i].fd, &st) < 0 || st.st_size != seen->st_size ||
             st.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
             st.st_mtim.tv_nsec != seen->st_mtim.tv_nsec))
            return STORE_FILES_CHANGED;
    }
    return store_files_there(files) ? STORE_FILES_SAME : STORE_FILES_AWAY;
}
