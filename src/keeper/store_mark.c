/* The file beside the store by which an older copy of the store is told. */
#include "keeper/store_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sealed.h"

enum { MARK_SIZE = 63 }; /* three numbers of 20 digits, each with a blank or the line's end */

bool store_mark_read(const char *path, struct store_mark *out)
{
    char text[MARK_SIZE + 2] = "";
    int end = 0;
    struct stat st;
    *out = (struct store_mark){0};
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
                !(st.st_mode & 022) && read(fd, text, MARK_SIZE + 1) == MARK_SIZE &&
                sscanf(text, "%20" SCNu64 " %20" SCNu64 " %20" SCNu64 "\n%n", &out->serial,
                       &out->newest, &out->begin, &end) == 3 &&
                end == MARK_SIZE;
    close(fd);
    if (!good)
        *out = (struct store_mark){0};
    return good;
}

/* Always as long as before, so nothing needs to be truncated, and no block to be found. */
int store_mark_write(const char *path, const struct store_mark *mark, bool sync)
{
    char text[MARK_SIZE + 1];
    snprintf(text, sizeof(text), "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 "\n", mark->serial,
             mark->newest, mark->begin);
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    bool good = pwrite(fd, text, MARK_SIZE, 0) == MARK_SIZE && (!sync || fsync(fd) == 0);
    int error = errno;
    close(fd);
    errno = error;
    return good ? 0 : -1;
}

void store_mark_raise(struct store_mark *mark, struct store_mark to)
{
    if (mark->serial < to.serial)
        mark->serial = to.serial;
    mark->begin = sealed_later(mark->begin, to.begin);
    mark->newest = sealed_later(mark->newest, sealed_later(to.newest, to.begin));
}
