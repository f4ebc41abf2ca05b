/*
 * The life of a file: the newest, read from where the keeper says -> replaced: read on, up to where
 * its end was then before newer ones are, and beside them from there -> its time is over, or there
 * are too many: read to its end, and closed. Half a line at its end is dropped with it and never
 * joined to another file's beginning.
 */
#include "listener/feed.h"

#include <errno.h>
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
    int rc = 0;
    *feed = (struct feed){.type = type, .calls = calls};
    for (int i = 0; i < LOG_FILES; i++)
        if (follower_init(&feed->files[i]) < 0)
            rc = -1;
    return rc;
}

void feed_free(struct feed *feed)
{
    for (int i = 0; i < LOG_FILES; i++)
        follower_free(&feed->files[i]);
}

bool feed_is_open(const struct feed *feed)
{
    return feed->files[0].fd >= 0;
}

static void begin_anew(struct feed *feed)
{
    feed->anew = feed->calls.anew(feed->calls.arg, true);
}

/* An emptied file is read from its start: what it held is gone, what follows is new. */
static void start_over(struct feed *feed, struct follower *f)
{
    if (f != feed->files) {
        /* Its lines have been read under the name that it had; nobody writes knocks there. */
        follower_let_go(f);
        return;
    }
    follower_start_over(f);
    feed->calls.event(feed->calls.arg, EVENT_TRUNCATED, 0);
    begin_anew(feed);
}

/* One block. False at the file's end. */
static bool read_block(struct feed *feed, struct follower *f)
{
    enum follower_found found = follower_read(f, feed->calls.line, feed->calls.arg);
    if (found == FOLLOWER_CHANGED)
        start_over(feed, f);
    return found == FOLLOWER_BYTES || (found == FOLLOWER_CHANGED && f->fd >= 0);
}

static bool read_file(struct feed *feed, struct follower *f)
{
    uint64_t too_long = f->lines->too_long;
    bool more = true;
    for (int i = 0; more && i < SHARE; i++)
        more = read_block(feed, f);
    if (!more && feed->anew && f == feed->files)
        feed->anew = feed->calls.anew(feed->calls.arg, false);
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
        ssize_t got = read(feed->files[0].fd, record, sizeof(record));
        if (got > 0) {
            take_kmsg(feed, record, (size_t)got);
        } else if (got < 0 && errno == EAGAIN) {
            return false;
        } else if (got == 0 || (errno != EPIPE && errno != EINTR && errno != EINVAL)) {
            feed->calls.event(feed->calls.arg, EVENT_CLOSED, got < 0 ? (uint64_t)errno : 0);
            follower_let_go(feed->files);
            return false;
        }
        /* EPIPE: records were overwritten; the next one's number tells how many, unless none was
         * read before. */
        if (got < 0 && errno == EPIPE && feed->next_number == 0)
            feed->calls.event(feed->calls.arg, EVENT_GAP, 0);
    }
    return true;
}

/* The oldest one has no more time: it is read to its end now, or as far as a writer that never ends
 * allows. */
static void finish(struct feed *feed, struct follower *f)
{
    for (int i = 0; i < SHARE && f->fd >= 0 && read_file(feed, f); i++)
        ;
    follower_let_go(f);
}

/* Makes the newest file one that was replaced. */
static void move_on(struct feed *feed, int64_t now)
{
    int last = 1;
    while (last < LOG_FILES - 1 && feed->files[last].fd >= 0)
        last++;
    finish(feed, &feed->files[last]);
    struct follower spare = feed->files[last], *old = &feed->files[1];
    memmove(old, feed->files, (size_t)last * sizeof(*old));
    feed->files[0] = spare;
    old->until = now + linger;
    old->first = lseek(old->fd, 0, SEEK_END);
    /* What is left of it is still new. */
    read_file(feed, old);
    begin_anew(feed);
}

void feed_take(struct feed *feed, const struct record_fd *record, int fd, int64_t now)
{
    struct follower *f = feed->files;
    if (f->fd >= 0 && feed->type == SOURCE_FILE)
        move_on(feed, now);
    follower_let_go(f);
    follower_take(f, record, fd);
}

/* A pipe or a terminal: one read, since a second one might wait. */
static void read_stream(struct feed *feed)
{
    struct follower *f = feed->files;
    size_t room;
    char *into = lines_room(f->lines, &room);
    uint64_t too_long = f->lines->too_long;
    ssize_t got = read(f->fd, into, room);
    if (got > 0)
        lines_take(f->lines, (size_t)got, feed->calls.line, feed->calls.arg);
    if (f->lines->too_long > too_long)
        feed->calls.event(feed->calls.arg, EVENT_LONG, f->lines->too_long - too_long);
    if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    /* A program that ended is started again by the keeper, who knows how it ended. */
    if (feed->type == SOURCE_STDIN)
        feed->calls.event(feed->calls.arg, EVENT_CLOSED, got < 0 ? (uint64_t)errno : 0);
    follower_let_go(f);
}

static bool read_files(struct feed *feed)
{
    bool more = false;
    for (int i = LOG_FILES - 1; i >= 0; i--) {
        struct follower *f = &feed->files[i];
        bool left = f->fd >= 0 && read_file(feed, f);
        /* What it held when it was replaced was written before anything in the newer ones. */
        if (left && i > 0 && f->offset < f->first)
            return true;
        more = more || left;
    }
    return more;
}

bool feed_read(struct feed *feed)
{
    if (feed->type == SOURCE_FILE)
        return read_files(feed);
    if (!feed_is_open(feed))
        return false;
    if (feed->type == SOURCE_KMSG)
        return read_kmsg(feed);
    read_stream(feed);
    return false;
}

int64_t feed_tidy(struct feed *feed, int64_t now)
{
    int64_t next = INT64_MAX;
    for (int i = LOG_FILES - 1; i > 0; i--) {
        struct follower *f = &feed->files[i];
        if (f->fd >= 0 && now >= f->until)
            finish(feed, f);
        if (f->fd >= 0 && f->until < next)
            next = f->until;
    }
    return next;
}

bool feed_watches(const struct feed *feed, int watch)
{
    for (int i = 0; i < LOG_FILES; i++)
        if (feed->files[i].fd >= 0 && feed->files[i].watch == watch)
            return true;
    return false;
}

bool feed_is_polled(const struct feed *feed)
{
    for (int i = 0; i < LOG_FILES; i++)
        if (feed->files[i].fd >= 0 && feed->files[i].polled)
            return true;
    return false;
}
