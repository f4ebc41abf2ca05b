/*
 * The life of a feed: empty -> reading `now` -> replaced: `now` becomes `old` and both are read
 * -> the old one's time is over, or a third comes: it is closed. A half line at the end of the
 * old file is dropped with it and never joined to the new one's beginning.
 */
#include "listener/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config.h"

/* How long a writer may go on with the file that was renamed under it. */
static const int64_t linger = 60 * CLOCK_SECOND;

/* Blocks or records that one call reads before others get their turn. */
enum { SHARE = 64 };

int feed_init(struct feed *feed, uint32_t type, struct feed_calls calls)
{
    *feed = (struct feed){.type = type, .folder_watch = -1, .target_watch = -1, .calls = calls};
    feed->now = (struct follower){.fd = -1, .watch = -1, .lines = malloc(sizeof(struct lines))};
    feed->old = (struct follower){.fd = -1, .watch = -1, .lines = malloc(sizeof(struct lines))};
    return feed->now.lines && feed->old.lines ? 0 : -1;
}

static void let_go(struct follower *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = f->watch = -1;
}

void feed_free(struct feed *feed)
{
    let_go(&feed->now);
    let_go(&feed->old);
    free(feed->now.lines);
    free(feed->old.lines);
}

/* Remembers the last bytes before the offset, by which the file is known again. */
static void set_mark(struct follower *f)
{
    int64_t len = f->offset < FOLLOWER_MARK ? f->offset : FOLLOWER_MARK;
    ssize_t got = pread(f->fd, f->mark, (size_t)len, f->offset - len);
    f->mark_len = got == len ? (unsigned)len : 0;
}

/* Whether the bytes before the offset are still those that were read. */
static bool same_content(const struct follower *f)
{
    char now[FOLLOWER_MARK];
    /* Its mark could not be read: it was emptied just then. */
    if (f->offset > 0 && f->mark_len == 0)
        return false;
    ssize_t got = pread(f->fd, now, f->mark_len, f->offset - f->mark_len);
    return got == (ssize_t)f->mark_len && memcmp(now, f->mark, f->mark_len) == 0;
}

static void begin_anew(struct feed *feed)
{
    feed->anew = feed->calls.anew(feed->calls.arg, true);
}

/*
 * An emptied file is read from its start: what it held is gone, what follows is new. It may have
 * grown beyond the old place by now, so its size alone doesn't tell.
 */
static bool truncated(struct feed *feed, struct follower *f)
{
    if (same_content(f))
        return false;
    if (f == &feed->old) {
        /* Its lines have been read under the name that it had; nobody writes knocks there. */
        let_go(f);
        return false;
    }
    f->offset = 0;
    f->mark_len = 0;
    lines_reset(f->lines, false);
    feed->calls.event(feed->calls.arg, EVENT_TRUNCATED, 0);
    begin_anew(feed);
    return true;
}

static bool read_file(struct feed *feed, struct follower *f)
{
    uint64_t too_long = f->lines->too_long;
    int64_t before = f->offset;
    truncated(feed, f);
    bool more = f->fd >= 0;
    for (int i = 0; more && i < SHARE; i++) {
        size_t room;
        char *into = lines_room(f->lines, &room);
        ssize_t got = pread(f->fd, into, room, f->offset);
        if (got > 0) {
            f->offset += got;
            lines_take(f->lines, (size_t)got, feed->calls.line, feed->calls.arg);
        } else {
            more = got < 0 && errno == EINTR;
        }
    }
    if (!more && feed->anew && f == &feed->now)
        feed->anew = feed->calls.anew(feed->calls.arg, false);
    if (f->fd >= 0 && f->offset != before)
        set_mark(f);
    if (f->lines->too_long > too_long)
        feed->calls.event(feed->calls.arg, EVENT_LONG, f->lines->too_long - too_long);
    return more;
}

/* The second number of "prio,seq,usec,flags;text" (Documentation/ABI/testing/dev-kmsg). */
static bool kmsg_number(const char *record, size_t len, uint64_t *out)
{
    const char *p = memchr(record, ',', len), *end = record + len;
    uint64_t number = 0;
    if (!p || ++p == end || *p < '0' || *p > '9')
        return false;
    while (p < end && *p >= '0' && *p <= '9')
        number = number * 10 + (uint64_t)(*p++ - '0');
    *out = number;
    return true;
}

static void take_kmsg(struct feed *feed, const char *record, size_t len)
{
    uint64_t number;
    if (!kmsg_number(record, len, &number))
        return;
    if (feed->next_number && number > feed->next_number)
        feed->calls.event(feed->calls.arg, EVENT_GAP, number - feed->next_number);
    feed->next_number = number + 1;
    feed->calls.line(feed->calls.arg, record, len);
}

