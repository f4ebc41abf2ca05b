/* A control socket with a few requests, and who asks, for the tests of control/control.h. */
#ifndef TEST_CONTROL_HELP_H
#define TEST_CONTROL_HELP_H

#include "keeper_help.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "control/control.h"

struct world {
    struct bench bench;
    struct control *control;
    char path[128];
    struct answer *held; /* by the request "hold" */
    int gone;
    int64_t rows; /* that "many" and "stream" answer */
};

static inline void run_words(void *arg, struct answer *answer, char *const *words)
{
    struct row row;
    (void)arg;
    answer_begin(answer, ANSWER_LIST);
    for (; *words; words++) {
        row_begin(&row, 0, "word");
        row_text(&row, "is", *words);
        answer_row(answer, &row);
    }
    answer_end(answer);
}

static inline void add_rows(struct world *w, struct answer *answer)
{
    char text[1000];
    struct row row;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int64_t i = 0; i < w->rows; i++) {
        row_begin(&row, 0, "many");
        row_number(&row, "number", i);
        row_text(&row, "text", text);
        answer_row(answer, &row);
    }
}

static inline void run_many(void *arg, struct answer *answer, char *const *words)
{
    (void)words;
    answer_begin(answer, ANSWER_LIST);
    add_rows(arg, answer);
    answer_end(answer);
}

static inline void run_hold(void *arg, struct answer *answer, char *const *words)
{
    struct world *w = arg;
    (void)words;
    w->held = answer;
}

static inline void run_stream(void *arg, struct answer *answer, char *const *words)
{
    struct world *w = arg;
    (void)words;
    answer_begin(answer, ANSWER_STREAM);
    w->held = answer;
}

static inline void on_gone(void *arg, struct answer *answer)
{
    struct world *w = arg;
    assert_ptr_equal(answer, w->held);
    w->held = NULL;
    w->gone++;
}

static const struct control_request requests[] = {{"words", 0, 3, run_words},
                                                  {"many", 0, 0, run_many},
                                                  {"hold", 0, 0, run_hold},
                                                  {"stream", 0, 0, run_stream}};

static inline struct control *open_control(struct world *w, char why[256])
{
    struct control_calls calls = {requests, 4, on_gone, w};
    return control_open(w->bench.loop, w->path, calls, why, 256);
}

static inline int set_up(void **state)
{
    static struct world w;
    char why[256];
    memset(&w, 0, sizeof(w));
    bench_make(&w.bench);
    bench_path(&w.bench, "control", w.path);
    w.control = open_control(&w, why);
    if (!w.control)
        fail_msg("%s", why);
    *state = &w;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *w = *state;
    static const char *const made[] = {"control", NULL};
    control_close(w->control);
    bench_end(&w->bench, made);
    return 0;
}

static inline int dial(const struct world *w)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, w->path, strlen(w->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

static inline void say(int fd, const char *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* What one end of a connection has read so far. */
struct reader {
    int fd;
    char text[1 << 12];
    size_t len;
    size_t total;
    bool over;
};

static inline bool read_more(void *arg)
{
    struct reader *r = arg;
    char bytes[1 << 16];
    for (ssize_t got; (got = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != -1;) {
        r->over = got == 0;
        if (r->over)
            return true;
        size_t room = sizeof(r->text) - 1 - r->len, kept = (size_t)got;
        /* The beginning or, when there is more, the end. */
        if (kept > room) {
            kept = kept < 1000 ? kept : 1000;
            r->len = 0;
        }
        memcpy(r->text + r->len, bytes + got - kept, kept);
        r->len += kept;
        r->text[r->len] = '\0';
        r->total += (size_t)got;
    }
    r->over = errno != EAGAIN;
    return r->over;
}

/* All that comes until the other end closes. */
static inline struct reader read_all(struct world *w, int fd)
{
    struct reader r = {.fd = fd};
    bench_until(&w->bench, read_more, &r);
    close(fd);
    return r;
}

static inline void answers(struct world *w, const char *request, size_t len, const char *expected)
{
    int fd = dial(w);
    say(fd, request, len);
    struct reader r = read_all(w, fd);
    assert_string_equal(r.text, expected);
}

static inline bool never(void *arg)
{
    (void)arg;
    return false;
}

#endif
