/*
 * The life of a connection: asking (its request comes in) -> answering (the request runs, or waits)
 * -> leaving (the answer is complete, and is sent) -> closed. An answer's rows are only added to a
 * buffer, which the loop sends: so no connection is closed while its request runs.
 */
#include "control/control.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control_socket.h"
#include "lib/clock.h"

static const int64_t asking_time = 5 * CLOCK_SECOND;
static const int64_t leaving_time = 30 * CLOCK_SECOND;
static const int64_t accept_pause = 1 * CLOCK_SECOND;

/* The last lines, which say that rows are missing, fit beyond the bound of the rows. */
enum { OUT_MAX = 1 << 20, OUT_SPARE = 2 * ROW_MAX };

/* --- the buffer of an answer, with a bound: knockctl may read slowly --- */

struct outgoing {
    char *bytes;
    size_t len, room;
    size_t sent;
};

static bool outgoing_empty(const struct outgoing *out)
{
    return out->sent == out->len;
}

static bool outgoing_grow(struct outgoing *out, size_t needed)
{
    if (needed <= out->room)
        return true;
    size_t room = out->room ? out->room : 4096;
    while (room < needed)
        room *= 2;
    char *bytes = realloc(out->bytes, room);
    if (!bytes)
        return false;
    out->bytes = bytes;
    out->room = room;
    return true;
}

/* Appends; false, with nothing changed, if more than `most` bytes would wait, or memory is short.
 */
static bool outgoing_add(struct outgoing *out, const char *text, size_t len, size_t most)
{
    size_t waiting = out->len - out->sent;
    if (waiting + len > most)
        return false;
    /* What was sent is dropped when there is more of it than of the rest, so that it costs little.
     */
    if (out->sent > waiting) {
        memmove(out->bytes, out->bytes + out->sent, waiting);
        out->sent = 0;
        out->len = waiting;
    }
    if (!outgoing_grow(out, out->len + len))
        return false;
    memcpy(out->bytes + out->len, text, len);
    out->len += len;
    return true;
}

