/* Bytes into lines, in bounded memory. Pure. */
#ifndef LISTENER_LINES_H
#define LISTENER_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's line is at most about 1,100 bytes with its header; what is longer isn't one. */
enum { LINES_ROOM = 131072, LINES_LONGEST = 8192 };

struct lines {
    size_t start; /* of what was not returned yet */
    size_t used;
    bool skipping; /* in a line that is too long, or whose beginning was never seen */
    uint64_t too_long;
    char text[LINES_ROOM];
};

/* Forgets what is there. `in_line`: the first bytes belong to a line that began earlier, and are
 * dropped. */
void lines_reset(struct lines *lines, bool in_line);

/* Where the next bytes go, and how many fit: always some. For when lines_next has returned all. */
char *lines_room(struct lines *lines, size_t *size);

/* `got` bytes were put there. */
void lines_add(struct lines *lines, size_t got);

/* The next whole line, without its newline, valid until lines_room. False: there is none; the
 * beginning of one is kept until more bytes come. */
bool lines_next(struct lines *lines, const char **line, size_t *len);

#endif