static bool read_kmsg(struct feed *feed)
{
    for (int i = 0; i < 16 * SHARE; i++) {
        /* The kernel wants room for a whole record, else EINVAL and it is lost. */
        char record[LINES_LONGEST];
        ssize_t got = read(feed->now.fd, record, sizeof(record));
        if (got > 0) {
            take_kmsg(feed, record, (size_t)got);
        } else if (got < 0 && errno == EAGAIN) {
            return false;
        } else if (got == 0 || (errno != EPIPE && errno != EINTR && errno != EINVAL)) {
            feed->calls.event(feed->calls.arg, EVENT_CLOSED, got < 0 ? (uint64_t)errno : 0);
            let_go(&feed->now);
            return false;
        }
        /* EPIPE: records were overwritten; the next one's number tells how many. */
    }
    return true;
}

/* Whether the byte before `offset` ends a line; if not, its line began before our time. */
static bool starts_midway(int fd, int64_t offset)
{
    char before;
    return offset > 0 && pread(fd, &before, 1, offset - 1) == 1 && before != '\n';
}

void feed_take(struct feed *feed, const struct record_fd *record, int fd, int64_t now)
{
    if (feed->now.fd >= 0 && feed->type == SOURCE_FILE) {
        /* A third file: the first one has no more time, so it is read to its end now, or as far as
         * a writer that never ends allows. */
        for (int i = 0; i < SHARE && feed->old.fd >= 0 && read_file(feed, &feed->old); i++)
            ;
        let_go(&feed->old);
        struct follower spare = feed->old;
        feed->old = feed->now;
        feed->now = spare;
        feed->old_until = now + linger;
        /* What is left of the old one is still new. */
        read_file(feed, &feed->old);
        begin_anew(feed);
    }
    let_go(&feed->now);
    feed->now.fd = fd;
    feed->now.watch = record->file_watch;
    feed->now.offset = record->offset;
    feed->folder_watch = record->folder_watch;
    feed->target_watch = record->target_watch;
    feed->now.mark_len = 0;
    if (feed->type == SOURCE_FILE)
        set_mark(&feed->now);
    lines_reset(feed->now.lines, feed->type == SOURCE_FILE && starts_midway(fd, record->offset));
    feed->now.lines->too_long = 0;
}

/* A pipe or a terminal: one read, since a second one might wait. */
static void read_stream(struct feed *feed)
{
    size_t room;
    char *into = lines_room(feed->now.lines, &room);
    uint64_t too_long = feed->now.lines->too_long;
    ssize_t got = read(feed->now.fd, into, room);
    if (got > 0)
        lines_take(feed->now.lines, (size_t)got, feed->calls.line, feed->calls.arg);
    if (feed->now.lines->too_long > too_long)
        feed->calls.event(feed->calls.arg, EVENT_LONG, feed->now.lines->too_long - too_long);
    if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    /* A program that ended is started again by the keeper, who knows how it ended. */
    if (feed->type == SOURCE_STDIN)
        feed->calls.event(feed->calls.arg, EVENT_CLOSED, got < 0 ? (uint64_t)errno : 0);
    let_go(&feed->now);
}

size_t feed_line_before(const struct feed *feed, char *out, size_t size)
{
    char text[1024];
    const struct follower *f = &feed->now;
    size_t len = f->offset < (int64_t)sizeof(text) ? (size_t)f->offset : sizeof(text);
    if (f->fd < 0 || pread(f->fd, text, len, f->offset - (int64_t)len) != (ssize_t)len)
        return 0;
    const char *end = memrchr(text, '\n', len);
    const char *before = end ? memrchr(text, '\n', (size_t)(end - text)) : NULL;
    if (!before)
        return 0;
    size_t found = (size_t)(end - before - 1);
    found = found < size ? found : size;
    memcpy(out, before + 1, found);
    return found;
}

bool feed_read(struct feed *feed)
{
    if (feed->type != SOURCE_KMSG && feed->type != SOURCE_FILE) {
        if (feed->now.fd >= 0)
            read_stream(feed);
        return false;
    }
    if (feed->type == SOURCE_KMSG)
        return feed->now.fd >= 0 && read_kmsg(feed);
    /* The old file first, since its lines were written first. */
    bool more = feed->old.fd >= 0 && read_file(feed, &feed->old);
    if (!more && feed->now.fd >= 0)
        more = read_file(feed, &feed->now);
    return more;
}

void feed_tidy(struct feed *feed, int64_t now)
{
    if (feed->old_until == 0 || now < feed->old_until)
        return;
    if (feed->old.fd >= 0)
        read_file(feed, &feed->old);
    let_go(&feed->old);
    feed->old_until = 0;
}

bool feed_watches(const struct feed *feed, int watch)
{
    return (feed->now.fd >= 0 && feed->now.watch == watch) ||
           (feed->old.fd >= 0 && feed->old.watch == watch);
}
