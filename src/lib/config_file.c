/* Reads a file whole, whatever is done to it meanwhile. */
#include "lib/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crypto.h"

/* Reads to the end, however long the file was for fstat: it may be growing. */
static bool read_all(int fd, size_t max, struct config_file *out, const char **why)
{
    char *data = malloc(max + 1);
    size_t len = 0;
    ssize_t got = 1;
    while (data && got != 0 && len <= max) {
        got = read(fd, data + len, max + 1 - len);
        if (got > 0)
            len += (size_t)got;
        else if (got < 0 && errno != EINTR)
            break;
    }
    if (!data || got < 0)
        *why = strerror(errno);
    out->data = data;
    out->len = len;
    return data && got >= 0;
}

/* The number that stands for users who aren't mapped into this user namespace: of a rootless
 * container's root folder, root's. */
enum { UNMAPPED_USER = 65534 };

/*
 * Looks at the folders from the file up to the root. What lies in a folder that only its owner may
 * enter is out of the reach of others, whatever its own permissions. Where others may write, the
 * sticky bit keeps them from replacing what isn't theirs.
 */
static void look_at_folders(char *path, struct config_file *out)
{
    struct stat st;
    for (char *slash; (slash = strrchr(path, '/'));) {
        slash[slash == path] = '\0';
        if (stat(path, &st) < 0)
            return;
        bool foreign = st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != UNMAPPED_USER;
        if (!(st.st_mode & 011)) {
            out->sheltered = true;
            free(out->loose);
            out->loose = NULL;
        }
        if (!out->loose && (foreign || ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))))
            out->loose = strdup(path);
        if (slash == path)
            return;
        *slash = '\0';
    }
}

/* By the path of what was opened, not by the name that it was opened by. Without /proc nothing is
 * known of folders. */
static void find_folders(int fd, struct config_file *out)
{
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(name, path, sizeof(path) - 1);
    if (len <= 0)
        return;
    path[len] = '\0';
    look_at_folders(path, out);
}

static bool look_at_open(int fd, struct config_file *out, const char **why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        *why = strerror(errno);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        *why = "it is not a regular file";
        return false;
    }
    out->device = (unsigned long)st.st_dev;
    out->inode = (unsigned long)st.st_ino;
    out->mode = st.st_mode & 07777;
    out->owner = st.st_uid;
    out->group = st.st_gid;
    /* What has no name, such as a memory file, nobody else finds. */
    if (st.st_nlink == 0)
        out->sheltered = true;
    else
        find_folders(fd, out);
    return true;
}

static bool read_open(int fd, size_t max, struct config_file *out, const char **why)
{
    if (!look_at_open(fd, out, why))
        return false;
    if (!read_all(fd, max, out, why))
        return false;
    if (out->len > max)
        *why = max == CONFIG_FILE_SIZE_MAX ? "it is larger than 1 MiB" : "it is larger than 16 MiB";
    return out->len <= max;
}

static bool read_path(const char *path, size_t max, struct config_file *out, const char **why)
{
    *out = (struct config_file){0};
    /* Without O_NONBLOCK a FIFO would wait here for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *why = strerror(errno);
        return false;
    }
    bool read = read_open(fd, max, out, why);
    close(fd);
    if (!read)
        config_file_free(out);
    return read;
}

bool config_file_look(const char *path, struct config_file *out)
{
    const char *why;
    *out = (struct config_file){0};
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool seen = look_at_open(fd, out, &why);
    close(fd);
    if (!seen)
        config_file_free(out);
    return seen;
}

bool config_file_read(const char *path, struct config_file *out, const char **why)
{
    return read_path(path, CONFIG_FILE_SIZE_MAX, out, why);
}

bool config_file_read_list(const char *path, struct config_file *out, const char **why)
{
    return read_path(path, CONFIG_LIST_SIZE_MAX, out, why);
}

/* --- who may have changed it --- */

static bool has_good_owner(const struct config_file *file, const struct config_file_rule *rule,
                           struct config_pos pos, struct report *report)
{
    unsigned reader = geteuid();
    if (file->owner == 0 || file->owner == reader)
        return true;
    if (reader == 0)
        report_error(report, pos, "%s belongs to user %u: expected root; chown root it", rule->what,
                     file->owner);
    else
        report_error(report, pos, "%s belongs to user %u: expected root or user %u, who reads it",
                     rule->what, file->owner, reader);
    return false;
}

/* The permissions that others have in fact, of those that the rule forbids. */
static unsigned others_have(const struct config_file *file, const struct config_file_rule *rule)
{
    bool secret = rule->forbidden & 044;
    return secret || !file->sheltered ? file->mode & rule->forbidden : 0;
}

bool config_file_trusted(const struct config_file *file, const struct config_file_rule *rule,
                         struct config_pos pos, struct report *report)
{
    unsigned bits = others_have(file, rule);
    if (!has_good_owner(file, rule, pos, report))
        return false;
    /* Where each user has a group of his own, new files are writable by it. */
    if (bits == 020 && !(rule->forbidden & 044) && geteuid() != 0 && file->group == getegid()) {
        report_warning(report, pos,
                       "its group may write %s (mode %04o), and root's knockd refuses "
                       "such a file: %s",
                       rule->what, file->mode, rule->advice);
        return true;
    }
    if (bits) {
        report_error(report, pos, "others than its owner may %s %s (mode %04o): %s",
                     rule->forbidden & 044 ? "use" : "write", rule->what, file->mode, rule->advice);
        return false;
    }
    if (file->loose && geteuid() == 0) {
        report_error(report, pos,
                     "others than root could replace %s, since they may write to the folder %s or "
                     "own it: chown root and chmod go-w that folder",
                     rule->what, file->loose);
        return false;
    }
    return true;
}

bool config_file_is_open(const struct config_file *file)
{
    return !file->sheltered && (file->mode & 044);
}

void config_file_free(struct config_file *file)
{
    free(file->loose);
    file->loose = NULL;
    if (file->data)
        crypto_wipe(file->data, file->len);
    free(file->data);
    file->data = NULL;
}
