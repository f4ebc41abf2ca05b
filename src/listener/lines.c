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

/* Keeps the beginning of a line that isn't whole yet, unless it is too long to become one. */
static void keep(struct lines *lines, const char *start, const char *end)
{
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
