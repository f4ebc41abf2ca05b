/* Cuts bytes into lines, in bounded memory. */
#include "listener/lines.h"

#include <assert.h>
#include <string.h>

void lines_reset(struct lines *lines, bool in_line)
{
    lines->start = lines->used = 0;
    lines->skipping = in_line;
}

char *lines_room(struct lines *lines, size_t *size)
{
    assert(lines->start == 0);
    *size = LINES_ROOM - lines->used;
    return lines->text + lines->used;
}

void lines_add(struct lines *lines, size_t got)
{
    assert(got <= LINES_ROOM - lines->used);
    lines->used += got;
}

/* A writer that goes on at its old place in an emptied file leaves a hole, which reads as NULs. */
static const char *skip_hole(const char *start, const char *end)
{
    while (start < end && *start == '\0')
        start++;
    return start;
}

/* Keeps the beginning of a line that isn't whole yet, unless it is too long to become one. */
static void keep_rest(struct lines *lines)
{
    const char *end = lines->text + lines->used,
               *start = skip_hole(lines->text + lines->start, end);
    size_t rest = (size_t)(end - start);
    if (lines->skipping || rest > LINES_LONGEST) {
        lines->too_long += !lines->skipping;
        lines->skipping = true;
        rest = 0;
    }
    memmove(lines->text, start, rest);
    lines->start = 0;
    lines->used = rest;
}

bool lines_next(struct lines *lines, const char **line, size_t *len)
{
    const char *newline;
    while ((newline = memchr(lines->text + lines->start, '\n', lines->used - lines->start))) {
        const char *start = skip_hole(lines->text + lines->start, newline);
        size_t found = (size_t)(newline - start);
        lines->start = (size_t)(newline + 1 - lines->text);
        if (!lines->skipping && found <= LINES_LONGEST) {
            *line = start;
            *len = found;
            return true;
        }
        lines->too_long += !lines->skipping;
        lines->skipping = false;
    }
    keep_rest(lines);
    return false;
}
