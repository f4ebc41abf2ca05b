/*
 * What a replay reads: a log or a capture, a file or a pipe. Says which by the first bytes, before
 * anything is parsed.
 */
#ifndef KNOCKD_REPLAY_INPUT_H
#define KNOCKD_REPLAY_INPUT_H

#include <stdbool.h>
#include <stddef.h>

enum input_kind {
    INPUT_LOG,
    INPUT_CAPTURE,    /* pcap or pcapng, in any byte order */
    INPUT_COMPRESSED, /* `program` prints what is in it */
    INPUT_OTHER,      /* a capture of a kind that isn't read, or named like a capture */
};

enum { INPUT_HEAD = 10 };

struct replay_input {
    int fd;
    enum input_kind kind;
    const char *program;   /* INPUT_COMPRESSED */
    bool live;             /* no file: more may be long in coming */
    bool standard;         /* standard input, which stays open */
    int interrupt;         /* signalfd of SIGINT; -1: it has its usual effect */
    bool interrupted;      /* by SIGINT: nothing more is read */
    char head[INPUT_HEAD]; /* read to say what it is, and not passed on yet */
    size_t head_len;
};

/*
 * Opens `path`, "-" for standard input, and sets all of *input. 0, or errno; to be closed either
 * way. Once it is open, a first SIGINT ends the input, and a second one the program; where SIGINT
 * is ignored, it stays so.
 */
int replay_input_open(struct replay_input *input, const char *path);
void replay_input_close(struct replay_input *input);

/* Whether nothing comes for `ms`, and no SIGINT. */
bool replay_input_is_quiet(const struct replay_input *input, int ms);

/* Reads what there is, up to `size` bytes. 0: the end, or SIGINT came; -1 and errno. `input` is a
 * struct replay_input. */
long replay_input_read(void *input, char *out, size_t size);

#endif
