/* Connects to the control socket, sends the request, and reads the rows of the answer. */
#include "knockctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A row and what came with it; a line that is longer is no answer. */
enum { BUFFER_SIZE = 64 * 1024 };

/* What knockd says may hold a text of the log or of a command: a terminal gets none of its control
 * characters. */
static int fail(const struct reply *reply, const char *what)
{
    if (!reply->name)
        return KNOCKCTL_FAILED;
    fprintf(stderr, "%s: ", reply->name);
    for (; *what; what++)
        putc(*what >= ' ' && *what <= '~' ? *what : '?', stderr);
    putc('\n', stderr);
    return KNOCKCTL_FAILED;
}

/* `fd` is -1, or connected. */
static int tell_silence(const char *name, int fd, int seconds)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    char who[32] = "knockd";
    if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0)
        snprintf(who, sizeof(who), "knockd (pid %d)", (int)peer.pid);
    if (name)
        fprintf(
            stderr,
            "%s: %s hasn't answered for %d s; is it stopped (SIGSTOP), or its disk that slow?\n",
            name, who, seconds);
    return KNOCKCTL_SILENT;
}

/* With what to do; only root can do it, and use knockctl then. */
static void write_not_running(const struct reply *reply, char *out, size_t size)
{
    const char *sudo = geteuid() == 0 ? "" : "sudo ";
    int len =
        snprintf(out, size,
                 "knockd isn't running: nobody listens at %s; %ssystemctl start knockd starts "
                 "it, %sjournalctl -u knockd says why it ended",
                 reply->path, sudo, sudo);
    if (*sudo && reply->name)
        snprintf(out + len, size - (size_t)len, "; then, as only root may ask it: sudo %s",
                 reply->name);
}

static int tell_absence(const struct reply *reply)
{
    char text[512];
    int error = errno;
    if (error == EAGAIN)
        return tell_silence(reply->name, -1, CLIENT_PATIENCE);
    if (error == ENOENT || error == ECONNREFUSED)
        write_not_running(reply, text, sizeof(text));
    else if (error == EACCES || error == EPERM)
        snprintf(text, sizeof(text), "only root may use %s: sudo %s", reply->path,
                 reply->name ? reply->name : "knockctl");
    else
        snprintf(text, sizeof(text), "can't connect to %s: %s", reply->path, strerror(error));
    fail(reply, text);
    return error == ENOENT || error == ECONNREFUSED ? KNOCKCTL_NOT_RUNNING : KNOCKCTL_FAILED;
}

