/*
 * The life of a file: the newest, read from the offset that the keeper sent -> replaced: read on,
 * up to where its end was then before newer ones are, and beside them from there -> its time is
 * over, or there are too many: read to its end, and closed. Half a line at its end is dropped with
 * it and never joined to another file's beginning.
 */
#include "listener/log_stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config.h"

/* How long a writer may go on with the file that was renamed under it. */
static const int64_t linger = 60 * CLOCK_SECOND;

/* Blocks, or records of /dev/kmsg, that one call reads before other streams get their turn. */
enum { SHARE = 64 };

/* How long a log that is rewritten may take to get its old lines back. */
static const int64_t settling = 5 * CLOCK_SECOND;

int log_stream_init(struct log_stream *stream, uint32_t type, enum log_format format,
                    struct log_stream_calls calls)
{
    int rc = 0;
    *stream = (struct log_stream){.type = type, .format = format, .calls = calls};
    for (int i = 0; i < LOG_FILES; i++)
        if (tail_init(&stream->files[i]) < 0)
            rc = -1;
    return rc;
}

void log_stream_free(struct log_stream *stream)
{
    for (int i = 0; i < LOG_FILES; i++)
        tail_free(&stream->files[i]);
}

bool log_stream_is_open(const struct log_stream *stream)
{
    return stream->files[0].fd >= 0;
}

/* From here on the newest file may hold lines that were read before. */
static void begin_rewritten(struct log_stream *stream)
{
    stream->rewritten_at = stream->now;
    replayed_begin(&stream->replayed, stream->format, clock_wall());
}

/* An emptied file is read from its start: what it held is gone, what follows is new. */
static void restart_emptied(struct log_stream *stream, struct tail *f)
{
    if (f != stream->files) {
        /* Its lines have been read under the name that it had; nobody writes knocks there. */
        tail_close(f);
        return;
    }
    tail_start_over(f);
    stream->calls.event(stream->calls.arg, EVENT_TRUNCATED, 0);
    begin_rewritten(stream);
}

static void pass_line(struct log_stream *stream, const char *line, size_t len)
{
    /* After a quiet while nothing is being put back any more, whatever time the log's clock shows.
     */
    if (stream->now - stream->rewritten_at >= settling)
        replayed_end(&stream->replayed);
    if (replayed_is_old(&stream->replayed, stream->format, line, len))
        return;
    bool firewalls = stream->calls.line(stream->calls.arg, line, len);
    if (firewalls && stream->type == SOURCE_FILE)
        replayed_note(&stream->replayed, line, len);
}

static void pass_lines(struct log_stream *stream, struct lines *lines)
{
    const char *line;
    size_t len;
    while (lines_next(lines, &line, &len))
        pass_line(stream, line, len);
}

/* One block. False at the file's end. */
static bool read_block(struct log_stream *stream, struct tail *f)
{
    enum tail_found found = tail_read(f);
    if (found == TAIL_BYTES)
        pass_lines(stream, f->lines);
    if (found == TAIL_CHANGED)
        restart_emptied(stream, f);
    return found == TAIL_BYTES || (found == TAIL_CHANGED && f->fd >= 0);
}

static bool read_file(struct log_stream *stream, struct tail *f)
{
    uint64_t too_long = f->lines->too_long;
    bool more = true;
    for (int i = 0; more && i < SHARE; i++)
        more = read_block(stream, f);
    if (f->lines->too_long > too_long)
        stream->calls.event(stream->calls.arg, EVENT_LONG, f->lines->too_long - too_long);
    return more;
}

/* The second number of "prio,seq,usec,flags;text" (Documentation/ABI/testing/dev-kmsg). */
static bool kmsg_number(const char *message, size_t len, uint64_t *out)
{
    const char *p = memchr(message, ',', len), *end = message + len;
    uint64_t number = 0;
    if (!p || ++p == end || *p < '0' || *p > '9')
        return false;
    while (p < end && *p >= '0' && *p <= '9')
        number = number * 10 + (uint64_t)(*p++ - '0');
    *out = number;
    return true;
}

static void pass_kmsg(struct log_stream *stream, const char *message, size_t len)
{
    uint64_t number;
    if (!kmsg_number(message, len, &number))
        return;
    if (stream->next_number && number > stream->next_number)
        stream->calls.event(stream->calls.arg, EVENT_GAP, number - stream->next_number);
    stream->next_number = number + 1;
    pass_line(stream, message, len);
}

