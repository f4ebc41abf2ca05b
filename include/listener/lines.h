/* Bytes into lines, in bounded memory. Pure. */
#ifndef LISTENER_LINES_H
#define LISTENER_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's line is at most about 1,100 bytes with its envelope; what is longer isn't one. */
enum { LINES_ROOM = 65536, LINES_LONGEST = 8192 };

struct lines {
    size_t used;
    bool skipping; /* in a line that is too long, or whose beginning was never seen */
    uint64_t too_long;
    char text[LINES_ROOM];
};

/* Starts anew. `midway`: the first bytes belong to a line that began earlier, and are dropped. */
void lines_reset(struct lines *lines, bool midway);

/* Where the next bytes go, and how many fit: always some. */
char *lines_room(struct lines *lines, size_t *size);

/* `got` bytes were put there. Calls each() for every line that is whole now, without newline. */
void lines_take(struct lines *lines, size_t got,
                void (*each)(void *arg, const char *line, size_t len), void *arg);

#endif
