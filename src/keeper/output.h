/* What a command writes, line by line into the log: some lines of it, and no line too long. */
#ifndef KEEPER_OUTPUT_H
#define KEEPER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    char line[256];
    size_t used;
    unsigned lines; /* logged so far */
    bool quiet;     /* only for those who debug */
};

/* Reads what there is at `fd`, without waiting, and logs it. Returns 0 at its end, else 1. */
int output_read(struct output *output, int fd, const char *label);

/* Logs a last line that had no end. */
void output_end(struct output *output, const char *label);

#endif