/* Sends as much as the socket takes. Returns the bytes sent, or -1 when the other end is gone. */
static long outgoing_send(struct outgoing *out, int socket)
{
    long total = 0;
    while (!outgoing_empty(out)) {
        ssize_t sent =
            send(socket, out->bytes + out->sent, out->len - out->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? total : -1;
        out->sent += (size_t)sent;
        total += sent;
    }
    return total;
}

static void outgoing_free(struct outgoing *out)
{
    free(out->bytes);
    *out = (struct outgoing){0};
}

/* --- connections --- */

enum state { CLOSED, ASKING, ANSWERING, LEAVING };

struct answer {
    struct control *control;
    enum state state;
    bool begun; /* something was answered */
    bool stream;
    bool cut;
    int64_t lost; /* rows of a stream that were left out since the last that was added */
    int fd;
    struct watch *on_read, *on_write;
    struct timer timeout;
    size_t used;
    char line[CONTROL_REQUEST_MAX + 1];
    struct outgoing out;
};

struct control {
    struct loop *loop;
    struct control_calls calls;
    char *path;
    ino_t inode;
    int fd;
    struct watch *on_connect;
    struct timer again; /* descriptors ran out: when to accept again */
    struct answer answers[CONTROL_CONNECTIONS];
};

static void close_connection(struct answer *a)
{
    bool was_answering = a->state == ANSWERING;
    loop_unwatch(a->on_read);
    loop_unwatch(a->on_write);
    a->on_read = a->on_write = NULL;
    loop_timer_cancel(a->control->loop, &a->timeout);
    outgoing_free(&a->out);
    close(a->fd);
    a->state = CLOSED;
    if (was_answering)
        a->control->calls.gone(a->control->calls.arg, a);
}

static void on_timeout(void *arg)
{
    close_connection(arg);
}

static void on_writable(void *arg)
{
    struct answer *a = arg;
    long sent = outgoing_send(&a->out, a->fd);
    if (sent < 0 || (a->state == LEAVING && outgoing_empty(&a->out))) {
        close_connection(a);
        return;
    }
    if (sent > 0 && a->state == LEAVING)
        loop_timer_set(a->control->loop, &a->timeout, clock_now() + leaving_time);
    if (outgoing_empty(&a->out)) {
        loop_unwatch(a->on_write);
        a->on_write = NULL;
    }
}

/* Without memory to watch the socket, the timer closes the connection; that needs none. */
static void watch_writable(struct answer *a)
{
    if (!a->on_write)
        a->on_write = loop_watch(a->control->loop, a->fd, LOOP_WRITE, on_writable, a);
    if (!a->on_write)
        loop_timer_set(a->control->loop, &a->timeout, clock_now());
}

static bool add_line(struct answer *a, const char *text, size_t most)
{
    char line[ROW_MAX + 1];
    int len = snprintf(line, sizeof(line), "%s\n", text);
    bool taken = outgoing_add(&a->out, line, (size_t)len, most);
    watch_writable(a);
    return taken;
}

void answer_begin(struct answer *a, enum answer_kind kind)
{
    static const char *const lines[] = {"ok one", "ok list", "ok stream"};
    a->begun = true;
    a->stream = kind == ANSWER_STREAM;
    add_line(a, lines[kind], OUT_MAX);
}

/* A stream goes on when there is room again, and says how much it left out. */
static void add_to_stream(struct answer *a, const char *text)
{
    if (a->lost > 0) {
        struct row row;
        row_begin(&row, 0, "lost");
        row_number(&row, "rows", a->lost);
        if (add_line(a, row.text, OUT_MAX / 2))
            a->lost = 0;
    }
    if (a->lost > 0 || !add_line(a, text, OUT_MAX))
        a->lost++;
}

void answer_row(struct answer *a, const struct row *row)
{
    if (a->stream)
        add_to_stream(a, row->text);
    else if (!a->cut)
        a->cut = !add_line(a, row->text, OUT_MAX);
}

static void begin_leaving(struct answer *a)
{
    a->state = LEAVING;
    loop_timer_set(a->control->loop, &a->timeout, clock_now() + leaving_time);
    watch_writable(a);
}

void answer_end(struct answer *a)
{
    if (a->cut)
        add_line(a, "cut", OUT_MAX + OUT_SPARE);
    add_line(a, "end", OUT_MAX + OUT_SPARE);
    begin_leaving(a);
}

/* `kind` is that of the answer's only row: "error", or "usage" for wrong arguments. */
static void add_error(struct answer *a, const char *kind, const char *format, va_list args)
{
    char text[1024];
    struct row row;
    vsnprintf(text, sizeof(text), format, args);
    row_begin(&row, 0, kind);
    row_text(&row, "text", text);
    add_line(a, row.text, OUT_MAX + OUT_SPARE);
    begin_leaving(a);
}

void answer_error(struct answer *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_error(a, "error", format, args);
    va_end(args);
}

void answer_wrong_argument(struct answer *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_error(a, "usage", format, args);
    va_end(args);
}

static void run_request(struct answer *a, char *const *words, unsigned count)
{
    const struct control_calls *calls = &a->control->calls;
    for (unsigned i = 0; count > 0 && i < calls->count; i++) {
        const struct control_request *request = &calls->requests[i];
        if (strcmp(request->name, words[0]) != 0)
            continue;
        if (count - 1 < request->least || count - 1 > request->most)
            answer_wrong_argument(a, "wrong number of arguments for %s", request->name);
        else
            request->run(calls->arg, a, words);
        return;
    }
    answer_error(a, "no such request; are knockctl and knockd of the same version?");
}

/* Splits the line, which is complete, into words, and runs the request. */
static void parse_request(struct answer *a)
{
    char *words[CONTROL_ARGUMENTS_MAX + 3] = {0}, *rest = NULL;
    unsigned count = 0;
    for (char *word = strtok_r(a->line, " ", &rest); word && count < CONTROL_ARGUMENTS_MAX + 2;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    a->state = ANSWERING;
    loop_timer_cancel(a->control->loop, &a->timeout);
    run_request(a, words, count);
    /* knockctl is to know that knockd has its request. */
    if (a->state == ANSWERING && !a->begun)
        add_line(a, "wait", OUT_MAX);
}

enum progress { HALF, WHOLE, GARBAGE };

/* Printable characters, then one newline, then nothing. */
static enum progress check_bytes(const char *bytes, size_t len, size_t room)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            return i + 1 == len ? WHOLE : GARBAGE;
        if (bytes[i] < ' ' || bytes[i] > '~')
            return GARBAGE;
    }
    return len < room ? HALF : GARBAGE;
}

/* knockctl sends nothing more, but may still read; a watcher has no other way to end. */
static void on_end_of_input(struct answer *a)
{
    if (a->state == ASKING || a->stream) {
        close_connection(a);
        return;
    }
    loop_unwatch(a->on_read);
    a->on_read = NULL;
}

static void on_readable(void *arg)
{
    struct answer *a = arg;
    char *to = a->line + (a->state == ASKING ? a->used : 0);
    size_t room = sizeof(a->line) - (a->state == ASKING ? a->used : 0);
    ssize_t got = recv(a->fd, to, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got == 0) {
        on_end_of_input(a);
        return;
    }
    enum progress progress =
        got < 0 || a->state != ASKING ? GARBAGE : check_bytes(to, (size_t)got, room);
    if (progress == GARBAGE) {
        close_connection(a);
        return;
    }
    a->used += (size_t)got;
    if (progress == WHOLE) {
        a->line[a->used - 1] = '\0';
        parse_request(a);
    }
}

