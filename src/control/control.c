/*
 * The life of a connection: asking (its line comes in) -> answering (somebody has its answer)
 * -> leaving (the answer is complete, and goes out) -> closed. Rows are only put into its buffer;
 * the loop sends them, so whoever answers can't find the connection closed under his feet.
 */
#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/control_socket.h"
#include "control/outgoing.h"
#include "lib/clock.h"

static const int64_t asking_time = 5 * CLOCK_SECOND;
static const int64_t leaving_time = 30 * CLOCK_SECOND;
static const int64_t accept_pause = 1 * CLOCK_SECOND;

/* The last lines, which say that rows are missing, fit beyond the bound of the rows. */
enum { OUT_MAX = 1 << 20, OUT_SPARE = 2 * ROW_MAX };

enum state { CLOSED, ASKING, ANSWERING, LEAVING };

struct answer {
    struct control *control;
    enum state state;
    bool begun; /* something was answered */
    bool stream;
    bool cut;
    int64_t lost; /* rows of a stream that weren't taken since the last that was */
    int fd;
    struct watch *on_read, *on_write;
    struct timer patience;
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

static void hang_up(struct answer *a)
{
    bool pending = a->state == ANSWERING;
    loop_unwatch(a->on_read);
    loop_unwatch(a->on_write);
    a->on_read = a->on_write = NULL;
    loop_timer_cancel(a->control->loop, &a->patience);
    outgoing_free(&a->out);
    close(a->fd);
    a->state = CLOSED;
    if (pending)
        a->control->calls.gone(a->control->calls.arg, a);
}

static void on_impatience(void *arg)
{
    hang_up(arg);
}

static void on_room(void *arg)
{
    struct answer *a = arg;
    long sent = outgoing_send(&a->out, a->fd);
    if (sent < 0 || (a->state == LEAVING && outgoing_empty(&a->out))) {
        hang_up(a);
        return;
    }
    if (sent > 0 && a->state == LEAVING)
        loop_timer_set(a->control->loop, &a->patience, clock_now() + leaving_time);
    if (outgoing_empty(&a->out)) {
        loop_unwatch(a->on_write);
        a->on_write = NULL;
    }
}

/* Without memory to watch it, it is closed by its timer, which needs none. */
static void send_soon(struct answer *a)
{
    if (!a->on_write)
        a->on_write = loop_watch(a->control->loop, a->fd, LOOP_WRITE, on_room, a);
    if (!a->on_write)
        loop_timer_set(a->control->loop, &a->patience, clock_now());
}

static bool put(struct answer *a, const char *text, size_t most)
{
    char line[ROW_MAX + 1];
    int len = snprintf(line, sizeof(line), "%s\n", text);
    bool taken = outgoing_add(&a->out, line, (size_t)len, most);
    send_soon(a);
    return taken;
}

void answer_begin(struct answer *a, enum answer_kind kind)
{
    static const char *const lines[] = {"ok one", "ok list", "ok stream"};
    a->begun = true;
    a->stream = kind == ANSWER_STREAM;
    put(a, lines[kind], OUT_MAX);
}

/* A stream goes on when there is room again, and says how much it left out. */
static void put_in_stream(struct answer *a, const char *text)
{
    if (a->lost > 0) {
        struct row row;
        row_begin(&row, 0, "lost");
        row_number(&row, "rows", a->lost);
        if (put(a, row.text, OUT_MAX / 2))
            a->lost = 0;
    }
    if (a->lost > 0 || !put(a, text, OUT_MAX))
        a->lost++;
}

void answer_row(struct answer *a, const struct row *row)
{
    if (a->stream)
        put_in_stream(a, row->text);
    else if (!a->cut)
        a->cut = !put(a, row->text, OUT_MAX);
}

static void leave(struct answer *a)
{
    a->state = LEAVING;
    loop_timer_set(a->control->loop, &a->patience, clock_now() + leaving_time);
    send_soon(a);
}

void answer_end(struct answer *a)
{
    if (a->cut)
        put(a, "cut", OUT_MAX + OUT_SPARE);
    put(a, "end", OUT_MAX + OUT_SPARE);
    leave(a);
}

/* `kind` is that of the answer's only row: "error", or "usage" for wrong arguments. */
static void put_error(struct answer *a, const char *kind, const char *format, va_list args)
{
    char text[1024];
    struct row row;
    vsnprintf(text, sizeof(text), format, args);
    row_begin(&row, 0, kind);
    row_text(&row, "text", text);
    put(a, row.text, OUT_MAX + OUT_SPARE);
    leave(a);
}

void answer_error(struct answer *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_error(a, "error", format, args);
    va_end(args);
}

void answer_wrong_argument(struct answer *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_error(a, "usage", format, args);
    va_end(args);
}

static void serve(struct answer *a, char *const *words, unsigned count)
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

/* The line has come whole. */
static void take_line(struct answer *a)
{
    char *words[CONTROL_ARGUMENTS_MAX + 3] = {0}, *rest = NULL;
    unsigned count = 0;
    for (char *word = strtok_r(a->line, " ", &rest); word && count < CONTROL_ARGUMENTS_MAX + 2;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    a->state = ANSWERING;
    loop_timer_cancel(a->control->loop, &a->patience);
    serve(a, words, count);
    /* Who asks is to know that somebody is there. */
    if (a->state == ANSWERING && !a->begun)
        put(a, "wait", OUT_MAX);
}

enum progress { HALF, WHOLE, GARBAGE };

/* Printable characters, then one newline, then nothing. */
static enum progress judge(const char *bytes, size_t len, size_t room)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            return i + 1 == len ? WHOLE : GARBAGE;
        if (bytes[i] < ' ' || bytes[i] > '~')
            return GARBAGE;
    }
    return len < room ? HALF : GARBAGE;
}

