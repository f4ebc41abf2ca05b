#include "keeper/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

/* A command that chatters can't fill the disk through us. */
enum { LINES_MAX = 10 };

static void end_line(struct output *output, const char *label)
{
    if (output->used == 0)
        return;
    if (output->quiet)
        log_debug("%s: output: %.*s", label, (int)output->used, output->line);
    else if (output->lines < LINES_MAX)
        log_notice("%s: output: %.*s", label, (int)output->used, output->line);
    else if (output->lines == LINES_MAX)
        log_notice("%s: output: more was written and is left out", label);
    output->lines++;
    output->used = 0;
}

static void add(struct output *output, const char *text, size_t len, const char *label)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            end_line(output, label);
        else if (output->used < sizeof(output->line) && text[i] != '\0')
            output->line[output->used++] = text[i];
    }
}

int output_read(struct output *output, int fd, const char *label)
{
    char text[4096];
    ssize_t got = read(fd, text, sizeof(text));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    add(output, text, (size_t)got, label);
    return got > 0;
}

void output_end(struct output *output, const char *label)
{
    end_line(output, label);
}
