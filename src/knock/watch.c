/* Tries to connect to ports again and again, until one answers. */
#include "knock/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

/*
 * A SYN that the firewall drops is sent again by the kernel only after a second, a door opens after
 * some milliseconds: so one attempt follows another, ever more slowly. None is given up meanwhile
 * while there is room, for on a slow path its answer is still on the way.
 */
enum { FIRST_PAUSE_MS = 40, LONGEST_PAUSE_MS = 400 };

void watch_open(struct watch *watch, struct watched *ports, unsigned port_count)
{
    watch->ports = ports;
    watch->port_count = port_count;
    watch->count = 0;
}

/* Takes an attempt out of the list; its socket stays open. */
static void remove_try(struct watch *watch, unsigned i)
{
    watch->count--;
    memmove(&watch->tries[i], &watch->tries[i + 1], (watch->count - i) * sizeof(watch->tries[0]));
    memmove(&watch->port[i], &watch->port[i + 1], watch->count - i);
    memmove(&watch->looks[i], &watch->looks[i + 1], watch->count - i);
}

static void add_try(struct watch *watch, int fd, unsigned port)
{
    if (watch->count == WATCH_TRIES_MAX) {
        close(watch->tries[0].fd);
        remove_try(watch, 0);
    }
    watch->port[watch->count] = (unsigned char)port;
    watch->looks[watch->count] = false;
    watch->tries[watch->count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
}

static void try_once(struct watch *watch, unsigned i)
{
    struct watched *port = &watch->ports[i];
    const struct knock_target *own = &port->source.own;
    int fd = source_socket(&port->source, &port->target, SOCK_STREAM);
    if (fd < 0)
        return;
    icmp_listen(fd, port->target.address.any.sa_family);
    /* What the door opened for is this address; if it is gone, any other shows as much. */
    if (own->length > 0)
        (void)!bind(fd, &own->address.any, own->length);
    if (connect(fd, &port->target.address.any, port->target.length) < 0 && errno != EINPROGRESS) {
        answers_add(&port->answers, errno);
        close(fd);
        return;
    }
    add_try(watch, fd, i);
}

static void try_all(struct watch *watch)
{
    for (unsigned i = 0; i < watch->port_count; i++)
        try_once(watch, i);
}

/*
 * Whether the attempt succeeded; if not, how it ended is added to the port's answers. Whether a
 * port refused before or after the knock isn't known of one that began before and ends after.
 */
static bool is_connected(const struct pollfd *attempt, struct watched *port, bool looks)
{
    struct addr target = knock_target_addr(&port->target);
    unsigned reset = port->answers.reset;
    bool failed = answers_read(&port->answers, attempt->fd, &target);
    if (looks)
        port->answers.reset = reset;
    return !failed && !(attempt->revents & (POLLERR | POLLHUP));
}

/* Takes those that have ended out of the list. Returns the first that is connected, if
 * `connected`, the one before, is -1; others are closed. */
static int take_ended(struct watch *watch, int connected)
{
    for (unsigned i = 0; i < watch->count;) {
        struct pollfd attempt = watch->tries[i];
        struct watched *port = &watch->ports[watch->port[i]];
        bool looks = watch->looks[i];
        if (!attempt.revents) {
            i++;
            continue;
        }
        remove_try(watch, i);
        bool open = is_connected(&attempt, port, looks);
        port->open |= open;
        if (open && connected < 0)
            connected = attempt.fd;
        else
            close(attempt.fd);
    }
    return connected;
}

/* Waits for one that is connected, or `all` to end, but not past `until`. */
static int wait_for(struct watch *watch, int64_t until, bool all)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    int connected = -1;
    for (int64_t left; (left = until - clock_now()) > 0;) {
        if (all ? watch->count == 0 : connected >= 0)
            break;
        if (poll(watch->tries, watch->count, (int)((left + ms - 1) / ms)) > 0)
            connected = take_ended(watch, connected);
    }
    return connected;
}

static int make_blocking(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

static void collect_replies(const struct watch *watch)
{
    for (unsigned i = 0; i < watch->port_count; i++)
        if (watch->ports[i].replies)
            replies_collect(watch->ports[i].replies);
}

static void keep_oldest(struct watch *watch, unsigned most)
{
    while (watch->count > most)
        close(watch->tries[--watch->count].fd);
}

int watch_ports(struct watch *watch, int64_t until)
{
    int connected = -1;
    int64_t pause = FIRST_PAUSE_MS;
    for (int64_t now; connected < 0 && (now = clock_now()) < until;) {
        try_all(watch);
        int64_t next = now + pause * CLOCK_SECOND / 1000;
        connected = wait_for(watch, next < until ? next : until, false);
        collect_replies(watch);
        pause = 2 * pause < LONGEST_PAUSE_MS ? 2 * pause : LONGEST_PAUSE_MS;
    }
    /* No more, for the kernel goes on sending SYNs for each; and the oldest is what a router
     * answers that finds nobody. */
    keep_oldest(watch, watch->port_count);
    return make_blocking(connected);
}

void watch_close(struct watch *watch)
{
    keep_oldest(watch, 0);
}

int watch_look(struct watch *watch, int64_t until)
{
    try_all(watch);
    int connected = wait_for(watch, until, true);
    for (unsigned i = 0; i < watch->count; i++)
        watch->looks[i] = true;
    for (unsigned i = 0; i < watch->port_count; i++) {
        struct watched *port = &watch->ports[i];
        port->reset_before = port->answers.reset;
        port->answers.reset = 0;
    }
    return make_blocking(connected);
}
