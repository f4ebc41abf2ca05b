/* Makes the folders that knockd needs, and refuses those that others than root could change. */
#include "knockd/safe_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the folders of an absolute path, the last with `mode`. */
static int make_path(const char *path, mode_t mode)
{
    char *copy = strdup(path);
    if (!copy)
        return -1;
    int rc = 0;
    for (char *slash = copy; rc == 0 && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        rc = mkdir(copy, 0755) < 0 && errno != EEXIST ? -1 : 0;
        *slash = '/';
    }
    if (rc == 0 && mkdir(copy, mode) < 0 && errno != EEXIST)
        rc = -1;
    free(copy);
    return rc;
}

/* By what others than `owner` could change the folder, and what to do; NULL: they can't. A bit of
 * `harmless` makes it safe that they may write. */
static const char *find_way_in(const struct stat *st, uid_t owner, mode_t harmless)
{
    if (!S_ISDIR(st->st_mode))
        return "is no folder";
    if (st->st_uid != owner)
        return "belongs to another user: chown root it";
    return st->st_mode & 022 && !(st->st_mode & harmless)
               ? "can be written to by others: chmod go-w it"
               : NULL;
}

static bool refuse(const char *path, const char *folder, const char *what, char *why,
                   size_t why_size)
{
    snprintf(why, why_size,
             "%s must be a folder of root's that nobody else can write to or rename, and %s %s, or "
             "choose another folder",
             path, folder, what);
    return false;
}

static bool can_not_use(const char *path, char *why, size_t why_size)
{
    snprintf(why, why_size, "can't use %s: %s", path, strerror(errno));
    return false;
}

/* Whether nobody but root can rename a folder above it, and so put another in its place. /tmp and
 * the like are safe from that by their sticky bit. */
static bool check_above(const char *path, char *why, size_t why_size)
{
    char *copy = strdup(path);
    bool safe = copy != NULL || can_not_use(path, why, why_size);
    for (char *slash; safe && (slash = strrchr(copy, '/'));) {
        struct stat st;
        *slash = '\0';
        const char *folder = *copy ? copy : "/", *what = NULL;
        safe = stat(folder, &st) == 0 || can_not_use(folder, why, why_size);
        what = safe ? find_way_in(&st, 0, S_ISVTX) : NULL;
        safe = safe && (!what || refuse(path, folder, what, why, why_size));
    }
    free(copy);
    return safe;
}

bool safe_folder_check(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return can_not_use(path, why, why_size);
    const char *what = find_way_in(&st, geteuid(), 0);
    if (what)
        return refuse(path, "it", what, why, why_size);
    return check_above(path, why, why_size);
}

/* The first folder of the path that isn't there, to be freed; NULL: all are. */
static char *find_missing(const char *path)
{
    char *copy = strdup(path);
    for (char *end = copy; copy && *end;) {
        struct stat st;
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char next = *end;
        *end = '\0';
        if (stat(copy, &st) < 0 && errno == ENOENT)
            return copy;
        *end = next;
    }
    free(copy);
    return NULL;
}

bool safe_folder_can_be(const char *path, char *why, size_t why_size)
{
    char *missing = find_missing(path);
    if (!missing)
        return safe_folder_check(path, why, why_size);
    const char *rest = path + strlen(missing);
    bool last = rest[strspn(rest, "/")] == '\0';
    if (!last)
        snprintf(why, why_size,
                 "can't make %s: there is no folder %s; make that one, or choose another folder",
                 path, missing);
    /* Without a slash at its end, all that is above it is there. */
    bool good = last && check_above(missing, why, why_size);
    free(missing);
    return good;
}

static bool can_not_make(const char *path, char *why, size_t why_size)
{
    snprintf(why, why_size, "can't make %s: %s", path, strerror(errno));
    return false;
}

bool safe_folder_make(const char *path, mode_t mode, char *why, size_t why_size)
{
    if (!safe_folder_can_be(path, why, why_size))
        return false;
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return can_not_make(path, why, why_size);
    return safe_folder_check(path, why, why_size);
}

bool safe_folder_make_all(const char *path, mode_t mode, char *why, size_t why_size)
{
    if (make_path(path, mode) < 0)
        return can_not_make(path, why, why_size);
    return safe_folder_check(path, why, why_size);
}
