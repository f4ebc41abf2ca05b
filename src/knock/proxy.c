/* Copies bytes in two directions without ever waiting for one of them. */
#include "knock/proxy.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "knock/output.h"

/* One direction: what was read from `from` and waits to be written to `to`. */
struct path_watch {
    int from, to;
    bool open;
    int error; /* why it ended; 0: by the end of what there was to read */
    size_t at, len;
    char bytes[65536];
};

static void end(struct path_watch *direction, int error)
{
    direction->open = false;
    direction->error = error;
    /* A socket's other half lives on; what isn't one, as standard output, has no halves. */
    if (shutdown(direction->to, SHUT_WR) < 0 && errno == ENOTSOCK)
        close(direction->to);
}

static bool again(void)
{
    return errno == EINTR || errno == EAGAIN;
}

static void fill(struct path_watch *direction)
{
    ssize_t got = read(direction->from, direction->bytes, sizeof(direction->bytes));
    direction->at = 0;
    direction->len = got > 0 ? (size_t)got : 0;
    if (got == 0 || (got < 0 && !again()))
        end(direction, got < 0 ? errno : 0);
}

/* Never waits, or each side could be waiting for the other to read. A pipe that has room takes
 * PIPE_BUF bytes at least; to make it non-blocking would make it so for all who share it. */
static ssize_t put(const struct path_watch *direction)
{
    const char *bytes = direction->bytes + direction->at;
    size_t len = direction->len - direction->at;
    ssize_t sent = send(direction->to, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == ENOTSOCK)
        sent = write(direction->to, bytes, len < PIPE_BUF ? len : PIPE_BUF);
    return sent;
}

static void drain(struct path_watch *direction)
{
    ssize_t sent = put(direction);
    if (sent >= 0)
        direction->at += (size_t)sent;
    else if (!again())
        end(direction, errno);
    if (direction->at == direction->len)
        direction->at = direction->len = 0;
}

/* What the direction waits for: bytes to come, or room for those that came. */
static struct pollfd wants(const struct path_watch *direction)
{
    if (!direction->open)
        return (struct pollfd){.fd = -1};
    if (direction->len > 0)
        return (struct pollfd){.fd = direction->to, .events = POLLOUT};
    return (struct pollfd){.fd = direction->from, .events = POLLIN};
}

static void step(struct path_watch *direction, const struct pollfd *ready)
{
    if (!ready->revents)
        return;
    if (direction->len > 0)
        drain(direction);
    else
        fill(direction);
}

bool proxy_relay(int fd)
{
    static struct path_watch out, in; /* too large for a stack */
    out = (struct path_watch){.from = STDIN_FILENO, .to = fd, .open = true};
    in = (struct path_watch){.from = fd, .to = STDOUT_FILENO, .open = true};
    signal(SIGPIPE, SIG_IGN);
    /* When the peer has ended, there is nobody left for what may come from standard input. */
    while (in.open) {
        struct pollfd ready[2] = {wants(&out), wants(&in)};
        if (poll(ready, 2, -1) < 0)
            continue; /* a signal */
        step(&out, &ready[0]);
        step(&in, &ready[1]);
    }
    close(fd);
    /* Who reads our output may leave when it has enough. */
    if (in.error == 0 || in.error == EPIPE)
        return true;
    output_error("the connection broke: %s", strerror(in.error));
    return false;
}
