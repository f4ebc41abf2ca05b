/* The socket's file: makes it for root alone, replaces one that a dead knockd left, and removes it.
 */
#include "control/control_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16 };

static int make_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether a program listens there. A connection that is queued, or finds the queue full, is enough.
 */
static bool is_served(const struct sockaddr_un *name)
{
    int fd = make_socket();
    if (fd < 0)
        return true;
    bool answered = connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0 ||
                    (errno != ECONNREFUSED && errno != ENOENT);
    close(fd);
    return answered;
}

/* Removes what a new socket replaces. False, with `why`, if what is there must stay. */
static bool remove_stale(const struct sockaddr_un *name, char *why, size_t why_size)
{
    struct stat st;
    if (lstat(name->sun_path, &st) < 0)
        return true; /* bind says what is wrong, if anything is */
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
        snprintf(why, why_size,
                 "%s is there and isn't a socket of knockd's: remove it, or set "
                 "another path as `control`",
                 name->sun_path);
    else if (is_served(name))
        snprintf(why, why_size, "another program listens at %s: set another path as `control`",
                 name->sun_path);
    else if (unlink(name->sun_path) < 0)
        snprintf(why, why_size, "can't replace %s: %s", name->sun_path, strerror(errno));
    else
        return true;
    return false;
}

static int listen_at(int fd, const struct sockaddr_un *name, ino_t *inode)
{
    /* From its first moment on, nobody else may connect. */
    mode_t mask = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)name, sizeof(*name));
    umask(mask);
    struct stat st;
    if (rc < 0 || lstat(name->sun_path, &st) < 0)
        return -1;
    /* A folder's default access list can undo the mask; to change the mode by path could be led
     * elsewhere by a link. */
    if (!S_ISSOCK(st.st_mode) || (st.st_mode & 077)) {
        errno = EACCES;
        return -1;
    }
    *inode = st.st_ino;
    return listen(fd, BACKLOG);
}

int control_socket_listen(const char *path, ino_t *inode, char *why, size_t why_size)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path) >=
        sizeof(name.sun_path)) {
        snprintf(why, why_size, "%s: too long for a socket's path", path);
        return -1;
    }
    if (!remove_stale(&name, why, why_size))
        return -1;
    int fd = make_socket();
    if (fd >= 0 && listen_at(fd, &name, inode) == 0)
        return fd;
    snprintf(why, why_size, "can't listen at %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

void control_socket_remove(const char *path, ino_t inode)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == inode)
        unlink(path);
}
