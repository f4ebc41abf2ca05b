/* Locks the file of one-time sequences, finds the next one, and marks it as used. */
#include "knock/once_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knock/durable.h"
#include "knock/output.h"
#include "lib/config_file.h"

/* The file as it is, and where its next sequence begins. */
struct lines {
    char path[PATH_MAX]; /* where a symbolic link leads: that file is replaced, not the link */
    int fd;              /* holds the lock */
    struct stat st;
    struct config_file file;
    size_t next; /* file.len: none is left */
};

static bool failed(const char *what, const char *path, const char *why)
{
    output_error("can't %s the one-time sequences in %s: %s", what, path, why);
    return false;
}

/* Whether the file that we locked is still the one of that name: another may have replaced it. */
static bool still_there(const struct lines *lines)
{
    struct stat st;
    return stat(lines->path, &st) == 0 && st.st_ino == lines->st.st_ino &&
           st.st_dev == lines->st.st_dev;
}

static bool lock(struct lines *lines)
{
    for (;;) {
        lines->fd = open(lines->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (lines->fd < 0 || fstat(lines->fd, &lines->st) < 0)
            return failed("read", lines->path, strerror(errno));
        while (flock(lines->fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return failed("lock", lines->path, strerror(errno));
        if (still_there(lines))
            return true;
        close(lines->fd);
    }
}

/* It is a list of keys: all who can read it can open the door. */
static bool check_mode(const struct lines *lines)
{
    if (lines->st.st_mode & 077) {
        output_error("%s: others may read or write it (mode %04o): chmod 600 it", lines->path,
                     (unsigned)lines->st.st_mode & 07777);
        return false;
    }
    return true;
}

/* Finds the first line that is no comment, not empty and thus a sequence. */
static bool find_next(struct lines *lines, struct sequence *out)
{
    char text[1024];
    const char *data = lines->file.data, *why;
    unsigned number = 1;
    for (size_t at = 0, len; at < lines->file.len; at += len + 1, number++) {
        const char *newline = memchr(data + at, '\n', lines->file.len - at);
        len = (newline ? (size_t)(newline - data) : lines->file.len) - at;
        size_t blank = strspn(data + at, " \t\r");
        if (blank >= len || data[at + blank] == '#')
            continue;
        *out = (struct sequence){0};
        why = "the line is too long";
        if ((size_t)snprintf(text, sizeof(text), "%.*s", (int)len, data + at) >= sizeof(text) ||
            !sequence_append(out, text, &why)) {
            output_error("%s:%u: this is no sequence: %s", lines->path, number, why);
            return false;
        }
        lines->next = at;
        return true;
    }
    output_error("no one-time sequence is left in %s: add new ones, there and on the server",
                 lines->path);
    return false;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
    }
    return true;
}

static bool write_marked(const struct lines *lines, int fd)
{
    const struct config_file *file = &lines->file;
    return fchmod(fd, lines->st.st_mode & 0777) == 0 && write_all(fd, file->data, lines->next) &&
           write_all(fd, "#", 1) &&
           write_all(fd, file->data + lines->next, file->len - lines->next) && fsync(fd) == 0;
}

/* Replaces the file by one with the mark: whenever this ends, the old or the new one is there. */
static bool mark(const struct lines *lines)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof(name), "%s.XXXXXX", lines->path);
    int fd = mkostemp(name, O_CLOEXEC);
    bool good = fd >= 0 && write_marked(lines, fd) && rename(name, lines->path) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (!good) {
        if (fd >= 0)
            unlink(name);
        return failed("mark one of", lines->path, strerror(error));
    }
    return durable_name(lines->path) || failed("mark one of", lines->path, strerror(errno));
}

static bool next_sequence(struct lines *lines, bool peek, struct sequence *out)
{
    const char *why;
    if (!lock(lines) || !check_mode(lines))
        return false;
    if (!config_file_read(lines->path, &lines->file, &why))
        return failed("read", lines->path, why);
    bool good = find_next(lines, out) && (peek || mark(lines));
    config_file_free(&lines->file);
    return good;
}

bool once_file_next(const char *path, bool peek, struct sequence *out)
{
    struct lines lines = {.fd = -1};
    if (!realpath(path, lines.path))
        return failed("read", path, strerror(errno));
    bool good = next_sequence(&lines, peek, out);
    if (lines.fd >= 0)
        close(lines.fd);
    return good;
}

bool once_file_check(const char *path)
{
    struct lines lines = {.fd = -1};
    if (!realpath(path, lines.path))
        return failed("read", path, strerror(errno));
    bool good = lock(&lines) && check_mode(&lines);
    if (lines.fd >= 0)
        close(lines.fd);
    return good;
}
