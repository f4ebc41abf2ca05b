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

/* Whether nobody but root can rename a folder above it, and so put another in its place. /tmp and
 * the like are safe from that by their sticky bit. */
static bool is_safe_above(const char *path)
{
    char *copy = strdup(path);
    bool safe = copy != NULL;
    for (char *slash; safe && (slash = strrchr(copy, '/'));) {
        struct stat st;
        *slash = '\0';
        safe = stat(*copy ? copy : "/", &st) == 0 && st.st_uid == 0 &&
               (!(st.st_mode & 022) || (st.st_mode & S_ISVTX));
    }
    free(copy);
    return safe;
}

bool safe_folder_check(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) < 0)
        snprintf(why, why_size, "can't use %s: %s", path, strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) ||
             !is_safe_above(path))
        snprintf(why, why_size,
                 "%s must be a folder of root's that nobody else can write to or rename", path);
    else
        return true;
    return false;
}

bool safe_folder_make(const char *path, mode_t mode, char *why, size_t why_size)
{
    if (make_path(path, mode) == 0)
        return safe_folder_check(path, why, why_size);
    snprintf(why, why_size, "can't make %s: %s", path, strerror(errno));
    return false;
}
