#include "knock/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "lib/clock.h"

/*
 * A SYN that the firewall drops is sent again by the kernel only after a second, a door opens after
 * some milliseconds: so one attempt follows another, ever more slowly. None is given up meanwhile,
 * for on a slow path its answer is still on the way.
 */
enum { TRIES_MAX = 16, FIRST_PAUSE_MS = 40, LONGEST_PAUSE_MS = 400 };

struct tries {
    struct pollfd sockets[TRIES_MAX];
    nfds_t count;
};

static void try_once(struct tries *tries, const struct knock_target *target,
                     const struct source *source)
{
    const struct knock_target *own = &source->own;
    int fd = source_socket(source, target, SOCK_STREAM);
    if (fd < 0)
        return;
    /* What the door opened for is this address; if it is gone, any other tells as much. */
    if (own->length > 0)
        (void)!bind(fd, &own->address.any, own->length);
    (void)!connect(fd, &target->address.any, target->length);
    tries->sockets[tries->count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
}

static int error_of(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -1 : error;
}

/* Takes the first that is connected out of the list; drops those that were refused. */
static int take_connected(struct tries *tries)
{
    nfds_t kept = 0;
    int connected = -1;
    for (nfds_t i = 0; i < tries->count; i++) {
        struct pollfd *socket = &tries->sockets[i];
        if (!socket->revents)
            tries->sockets[kept++] = *socket;
        else if (connected < 0 && !(socket->revents & (POLLERR | POLLHUP)) &&
                 error_of(socket->fd) == 0)
            connected = socket->fd;
        else
            close(socket->fd);
    }
    tries->count = kept;
    return connected;
}

/* Waits until one is connected or `until`. */
static int wait_for(struct tries *tries, int64_t until)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    int connected = -1;
    for (int64_t left; connected < 0 && (left = until - clock_now()) > 0;)
        if (poll(tries->sockets, tries->count, (int)((left + ms - 1) / ms)) > 0)
            connected = take_connected(tries);
    return connected;
}

int watch_port(const struct knock_target *target, const struct source *source, int64_t until)
{
    struct tries tries = {.count = 0};
    int connected = -1;
    int64_t pause = FIRST_PAUSE_MS;
    for (int64_t now; connected < 0 && (now = clock_now()) < until;) {
        if (tries.count < TRIES_MAX)
            try_once(&tries, target, source);
        int64_t next = now + pause * CLOCK_SECOND / 1000;
        connected = wait_for(&tries, next < until ? next : until);
        pause = 2 * pause < LONGEST_PAUSE_MS ? 2 * pause : LONGEST_PAUSE_MS;
    }
    while (tries.count > 0)
        close(tries.sockets[--tries.count].fd);
    if (connected >= 0)
        fcntl(connected, F_SETFL, fcntl(connected, F_GETFL) & ~O_NONBLOCK);
    return connected;
}
