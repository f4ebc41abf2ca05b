#include "listener/lines.h"

#include <assert.h>
#include <string.h>

void lines_reset(struct lines *lines, bool midway)
{
    lines->used = 0;
    lines->skipping = midway;
}

char *lines_room(struct lines *lines, size_t *size)
{
    *size = LINES_ROOM - lines->used;
    return lines->text + lines->used;
}

/* A writer that goes on at its old place in an emptied file leaves a hole, which reads as NULs. */
static const char *skip_hole(const char *start, const char *end)
{
    while (start < end && *start == '\0')
        start++;
    return start;
}

/* Keeps the beginning of a line that isn't whole yet, unless it is too long to become one. */
static void keep(struct lines *lines, const char *start, const char *end)
{
    start = skip_hole(start, end);
    size_t rest = (size_t)(end - start);
    if (lines->skipping || rest > LINES_LONGEST) {
        lines->too_long += !lines->skipping;
        lines->skipping = true;
        rest = 0;
    }
    memmove(lines->text, start, rest);
    lines->used = rest;
}

void lines_take(struct lines *lines, size_t got,
                void (*each)(void *arg, const char *line, size_t len), void *arg)
{
    assert(got <= LINES_ROOM - lines->used);
    const char *start = lines->text, *fresh = start + lines->used, *end = fresh + got;
    for (const char *newline; (newline = memchr(fresh, '\n', (size_t)(end - fresh)));) {
        start = skip_hole(start, newline);
        size_t len = (size_t)(newline - start);
        if (lines->skipping)
            lines->skipping = false;
        else if (len > LINES_LONGEST)
            lines->too_long++;
        else
            each(arg, start, len);
        start = fresh = newline + 1;
    }
    keep(lines, start, end);
}
