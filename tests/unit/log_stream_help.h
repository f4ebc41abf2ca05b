/* A log stream, files for it, and what was heard of it. */
#ifndef TEST_LOG_STREAM_HELP_H
#define TEST_LOG_STREAM_HELP_H

#include "keeper_help.h"

#include "lib/config.h"
#include "listener/log_stream.h"

struct log_stream_world {
    struct bench bench;
    struct log_stream stream;
    char heard[1 << 14]; /* <line>, !EVENT:number! */
};

static inline __attribute__((format(printf, 2, 3))) void say(struct log_stream_world *w,
                                                             const char *format, ...)
{
    size_t used = strlen(w->heard);
    va_list args;
    va_start(args, format);
    vsnprintf(w->heard + used, sizeof(w->heard) - used, format, args);
    va_end(args);
}

static inline bool on_line(void *arg, const char *line, size_t len)
{
    say(arg, "<%.*s>", (int)(len < 200 ? len : 200), line);
    return true;
}

static inline void on_event(void *arg, enum event_kind kind, uint64_t number)
{
    static const char *const names[EVENT_KINDS] = {[EVENT_GAP] = "gap",
                                                   [EVENT_LONG] = "long",
                                                   [EVENT_TRUNCATED] = "truncated",
                                                   [EVENT_CLOSED] = "closed"};
    assert_non_null(names[kind]);
    say(arg, "!%s:%llu!", names[kind], (unsigned long long)number);
}

static inline void no_event(void *arg, enum event_kind kind, uint64_t number)
{
    (void)arg;
    (void)kind;
    (void)number;
}

static inline void make_world(struct log_stream_world *w, uint32_t type)
{
    bench_make(&w->bench);
    struct log_stream_calls calls = {on_line, on_event, w};
    assert_int_equal(log_stream_init(&w->stream, type, LOG_KERNEL, calls), 0);
    w->heard[0] = '\0';
}

static inline void end_world(struct log_stream_world *w)
{
    const char *made[] = {"a", "b", "c", "d", "e", NULL};
    log_stream_free(&w->stream);
    bench_end(&w->bench, made);
}

static inline void take(struct log_stream_world *w, const char *name, int64_t offset, int watch,
                        int64_t now)
{
    char path[128];
    bench_path(&w->bench, name, path);
    struct message_fd message = {
        .kind = FD_LOG, .watch = watch, .polled = watch < 0, .offset = offset};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    log_stream_open(&w->stream, &message, fd, now);
}

/* Reads all there is and compares what was heard since the last time. */
static inline void assert_heard(struct log_stream_world *w, const char *expected)
{
    for (int i = 0; log_stream_read(&w->stream, 0); i++)
        assert_true(i < 1000);
    assert_string_equal(w->heard, expected);
    w->heard[0] = '\0';
}

#endif
