#include "knock/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "lib/clock.h"

/*
 * A SYN that the firewall drops is sent again by the kernel only after a second, a door opens after
 * some milliseconds: so one attempt follows another, ever more slowly. None is given up meanwhile,
 * for on a slow path its answer is still on the way.
 */
enum { TRIES_MAX = 32, FIRST_PAUSE_MS = 40, LONGEST_PAUSE_MS = 400 };

struct tries {
    struct watched *ports;
    struct pollfd sockets[TRIES_MAX];
    unsigned char port[TRIES_MAX]; /* place in `ports` */
    nfds_t count;
};

static void try_once(struct tries *tries, unsigned i)
{
    struct watched *port = &tries->ports[i];
    const struct knock_target *own = &port->source.own;
    int fd = source_socket(&port->source, &port->target, SOCK_STREAM);
    if (fd < 0)
        return;
    icmp_listen(fd, port->target.address.any.sa_family);
    /* What the door opened for is this address; if it is gone, any other tells as much. */
    if (own->length > 0)
        (void)!bind(fd, &own->address.any, own->length);
    if (connect(fd, &port->target.address.any, port->target.length) < 0 && errno != EINPROGRESS) {
        answers_add(&port->answers, errno);
        close(fd);
        return;
    }
    tries->port[tries->count] = (unsigned char)i;
    tries->sockets[tries->count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
}

static void try_all(struct tries *tries, unsigned count)
{
    for (unsigned i = 0; i < count && tries->count < TRIES_MAX; i++)
        try_once(tries, i);
}

/* Whether the attempt succeeded; if not, how it ended is added to the port's answers. */
static bool is_connected(const struct pollfd *socket, struct watched *port)
{
    struct addr target = knock_target_addr(&port->target);
    bool failed = answers_read(&port->answers, socket->fd, &target);
    return !failed && !(socket->revents & (POLLERR | POLLHUP));
}

/* Takes the first that is connected out of the list; drops those that were refused. */
static int take_connected(struct tries *tries)
{
    nfds_t kept = 0;
    int connected = -1;
    for (nfds_t i = 0; i < tries->count; i++) {
        struct pollfd *socket = &tries->sockets[i];
        unsigned port = tries->port[i];
        if (!socket->revents) {
            tries->port[kept] = (unsigned char)port;
            tries->sockets[kept++] = *socket;
        } else if (connected < 0 && is_connected(socket, &tries->ports[port])) {
            connected = socket->fd;
            tries->ports[port].open = true;
        } else {
            close(socket->fd);
        }
    }
    tries->count = kept;
    return connected;
}

/* Waits until one is connected or `until`; or, if `some`, until none is left. */
static int wait_for(struct tries *tries, int64_t until, bool some)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    int connected = -1;
    for (int64_t left;
         connected < 0 && (!some || tries->count > 0) && (left = until - clock_now()) > 0;)
        if (poll(tries->sockets, tries->count, (int)((left + ms - 1) / ms)) > 0)
            connected = take_connected(tries);
    return connected;
}

static int end(struct tries *tries, int connected)
{
    while (tries->count > 0)
        close(tries->sockets[--tries->count].fd);
    if (connected >= 0)
        fcntl(connected, F_SETFL, fcntl(connected, F_GETFL) & ~O_NONBLOCK);
    return connected;
}

static void collect_replies(struct watched *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (ports[i].replies)
            replies_collect(ports[i].replies);
}

int watch_ports(struct watched *ports, unsigned count, int64_t until)
{
    struct tries tries = {.ports = ports};
    int connected = -1;
    int64_t pause = FIRST_PAUSE_MS;
    for (int64_t now; connected < 0 && (now = clock_now()) < until;) {
        try_all(&tries, count);
        int64_t next = now + pause * CLOCK_SECOND / 1000;
        connected = wait_for(&tries, next < until ? next : until, false);
        collect_replies(ports, count);
        pause = 2 * pause < LONGEST_PAUSE_MS ? 2 * pause : LONGEST_PAUSE_MS;
    }
    return end(&tries, connected);
}

int watch_look(struct watched *ports, unsigned count, int64_t until)
{
    struct tries tries = {.ports = ports};
    try_all(&tries, count);
    int connected = wait_for(&tries, until, true);
    for (unsigned i = 0; i < count; i++) {
        ports[i].reset_before = ports[i].answers.reset;
        ports[i].answers.reset = 0;
    }
    return end(&tries, connected);
}
