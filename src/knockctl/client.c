/* Connects to the control socket, sends the request, and reads the rows of the answer. */
#include "knockctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const struct reply *reply, const char *what)
{
    fprintf(stderr, "%s: %s\n", reply->name, what);
    return ASK_FAILED;
}

/* `fd` is -1, or connected. */
static int tell_silence(const char *name, int fd, int seconds)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    char who[32] = "knockd";
    if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0)
        snprintf(who, sizeof(who), "knockd (pid %d)", (int)peer.pid);
    fprintf(stderr,
            "%s: %s hasn't answered for %d s; is it stopped (SIGSTOP), or its disk that slow?\n",
            name, who, seconds);
    return ASK_SILENT;
}

static int tell_absence(const char *name, const char *path)
{
    switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
        fprintf(stderr, "%s: knockd isn't running: nobody listens at %s\n", name, path);
        return ASK_NOT_RUNNING;
    case EACCES:
    case EPERM:
        fprintf(stderr, "%s: only root may use %s\n", name, path);
        return ASK_FAILED;
    case EAGAIN:
        return tell_silence(name, -1, CLIENT_PATIENCE);
    default:
        fprintf(stderr, "%s: can't connect to %s: %s\n", name, path, strerror(errno));
        return ASK_FAILED;
    }
}

/* How long each wait for knockd may take from here on; 0: for ever. */
static void set_patience(int fd, int seconds)
{
    struct timeval patience = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static int connect_to(const char *name, const char *path, int *status)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path)) {
        fprintf(stderr, "%s: %s: too long for a socket's path\n", name, path);
        *status = ASK_FAILED;
        return -1;
    }
    memcpy(address.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        set_patience(fd, CLIENT_PATIENCE);
    /* Where too many wait to be let in, this waits, too. */
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    *status = tell_absence(name, path);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Without its newline. False at the end, and when nothing comes. */
static bool read_line(struct reply *reply)
{
    errno = 0;
    ssize_t len = getline(&reply->line, &reply->room, reply->in);
    reply->silent = len < 0 && errno == EAGAIN;
    if (len <= 0 || reply->line[len - 1] != '\n')
        return false;
    reply->line[len - 1] = '\0';
    return true;
}

static int read_error(const struct reply *reply)
{
    struct row_fields row;
    const char *text = row_parse(reply->line, &row) ? row_get(&row, "text") : NULL;
    fail(reply, text ? text : "knockd answered what isn't an answer");
    return text && strcmp(row.kind, "usage") == 0 ? ASK_USAGE : ASK_FAILED;
}

/* knockd is there, and says that the answer takes longer. */
static void be_patient(struct reply *reply)
{
    reply->patience = ROW_WAIT_MAX + CLIENT_PATIENCE;
    set_patience(fileno(reply->in), reply->patience);
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
        return tell_silence(reply->name, fileno(reply->in), reply->patience);
    if (!there)
        return fail(reply, "knockd closed the connection without an answer; is it busy with "
                           "others?");
    for (int i = 0; i < 3; i++) {
        if (strcmp(reply->line, line_cache[i]) == 0) {
            reply->kind = (enum reply_kind)i;
            if (reply->kind == REPLY_STREAM)
                set_patience(fileno(reply->in), 0);
            return ASK_DONE;
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
    int status;
    *reply = (struct reply){.name = name, .patience = CLIENT_PATIENCE};
    int fd = connect_to(name, path, &status);
    if (fd < 0)
        return status;
    send_request(fd, request);
    reply->in = fdopen(fd, "r");
    if (!reply->in) {
        close(fd);
        return fail(reply, strerror(errno));
    }
    status = read_head(reply);
    if (status != ASK_DONE)
        client_end(reply);
    return status;
}

bool client_row(struct reply *reply, struct row_fields *row, int *status)
{
    if (!read_line(reply)) {
        *status = reply->silent ? tell_silence(reply->name, fileno(reply->in), reply->patience)
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
    fclose(reply->in);
    free(reply->line);
}