/* No more questions, but it may still listen; who watches has no other way to say goodbye. */
static void on_half_closed(struct answer *a)
{
    if (a->state == ASKING || a->stream) {
        hang_up(a);
        return;
    }
    loop_unwatch(a->on_read);
    a->on_read = NULL;
}

static void on_bytes(void *arg)
{
    struct answer *a = arg;
    char *to = a->line + (a->state == ASKING ? a->used : 0);
    size_t room = sizeof(a->line) - (a->state == ASKING ? a->used : 0);
    ssize_t got = recv(a->fd, to, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got == 0) {
        on_half_closed(a);
        return;
    }
    enum progress progress = got < 0 || a->state != ASKING ? GARBAGE : judge(to, (size_t)got, room);
    if (progress == GARBAGE) {
        hang_up(a);
        return;
    }
    a->used += (size_t)got;
    if (progress == WHOLE) {
        a->line[a->used - 1] = '\0';
        take_line(a);
    }
}

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void welcome(struct control *c, int fd)
{
    struct answer *a = c->answers;
    while (a < c->answers + CONTROL_CONNECTIONS && a->state != CLOSED)
        a++;
    if (a == c->answers + CONTROL_CONNECTIONS || !is_trusted(fd)) {
        close(fd);
        return;
    }
    a->fd = fd;
    a->state = ASKING;
    a->begun = a->stream = a->cut = false;
    a->lost = 0;
    a->used = 0;
    loop_timer_set(c->loop, &a->patience, clock_now() + asking_time);
    a->on_read = loop_watch(c->loop, fd, LOOP_READ, on_bytes, a);
    if (!a->on_read)
        hang_up(a);
}

static void on_connect(void *arg)
{
    struct control *c = arg;
    int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        welcome(c, fd);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    /* It stays ready while there is no descriptor for it: looked at again later. */
    loop_unwatch(c->on_connect);
    c->on_connect = NULL;
    loop_timer_set(c->loop, &c->again, clock_now() + accept_pause);
}

static void listen_again(void *arg)
{
    struct control *c = arg;
    c->on_connect = loop_watch(c->loop, c->fd, LOOP_READ, on_connect, c);
    if (!c->on_connect)
        loop_timer_set(c->loop, &c->again, clock_now() + accept_pause);
}

static bool register_timers(struct control *c)
{
    int rc = loop_timer_register(c->loop, &c->again, listen_again, c);
    for (struct answer *a = c->answers; a < c->answers + CONTROL_CONNECTIONS; a++) {
        a->control = c;
        rc |= loop_timer_register(c->loop, &a->patience, on_impatience, a);
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

enum control_found control_look(struct control *c, char *why, size_t why_size)
{
    struct stat st;
    ino_t inode;
    if (lstat(c->path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == c->inode)
        return CONTROL_WHOLE;
    int fd = control_socket_listen(c->path, &inode, why, why_size);
    if (fd < 0)
        return CONTROL_BROKEN;
    /* Nobody else can come by the old one. */
    loop_unwatch(c->on_connect);
    loop_timer_cancel(c->loop, &c->again);
    close(c->fd);
    c->fd = fd;
    c->inode = inode;
    listen_again(c);
    return CONTROL_MADE_AGAIN;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (struct answer *a = c->answers; a < c->answers + CONTROL_CONNECTIONS; a++) {
        a->state = a->state == CLOSED ? CLOSED : LEAVING;
        if (a->state == LEAVING)
            hang_up(a);
        loop_timer_unregister(c->loop, &a->patience);
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