/* Whether root is connected, or the user who runs the keeper. */
static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* The login user of a process, as audit keeps it; 0 where it isn't known. */
static unsigned login_user(pid_t pid)
{
    char path[64];
    unsigned user = 0;
    snprintf(path, sizeof(path), "/proc/%d/loginuid", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%u", &user) != 1)
        user = 0;
    if (file)
        fclose(file);
    return user == UINT32_MAX ? 0 : user;
}

/* Reads /etc/passwd itself: name services of the network may hang. */
const char *answer_user(const struct answer *answer, char *out, size_t size)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    out[0] = '\0';
    if (getsockopt(answer->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return out;
    unsigned user = peer.uid ? peer.uid : login_user(peer.pid);
    if (user == 0)
        return out;
    snprintf(out, size, "%u", user);
    FILE *file = fopen("/etc/passwd", "re");
    for (struct passwd *entry; file && (entry = fgetpwent(file));)
        if (entry->pw_uid == user) {
            snprintf(out, size, "%s", entry->pw_name);
            break;
        }
    if (file)
        fclose(file);
    return out;
}

static void accept_connection(struct control *c, int fd)
{
    struct answer *a = c->answers;
    while (a < c->answers + CONTROL_CONNECTIONS && a->state != CLOSED)
        a++;
    if (a == c->answers + CONTROL_CONNECTIONS || !may_ask(fd)) {
        close(fd);
        return;
    }
    a->fd = fd;
    a->state = ASKING;
    a->begun = a->stream = a->cut = false;
    a->lost = 0;
    a->used = 0;
    loop_timer_set(c->loop, &a->timeout, clock_now() + asking_time);
    a->on_read = loop_watch(c->loop, fd, LOOP_READ, on_readable, a);
    if (!a->on_read)
        close_connection(a);
}

static void on_connect(void *arg)
{
    struct control *c = arg;
    int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        accept_connection(c, fd);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    /* The socket stays ready while there is no descriptor for a connection: tried again later. */
    loop_unwatch(c->on_connect);
    c->on_connect = NULL;
    loop_timer_set(c->loop, &c->again, clock_now() + accept_pause);
}

static void watch_connects(void *arg)
{
    struct control *c = arg;
    c->on_connect = loop_watch(c->loop, c->fd, LOOP_READ, on_connect, c);
    if (!c->on_connect)
        loop_timer_set(c->loop, &c->again, clock_now() + accept_pause);
}

static bool register_timers(struct control *c)
{
    int rc = loop_timer_register(c->loop, &c->again, watch_connects, c);
    for (struct answer *a = c->answers; a < c->answers + CONTROL_CONNECTIONS; a++) {
        a->control = c;
        rc |= loop_timer_register(c->loop, &a->timeout, on_timeout, a);
    }
    return rc == 0;
}

struct control *control_open(struct loop *loop, const char *path, struct control_calls calls,
                             char *why, size_t why_size)
{
    struct control *c = calloc(1, sizeof(*c));
    snprintf(why, why_size, "out of memory");
    if (!c)
        return NULL;
    c->loop = loop;
    c->calls = calls;
    c->fd = -1;
    c->path = strdup(path);
    if (!c->path || !register_timers(c)) {
        free(c->path);
        free(c);
        return NULL;
    }
    c->fd = control_socket_listen(path, &c->inode, why, why_size);
    c->on_connect = c->fd < 0 ? NULL : loop_watch(loop, c->fd, LOOP_READ, on_connect, c);
    if (c->on_connect)
        return c;
    control_close(c);
    return NULL;
}

enum control_found control_check(struct control *c, char *why, size_t why_size)
{
    struct stat st;
    ino_t inode;
    if (lstat(c->path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == c->inode)
        return CONTROL_WHOLE;
    int fd = control_socket_listen(c->path, &inode, why, why_size);
    if (fd < 0)
        return CONTROL_BROKEN;
    /* Nobody can connect to the old one any more. */
    loop_unwatch(c->on_connect);
    loop_timer_cancel(c->loop, &c->again);
    close(c->fd);
    c->fd = fd;
    c->inode = inode;
    watch_connects(c);
    return CONTROL_MADE_AGAIN;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (struct answer *a = c->answers; a < c->answers + CONTROL_CONNECTIONS; a++) {
        a->state = a->state == CLOSED ? CLOSED : LEAVING;
        if (a->state == LEAVING)
            close_connection(a);
        loop_timer_unregister(c->loop, &a->timeout);
    }
    loop_unwatch(c->on_connect);
    loop_timer_unregister(c->loop, &c->again);
    if (c->fd >= 0) {
        control_socket_remove(c->path, c->inode);
        close(c->fd);
    }
    free(c->path);
    free(c);
}
