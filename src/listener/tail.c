/* Reads one log file from where it stopped, and notices when the file was emptied or rewritten. */
#include "listener/tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tail_init(struct tail *f)
{
    *f = (struct tail){.fd = -1, .watch = -1, .lines = malloc(sizeof(struct lines))};
    return f->lines ? 0 : -1;
}

void tail_close(struct tail *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = f->watch = -1;
}

void tail_free(struct tail *f)
{
    tail_close(f);
    free(f->lines);
}

/* Remembers the last of `got` bytes that were read, by which the file is known again. They are not
 * read a second time: it could have been emptied and refilled by then. */
static void set_mark(struct tail *f, const char *bytes, size_t got)
{
    size_t fresh = got < TAIL_MARK ? got : TAIL_MARK;
    size_t kept = f->mark_len < TAIL_MARK - fresh ? f->mark_len : TAIL_MARK - fresh;
    memmove(f->mark, f->mark + f->mark_len - kept, kept);
    memcpy(f->mark + kept, bytes + got - fresh, fresh);
    f->mark_len = (unsigned)(kept + fresh);
}

/* The mark of a file that is not read from its start. */
static void find_mark(struct tail *f)
{
    char bytes[TAIL_MARK];
    size_t len = f->offset < TAIL_MARK ? (size_t)f->offset : TAIL_MARK;
    ssize_t got = pread(f->fd, bytes, len, f->offset - (int64_t)len);
    if (got == (ssize_t)len)
        set_mark(f, bytes, len);
}

/* The next bytes to `into`, which has `room`, with the mark before them in one call: what is read
 * is what follows those bytes, even if the file is emptied meanwhile and grows beyond the old
 * place. */
static enum tail_found read_behind_mark(struct tail *f, char *into, size_t room, size_t *fresh)
{
    ssize_t got;
    /* No mark was found: it was emptied before it was handed over. */
    if (f->offset > 0 && f->mark_len == 0)
        return TAIL_CHANGED;
    do
        got = pread(f->fd, into, room, f->offset - f->mark_len);
    while (got < 0 && errno == EINTR);
    /* A file system that fails says nothing of what the file holds. */
    if (got < 0)
        return TAIL_NOTHING;
    if ((size_t)got < f->mark_len || memcmp(into, f->mark, f->mark_len) != 0)
        return TAIL_CHANGED;
    *fresh = (size_t)got - f->mark_len;
    memmove(into, into + f->mark_len, *fresh);
    return *fresh > 0 ? TAIL_BYTES : TAIL_NOTHING;
}

/* Whether the byte before `offset` ends a line; if not, the line there began before the offset. */
static bool starts_inside_line(int fd, int64_t offset)
{
    char before;
    return offset > 0 && pread(fd, &before, 1, offset - 1) == 1 && before != '\n';
}

void tail_open(struct tail *f, const struct message_fd *message, int fd)
{
    f->fd = fd;
    f->watch = message->watch;
    f->polled = message->polled;
    f->offset = message->offset;
    f->mark_len = 0;
    if (f->offset > 0)
        find_mark(f);
    lines_reset(f->lines, starts_inside_line(fd, f->offset));
    f->lines->too_long = 0;
}

enum tail_found tail_read(struct tail *f)
{
    size_t room, fresh = 0;
    char *into = lines_room(f->lines, &room);
    enum tail_found found = read_behind_mark(f, into, room, &fresh);
    if (found != TAIL_BYTES)
        return found;
    set_mark(f, into, fresh);
    f->offset += (int64_t)fresh;
    lines_add(f->lines, fresh);
    return found;
}

void tail_start_over(struct tail *f)
{
    f->offset = 0;
    f->mark_len = 0;
    lines_reset(f->lines, false);
}

size_t tail_line_before(const struct tail *f, char *out, size_t size)
{
    char text[1024];
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
