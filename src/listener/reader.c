/*
 * Reading the logs: descriptor by descriptor as the keeper hands them over; when inotify, the loop
 * or a timer says that there is something; a share of each at a time, line by line to the intake.
 */
#include "listener/reader.h"

#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "listener/notices.h"

/* How often a file is looked at of which no watch tells. */
static const int64_t look_again = 1 * CLOCK_SECOND;

/* How long a log that is read anew may take to get its old lines back. */
static const int64_t settling = 5 * CLOCK_SECOND;

static void take_line(void *arg, const char *line, size_t len)
{
    struct source *source = arg;
    struct reader *r = source->reader;
    unsigned index = (unsigned)(source - r->sources);
    enum log_format format = r->setup->sources[index].spec.format;
    /* After a quiet while nothing is being put back any more, whatever time the log's clock shows.
     */
    if (r->now - source->anew_since >= settling)
        replayed_end(&source->stale);
    if (replayed_is_old(&source->stale, format, line, len))
        return;
    enum line_verdict verdict = pipeline_line(&r->pipeline, index, line, len, r->now);
    if (source->stream.type == SOURCE_FILE && verdict != LINE_FOREIGN)
        replayed_note(&source->stale, line, len);
}

static bool take_anew(void *arg, bool begins)
{
    struct source *source = arg;
    struct reader *r = source->reader;
    int64_t now = clock_now();
    if (begins) {
        source->anew_since = now;
        replayed_begin(&source->stale, r->setup->sources[source - r->sources].spec.format,
                       clock_wall());
    } else if (now - source->anew_since >= settling) {
        replayed_end(&source->stale);
        return false;
    }
    return true;
}

static void take_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct source *source = arg;
    struct reader *r = source->reader;
    uint32_t index = (uint32_t)(source - r->sources);
    struct message message = {.type = MESSAGE_EVENT,
                              .u.event = {.kind = kind, .source = index, .number = number}};
    if (kind == EVENT_GAP || kind == EVENT_TRUNCATED)
        pipeline_gap(&r->pipeline, index, clock_now());
    r->tell(r->arg, &message);
}

static void set_due(struct reader *r)
{
    int64_t next = pipeline_next(&r->pipeline);
    if (next == INT64_MAX)
        loop_timer_cancel(r->loop, &r->due);
    else if (!timer_is_set(&r->due) || r->due.due != next)
        loop_timer_set(r->loop, &r->due, next);
}

static void on_due(void *arg)
{
    struct reader *r = arg;
    pipeline_due(&r->pipeline, clock_now());
    set_due(r);
}

static void read_source(struct source *source)
{
    struct reader *r = source->reader;
    /* One look at the clock for all that is there: it was all written by now. */
    r->now = clock_now();
    source->more = log_stream_read(&source->stream);
    if (source->more)
        loop_timer_set(r->loop, &r->again, r->now);
    set_due(r);
}

static void on_source_ready(void *arg)
{
    struct source *source = arg;
    read_source(source);
    if (!log_stream_is_open(&source->stream)) {
        loop_unwatch(source->on_ready);
        source->on_ready = NULL;
    }
}

static void on_again(void *arg)
{
    struct reader *r = arg;
    for (unsigned i = 0; i < r->count; i++)
        if (r->sources[i].more)
            read_source(&r->sources[i]);
}

static void on_tidy(void *arg)
{
    struct reader *r = arg;
    int64_t next = INT64_MAX;
    r->now = clock_now();
    for (unsigned i = 0; i < r->count; i++) {
        int64_t due = log_stream_tidy(&r->sources[i].stream, r->now);
        next = due < next ? due : next;
    }
    if (next < INT64_MAX)
        loop_timer_set(r->loop, &r->tidy, next);
    set_due(r);
}

static void on_poll(void *arg)
{
    struct reader *r = arg;
    for (unsigned i = 0; i < r->count; i++) {
        if (!log_stream_is_polled(&r->sources[i].stream))
            continue;
        read_source(&r->sources[i]);
        loop_timer_set(r->loop, &r->poll, r->now + look_again);
    }
}

