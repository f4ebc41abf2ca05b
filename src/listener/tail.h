/*
 * One file that is being read, whatever name it has by now. It is known by the bytes before the
 * place where reading stopped: when others stand there, it was emptied or rewritten.
 */
#ifndef LISTENER_TAIL_H
#define LISTENER_TAIL_H

#include "lib/message.h"
#include "listener/lines.h"

enum { TAIL_MARK = 64 };

struct tail {
    int fd; /* -1: none */
    int watch;
    bool polled;
    int64_t offset;
    int64_t until;     /* when it was replaced: it is closed then */
    int64_t first;     /* when it was replaced: up to here, newer files have to wait for it */
    unsigned mark_len; /* the bytes before `offset`, to know the file by */
    char mark[TAIL_MARK];
    struct lines *lines;
};

/* Makes one without a file. -1 when memory is short; the caller frees it either way. */
int tail_init(struct tail *f);
void tail_free(struct tail *f);

/* Begins to read the file `fd`, handed over by `message`, and owns it. */
void tail_open(struct tail *f, const struct message_fd *message, int fd);

/* Closes the file, if there is one. */
void tail_close(struct tail *f);

enum tail_found {
    TAIL_BYTES,
    TAIL_NOTHING, /* the file's end, or it can't be read just now */
    TAIL_CHANGED, /* what was read is gone */
};

/* Reads one block; lines_next has the lines that are whole now. */
enum tail_found tail_read(struct tail *f);

/* Goes to the file's start: what it held is gone. */
void tail_start_over(struct tail *f);

/* Copies the line before the place where reading is to `out`; its length, 0 if there is none. */
size_t tail_line_before(const struct tail *f, char *out, size_t size);

#endif