static bool read_kmsg(struct log_stream *stream)
{
    for (int i = 0; i < 16 * SHARE; i++) {
        /* The kernel wants room for a whole record, else EINVAL and it is lost. */
        char message[LINES_LONGEST];
        ssize_t got = read(stream->files[0].fd, message, sizeof(message));
        if (got > 0) {
            pass_kmsg(stream, message, (size_t)got);
        } else if (got < 0 && errno == EAGAIN) {
            return false;
        } else if (got == 0 || (errno != EPIPE && errno != EINTR && errno != EINVAL)) {
            stream->calls.event(stream->calls.arg, EVENT_CLOSED, got < 0 ? (uint64_t)errno : 0);
            tail_close(stream->files);
            return false;
        }
        /* EPIPE: records were overwritten; the next one's number tells how many, unless none was
         * read before. */
        if (got < 0 && errno == EPIPE && stream->next_number == 0)
            stream->calls.event(stream->calls.arg, EVENT_GAP, 0);
    }
    return true;
}

/* Reads a file whose time is over to its end, or as far as a writer that never ends allows, and
 * closes it. */
static void read_to_end(struct log_stream *stream, struct tail *f)
{
    for (int i = 0; i < SHARE && f->fd >= 0 && read_file(stream, f); i++)
        ;
    tail_close(f);
}

/* Makes the newest file one that was replaced. */
static void replace_newest(struct log_stream *stream)
{
    int last = 1;
    while (last < LOG_FILES - 1 && stream->files[last].fd >= 0)
        last++;
    read_to_end(stream, &stream->files[last]);
    struct tail spare = stream->files[last], *old = &stream->files[1];
    memmove(old, stream->files, (size_t)last * sizeof(*old));
    stream->files[0] = spare;
    old->until = stream->now + linger;
    old->first = lseek(old->fd, 0, SEEK_END);
    /* What is left of it is still new. */
    read_file(stream, old);
    begin_rewritten(stream);
}

/* By the line before the place where reading begins, lines are known that were read before. */
static void note_line_before(struct log_stream *stream)
{
    char line[REPLAYED_HEAD];
    size_t len = tail_line_before(stream->files, line, sizeof(line));
    replayed_note(&stream->replayed, line, len);
}

void log_stream_open(struct log_stream *stream, const struct message_fd *message, int fd,
                     int64_t now)
{
    struct tail *f = stream->files;
    stream->now = now;
    if (f->fd >= 0 && stream->type == SOURCE_FILE)
        replace_newest(stream);
    tail_close(f);
    tail_open(f, message, fd);
    if (message->offset > 0 && stream->type == SOURCE_FILE)
        note_line_before(stream);
}

/* A pipe or a terminal: one read, since a second one might wait. */
static void read_pipe(struct log_stream *stream)
{
    struct tail *f = stream->files;
    size_t room;
    char *into = lines_room(f->lines, &room);
    uint64_t too_long = f->lines->too_long;
    ssize_t got = read(f->fd, into, room);
    if (got > 0) {
        lines_add(f->lines, (size_t)got);
        pass_lines(stream, f->lines);
    }
    if (f->lines->too_long > too_long)
        stream->calls.event(stream->calls.arg, EVENT_LONG, f->lines->too_long - too_long);
    if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    /* A program that ended is started again by the keeper, which knows how it ended. */
    if (stream->type == SOURCE_STDIN)
        stream->calls.event(stream->calls.arg, EVENT_CLOSED, got < 0 ? (uint64_t)errno : 0);
    tail_close(f);
}

static bool read_files(struct log_stream *stream)
{
    bool more = false;
    for (int i = LOG_FILES - 1; i >= 0; i--) {
        struct tail *f = &stream->files[i];
        bool left = f->fd >= 0 && read_file(stream, f);
        /* What the file held when it was replaced was written before anything in the newer ones. */
        if (left && i > 0 && f->offset < f->first)
            return true;
        more = more || left;
    }
    return more;
}

bool log_stream_read(struct log_stream *stream, int64_t now)
{
    stream->now = now;
    if (stream->type == SOURCE_FILE)
        return read_files(stream);
    if (!log_stream_is_open(stream))
        return false;
    if (stream->type == SOURCE_KMSG)
        return read_kmsg(stream);
    read_pipe(stream);
    return false;
}

int64_t log_stream_tidy(struct log_stream *stream, int64_t now)
{
    int64_t next = INT64_MAX;
    stream->now = now;
    for (int i = LOG_FILES - 1; i > 0; i--) {
        struct tail *f = &stream->files[i];
        if (f->fd >= 0 && now >= f->until)
            read_to_end(stream, f);
        if (f->fd >= 0 && f->until < next)
            next = f->until;
    }
    return next;
}

bool log_stream_watches(const struct log_stream *stream, int watch)
{
    for (int i = 0; i < LOG_FILES; i++)
        if (stream->files[i].fd >= 0 && stream->files[i].watch == watch)
            return true;
    return false;
}

bool log_stream_is_polled(const struct log_stream *stream)
{
    for (int i = 0; i < LOG_FILES; i++)
        if (stream->files[i].fd >= 0 && stream->files[i].polled)
            return true;
    return false;
}