static void on_written(void *arg, int watch)
{
    struct reader *r = arg;
    for (unsigned i = 0; i < r->count; i++) {
        struct source *source = &r->sources[i];
        if (source->stream.type == SOURCE_FILE &&
            (watch < 0 || log_stream_watches(&source->stream, watch)))
            read_source(source);
    }
}

static void on_moved(void *arg, int watch)
{
    struct reader *r = arg;
    struct message message = {.type = MESSAGE_REOPEN, .u.reopen = {.watch = watch}};
    r->tell(r->arg, &message);
}

static void on_inotify_ready(void *arg)
{
    struct reader *r = arg;
    notices_read(r->inotify, (struct notice_calls){on_written, on_moved, r});
}

static bool take_log(struct reader *r, const struct message_fd *message, int fd)
{
    if (message->source >= r->count)
        return false;
    struct source *source = &r->sources[message->source];
    loop_unwatch(source->on_ready);
    source->on_ready = NULL;
    /* What is left of the file before it is read in there. */
    r->now = clock_now();
    log_stream_take(&source->stream, message, fd, r->now);
    if (source->stream.type != SOURCE_FILE) {
        source->on_ready = loop_watch(r->loop, fd, LOOP_READ, on_source_ready, source);
        return source->on_ready != NULL;
    }
    if (message->offset > 0) {
        char line[REPLAYED_HEAD];
        size_t len = tail_line_before(source->stream.files, line, sizeof(line));
        replayed_note(&source->stale, line, len);
    }
    on_tidy(r);
    on_poll(r);
    /* What was written before the watch was armed is read here. */
    read_source(source);
    return true;
}

bool reader_take_fd(struct reader *r, const struct message_fd *message, int fd)
{
    if (fd < 0)
        return false;
    if (message->kind == FD_LOG)
        return take_log(r, message, fd);
    if (message->kind != FD_INOTIFY || r->inotify >= 0)
        return false;
    r->inotify = fd;
    r->on_inotify = loop_watch(r->loop, fd, LOOP_READ, on_inotify_ready, r);
    return r->on_inotify != NULL;
}

int reader_register(struct reader *r, struct loop *loop)
{
    memset(r, 0, sizeof(*r));
    r->loop = loop;
    r->inotify = -1;
    return loop_timer_register(loop, &r->again, on_again, r) < 0 ||
                   loop_timer_register(loop, &r->tidy, on_tidy, r) < 0 ||
                   loop_timer_register(loop, &r->poll, on_poll, r) < 0 ||
                   loop_timer_register(loop, &r->due, on_due, r) < 0
               ? -1
               : 0;
}

bool reader_begin(struct reader *r, struct listener_config *setup,
                  void (*tell)(void *arg, struct message *message), void *arg)
{
    r->setup = setup;
    r->tell = tell;
    r->arg = arg;
    for (; r->count < setup->source_count; r->count++) {
        struct source *source = &r->sources[r->count];
        source->reader = r;
        struct log_stream_calls calls = {take_line, take_event, take_anew, source};
        if (log_stream_init(&source->stream, setup->sources[r->count].type, calls) < 0) {
            log_stream_free(&source->stream);
            return false;
        }
    }
    pipeline_init(&r->pipeline, setup, tell, arg, clock_now());
    set_due(r);
    return true;
}

void reader_query(struct reader *r, const struct message_query *query)
{
    pipeline_query(&r->pipeline, query);
}

void reader_free(struct reader *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        loop_unwatch(r->sources[i].on_ready);
        log_stream_free(&r->sources[i].stream);
    }
    loop_unwatch(r->on_inotify);
    if (r->inotify >= 0)
        close(r->inotify);
    loop_timer_unregister(r->loop, &r->again);
    loop_timer_unregister(r->loop, &r->tidy);
    loop_timer_unregister(r->loop, &r->poll);
    loop_timer_unregister(r->loop, &r->due);
}
