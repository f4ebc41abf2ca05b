/*
 * The life of a listener: sandboxed -> told its configuration, record by record -> replies, is
 * handed the logs -> for each line: parse, match, ask the keeper to open -> end of file on the
 * socket: the keeper is gone or has a newer listener.
 */
#include "listener/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/loop.h"
#include "listener/feed.h"
#include "listener/guesses.h"
#include "listener/intake.h"
#include "listener/notices.h"
#include "listener/sandbox.h"
#include "listener/stale.h"

/* How often a file is looked at of which no watch tells. */
static const int64_t look_again = 1 * CLOCK_SECOND;

/* How long a log that is read anew may take to get its old lines back. */
static const int64_t settling = 5 * CLOCK_SECOND;

struct listener;

/* A source of the listener: its lines carry its number to the matcher. */
struct source {
    struct listener *listener;
    struct feed feed;
    struct watch *on_ready; /* all but files, which inotify watches */
    struct stale stale;
    int64_t anew_since;
    bool more; /* it has more than its share: read it again soon */
};

struct listener {
    struct loop *loop;
    struct setup setup;
    bool at_work; /* the configuration is complete */
    int inotify;
    struct watch *on_inotify;
    struct source sources[CONFIG_SOURCES_MAX];
    struct timer again; /* some feed has more than its share */
    struct timer tidy;
    struct timer poll; /* some feed is to be looked at without being told */
    struct timer due;  /* the intake has something to say */
    struct intake intake;
    int64_t now; /* of the lines that are being read */
    int status;
};

static void end(struct listener *l, int status)
{
    l->status = status;
    loop_stop(l->loop);
}

static void tell(struct listener *l, struct record *record)
{
    record->generation = l->setup.generation;
    if (record_send(LISTENER_SOCKET, record, -1, true) != RECORD_GOT)
        end(l, 0);
}

static void tell_of_line(void *arg, struct record *record)
{
    tell(arg, record);
}

static void take_line(void *arg, const char *line, size_t len)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    unsigned index = (unsigned)(source - l->sources);
    enum log_format format = l->setup.sources[index].spec.format;
    /* After a quiet while nothing is being put back any more, whatever time the log's clock shows.
     */
    if (l->now - source->anew_since >= settling)
        stale_end(&source->stale);
    if (stale_is_old(&source->stale, format, line, len))
        return;
    enum line_verdict verdict = intake_line(&l->intake, index, line, len, l->now);
    if (source->feed.type == SOURCE_FILE && verdict != LINE_FOREIGN)
        stale_note(&source->stale, line, len);
}

static bool take_anew(void *arg, bool begins)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    int64_t now = clock_now();
    if (begins) {
        source->anew_since = now;
        stale_begin(&source->stale, l->setup.sources[source - l->sources].spec.format,
                    (int64_t)time(NULL) * CLOCK_SECOND);
    } else if (now - source->anew_since >= settling) {
        stale_end(&source->stale);
        return false;
    }
    return true;
}

static void take_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct source *source = arg;
    struct listener *l = source->listener;
    uint32_t index = (uint32_t)(source - l->sources);
    struct record record = {.type = RECORD_EVENT,
                            .u.event = {.kind = kind, .source = index, .number = number}};
    if (kind == EVENT_GAP || kind == EVENT_TRUNCATED)
        guesses_gap(&l->setup, index);
    tell(l, &record);
}

static void set_due(struct listener *l)
{
    int64_t next = intake_next(&l->intake);
    if (next == INT64_MAX)
        loop_timer_cancel(l->loop, &l->due);
    else if (!timer_is_set(&l->due) || l->due.due != next)
        loop_timer_set(l->loop, &l->due, next);
}

static void on_due(void *arg)
{
    struct listener *l = arg;
    intake_due(&l->intake, clock_now());
    set_due(l);
}

static void read_source(struct source *source)
{
    struct listener *l = source->listener;
    /* One look at the clock for all that is there: it was all written by now. */
    l->now = clock_now();
    source->more = feed_read(&source->feed);
    if (source->more)
        loop_timer_set(l->loop, &l->again, l->now);
    set_due(l);
}

static void on_source_ready(void *arg)
{
    struct source *source = arg;
    read_source(source);
    if (!feed_is_open(&source->feed)) {
        loop_unwatch(source->on_ready);
        source->on_ready = NULL;
    }
}

static void on_again(void *arg)
{
    struct listener *l = arg;
    for (unsigned i = 0; i < l->setup.source_count; i++)
        if (l->sources[i].more)
            read_source(&l->sources[i]);
}

static void on_tidy(void *arg)
{
    struct listener *l = arg;
    int64_t next = INT64_MAX;
    l->now = clock_now();
    for (unsigned i = 0; i < l->setup.source_count; i++) {
        int64_t due = feed_tidy(&l->sources[i].feed, l->now);
        next = due < next ? due : next;
    }
    if (next < INT64_MAX)
        loop_timer_set(l->loop, &l->tidy, next);
    set_due(l);
}

static void on_poll(void *arg)
{
    struct listener *l = arg;
    for (unsigned i = 0; i < l->setup.source_count; i++) {
        if (!feed_is_polled(&l->sources[i].feed))
            continue;
        read_source(&l->sources[i]);
        loop_timer_set(l->loop, &l->poll, l->now + look_again);
    }
}

