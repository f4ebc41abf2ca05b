/* What commands write, line by line into the log, and what a job has told there before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/runner_parts.h"
#include "lib/log.h"
#include "lib/service.h"

/* --- what was told before --- */

void told_count_run(struct runner_told *told)
{
    unsigned runs = ++told->runs;
    if (runs >= RUNNER_TOLD_AGAIN && (runs & (runs - 1)) == 0)
        memset(told->hashes, 0, sizeof(told->hashes));
}

bool told_before(const struct job *job, const char *text)
{
    if (job->told && !*job->told && (*job->told = calloc(1, sizeof(**job->told))))
        (*job->told)->runs = 1;
    if (!job->told || !*job->told)
        return false;
    uint32_t *hashes = (*job->told)->hashes;
    /* Never 0, which stands for nothing. */
    uint32_t hash = (runner_hash(text) + job->index * 2) | 1;
    unsigned at = 0;
    while (at < RUNNER_TOLD - 1 && hashes[at] != hash)
        at++;
    bool before = hashes[at] == hash;
    memmove(hashes + 1, hashes, at * sizeof(*hashes));
    hashes[0] = hash;
    return before;
}

/* --- what a command writes --- */

/* A command that chatters can't fill the disk through us. */
enum { LINES_MAX = 10 };

void output_end(struct output *output, const char *label)
{
    if (output->used == 0)
        return;
    output->line[output->used] = '\0';
    if (!output->denied)
        output->denied = service_denied(output->line);
    if (output->batch && output->failed_at == 0)
        output->failed_at = batch_failed_at(output->batch, output->line);
    output->erred |= command_says_error(job_command(output->job), output->line);
    const char *text = output->line;
    if (output->lines == LINES_MAX && !output->quiet)
        text = "more was written and is left out";
    bool told = output->lines <= LINES_MAX && !output->quiet && told_before(output->job, text);
    if (output->quiet || told)
        log_debug("%s: output: %s", label, text);
    else if (output->lines <= LINES_MAX)
        log_notice("%s: output: %s", label, text);
    output->lines++;
    output->used = 0;
}

static void output_add(struct output *output, const char *text, size_t len, const char *label)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            output_end(output, label);
        else if (output->used < sizeof(output->line) - 1 && text[i] != '\0')
            output->line[output->used++] = text[i];
    }
}

int output_read(struct output *output, int fd, const char *label)
{
    char text[4096];
    ssize_t got = read(fd, text, sizeof(text));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    output_add(output, text, (size_t)got, label);
    return got > 0;
}