/* How long each wait for knockd may take from here on; 0: for ever. */
static void set_patience(int fd, int seconds)
{
    struct timeval patience = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static int connect_to(struct reply *reply)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(reply->path);
    if (len >= sizeof(address.sun_path))
        return fail(reply, "the socket's path is too long");
    memcpy(address.sun_path, reply->path, len);
    reply->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (reply->fd >= 0)
        set_patience(reply->fd, CLIENT_PATIENCE);
    /* Where too many wait to be let in, this waits, too. */
    if (reply->fd >= 0 &&
        connect(reply->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return KNOCKCTL_DONE;
    return tell_absence(reply);
}

/* The end of the line that has come; NULL: not all of it has. */
static char *find_newline(const struct reply *reply)
{
    return memchr(reply->buffer + reply->begin, '\n', reply->end - reply->begin);
}

/* Takes what comes next behind what is there. */
static bool receive(struct reply *reply)
{
    memmove(reply->buffer, reply->buffer + reply->begin, reply->end - reply->begin);
    reply->end -= reply->begin;
    reply->begin = 0;
    ssize_t got;
    do
        got = recv(reply->fd, reply->buffer + reply->end, BUFFER_SIZE - reply->end, 0);
    while (got < 0 && errno == EINTR);
    reply->silent = got < 0 && errno == EAGAIN;
    reply->end += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Without its newline. False at the end, and when nothing comes. */
static bool read_line(struct reply *reply)
{
    char *newline;
    while (!(newline = find_newline(reply)))
        if (!receive(reply))
            return false;
    *newline = '\0';
    reply->line = reply->buffer + reply->begin;
    reply->begin = (size_t)(newline + 1 - reply->buffer);
    return true;
}

bool client_ready(const struct reply *reply, int ms)
{
    struct pollfd fd = {.fd = reply->fd, .events = POLLIN};
    return find_newline(reply) || poll(&fd, 1, ms) > 0;
}

static int read_error(const struct reply *reply)
{
    struct row_fields row;
    const char *text = row_parse(reply->line, &row) ? row_get(&row, "text") : NULL;
    fail(reply, text ? text : "knockd answered what isn't an answer");
    return text && strcmp(row.kind, "usage") == 0 ? KNOCKCTL_USAGE : KNOCKCTL_FAILED;
}

/* knockd is there, and says that the answer takes longer. */
static void be_patient(struct reply *reply)
{
    reply->patience = ROW_WAIT_MAX + CLIENT_PATIENCE;
    set_patience(reply->fd, reply->patience);
}

static int read_head(struct reply *reply)
{
    static const char *const line_cache[] = {"ok one", "ok list", "ok stream"};
    bool there = read_line(reply);
    if (there && strcmp(reply->line, "wait") == 0) {
        be_patient(reply);
        there = read_line(reply);
    }
    if (reply->silent)
        return tell_silence(reply->name, reply->fd, reply->patience);
    if (!there)
        return fail(reply, "knockd closed the connection without an answer; is it busy with "
                           "others?");
    for (int i = 0; i < 3; i++) {
        if (strcmp(reply->line, line_cache[i]) == 0) {
            reply->kind = (enum reply_kind)i;
            if (reply->kind == REPLY_STREAM)
                set_patience(reply->fd, 0);
            return KNOCKCTL_DONE;
        }
    }
    return read_error(reply);
}

/* A connection that was closed meanwhile is noticed when its answer is read. */
static void send_request(int fd, const char *request)
{
    char line[1024];
    int len = snprintf(line, sizeof(line), "%s\n", request);
    (void)!send(fd, line, (size_t)len, MSG_NOSIGNAL);
}

int client_ask(struct reply *reply, const char *name, const char *path, const char *request)
{
    *reply = (struct reply){.name = name,
                            .path = path,
                            .fd = -1,
                            .patience = CLIENT_PATIENCE,
                            .buffer = malloc(BUFFER_SIZE)};
    int status = reply->buffer ? connect_to(reply) : fail(reply, "out of memory");
    if (status == KNOCKCTL_DONE) {
        send_request(reply->fd, request);
        status = read_head(reply);
    }
    if (status != KNOCKCTL_DONE)
        client_end(reply);
    return status;
}

bool client_reaches(const char *path)
{
    struct reply reply = {.path = path, .fd = -1};
    bool reached = connect_to(&reply) == KNOCKCTL_DONE;
    client_end(&reply);
    return reached;
}

bool client_row(struct reply *reply, struct row_fields *row, int *status)
{
    if (!read_line(reply)) {
        *status = reply->silent ? tell_silence(reply->name, reply->fd, reply->patience)
                  : reply->kind == REPLY_STREAM
                      ? fail(reply, "knockd has ended")
                      : fail(reply, "the answer ends too early: was knockd stopped?");
        return false;
    }
    if (strcmp(reply->line, "end") == 0)
        return false;
    if (strcmp(reply->line, "cut") == 0)
        *status = fail(reply, "the answer was too long, so its end is missing");
    else if (!row_parse(reply->line, row))
        *status = fail(reply, "knockd answered what isn't an answer");
    else if (strcmp(row->kind, "error") == 0)
        *status = fail(reply, row_get(row, "text") ? row_get(row, "text") : "it failed");
    else
        return true;
    return false;
}

void client_end(struct reply *reply)
{
    if (reply->fd >= 0)
        close(reply->fd);
    free(reply->buffer);
}