static void on_written(void *arg, int watch)
{
    struct listener *l = arg;
    for (unsigned i = 0; i < l->setup.source_count; i++) {
        struct source *source = &l->sources[i];
        if (source->feed.type == SOURCE_FILE && (watch < 0 || feed_watches(&source->feed, watch)))
            read_source(source);
    }
}

static void on_moved(void *arg, int watch)
{
    struct record record = {.type = RECORD_REOPEN, .u.reopen = {.watch = watch}};
    tell(arg, &record);
}

static void on_inotify_ready(void *arg)
{
    struct listener *l = arg;
    notices_read(l->inotify, (struct notice_calls){on_written, on_moved, l});
}

static bool take_log(struct listener *l, const struct record_fd *record, int fd)
{
    if (record->source >= l->setup.source_count)
        return false;
    struct source *source = &l->sources[record->source];
    loop_unwatch(source->on_ready);
    source->on_ready = NULL;
    feed_take(&source->feed, record, fd, clock_now());
    if (source->feed.type != SOURCE_FILE) {
        source->on_ready = loop_watch(l->loop, fd, LOOP_READ, on_source_ready, source);
        return source->on_ready != NULL;
    }
    if (record->offset > 0) {
        char line[STALE_HEAD];
        size_t len = follower_line_before(source->feed.files, line, sizeof(line));
        stale_note(&source->stale, line, len);
    }
    on_tidy(l);
    on_poll(l);
    /* What was written before the watch was armed is read here. */
    read_source(source);
    return true;
}

static bool take_fd(struct listener *l, const struct record_fd *record, int fd)
{
    if (fd < 0)
        return false;
    if (record->kind == FD_LOG)
        return take_log(l, record, fd);
    if (record->kind != FD_INOTIFY || l->inotify >= 0)
        return false;
    l->inotify = fd;
    l->on_inotify = loop_watch(l->loop, fd, LOOP_READ, on_inotify_ready, l);
    return l->on_inotify != NULL;
}

static bool go_to_work(struct listener *l)
{
    for (unsigned i = 0; i < l->setup.source_count; i++) {
        struct source *source = &l->sources[i];
        source->listener = l;
        struct feed_calls calls = {take_line, take_event, take_anew, source};
        if (feed_init(&source->feed, l->setup.sources[i].type, calls) < 0)
            return false;
    }
    l->at_work = true;
    intake_init(&l->intake, &l->setup, tell_of_line, l, clock_now());
    set_due(l);
    struct record record = {.type = RECORD_REPLY};
    tell(l, &record);
    return true;
}

static bool take_record(struct listener *l, const struct record *record, int fd)
{
    if (l->at_work && record->generation != l->setup.generation)
        return false;
    if (l->at_work && record->type == RECORD_FD)
        return take_fd(l, &record->u.fd, fd);
    if (fd >= 0 || (l->at_work && record->type != RECORD_QUERY))
        return false;
    if (l->at_work) {
        intake_query(&l->intake, &record->u.query, clock_now());
        return true;
    }
    enum setup_result result = setup_take(&l->setup, record);
    return result == SETUP_MORE || (result == SETUP_COMPLETE && go_to_work(l));
}

static void on_socket_ready(void *arg)
{
    struct listener *l = arg;
    struct record record;
    int fd;
    enum record_result result = record_receive(LISTENER_SOCKET, &record, &fd);
    if (result == RECORD_NONE)
        return;
    if (result == RECORD_END)
        end(l, 0);
    else if (result == RECORD_BAD || !take_record(l, &record, fd))
        end(l, 1);
}

static void free_all(struct listener *l)
{
    for (unsigned i = 0; l->at_work && i < l->setup.source_count; i++) {
        loop_unwatch(l->sources[i].on_ready);
        feed_free(&l->sources[i].feed);
    }
    loop_unwatch(l->on_inotify);
    setup_free(&l->setup);
    loop_timer_unregister(l->loop, &l->again);
    loop_timer_unregister(l->loop, &l->tidy);
    loop_timer_unregister(l->loop, &l->poll);
    loop_timer_unregister(l->loop, &l->due);
    loop_free(l->loop);
}

/* The keeper knows what to say; here there is nobody left to say it to. */
static int report_failure(enum sandbox_step step)
{
    struct record record = {
        .type = RECORD_EVENT,
        .u.event = {.kind = EVENT_SANDBOX, .door = step, .number = (uint64_t)errno},
    };
    record_send(LISTENER_SOCKET, &record, -1, true);
    return 1;
}

int listener_main(uid_t uid, gid_t gid)
{
    struct listener l = {.inotify = -1};
    prctl(PR_SET_NAME, "knockd-listener");
    /* What needs system calls that the sandbox forbids comes first. */
    l.loop = loop_new();
    if (!l.loop || loop_timer_register(l.loop, &l.again, on_again, &l) < 0 ||
        loop_timer_register(l.loop, &l.tidy, on_tidy, &l) < 0 ||
        loop_timer_register(l.loop, &l.poll, on_poll, &l) < 0 ||
        loop_timer_register(l.loop, &l.due, on_due, &l) < 0)
        return 1;
    enum sandbox_step failed = sandbox_enter(uid, gid);
    if (failed != SANDBOX_DONE)
        return report_failure(failed);
    struct watch *on_socket = loop_watch(l.loop, LISTENER_SOCKET, LOOP_READ, on_socket_ready, &l);
    if (!on_socket)
        return 1;
    loop_run(l.loop);
    loop_unwatch(on_socket);
    free_all(&l);
    return l.status;
}
