/*
 * One file that is being read, whatever name it has by now. It is known by the bytes before the
 * place where reading stopped: when others stand there, it was emptied or written anew.
 */
#ifndef LISTENER_FOLLOWER_H
#define LISTENER_FOLLOWER_H

#include "lib/record.h"
#include "listener/lines.h"

enum { FOLLOWER_MARK = 64 };

struct follower {
    int fd; /* -1: none */
    int watch;
    bool polled;
    int64_t offset;
    int64_t until;     /* when it was replaced: it is let go then */
    int64_t first;     /* when it was replaced: up to here, newer files have to wait for it */
    unsigned mark_len; /* the bytes before `offset`, to know the file by */
    char mark[FOLLOWER_MARK];
    struct lines *lines;
};

/* Makes one without a file. -1 when memory is short; the caller frees it either way. */
int follower_init(struct follower *f);
void follower_free(struct follower *f);

/* Takes the file `fd`, handed over by `record`, and owns it. */
void follower_take(struct follower *f, const struct record_fd *record, int fd);

/* Closes the file, if there is one. */
void follower_let_go(struct follower *f);

enum follower_found {
    FOLLOWER_BYTES,
    FOLLOWER_NOTHING, /* the file's end, or it can't be read just now */
    FOLLOWER_CHANGED, /* what was read is gone */
};

/* Reads one block, and calls for each line that is whole now. */
enum follower_found follower_read(struct follower *f,
                                  void (*line)(void *arg, const char *line, size_t len), void *arg);

/* Goes to the file's start: what it held is gone. */
void follower_start_over(struct follower *f);

/* Copies the line before the place where reading is to `out`; its length, 0 if there is none. */
size_t follower_line_before(const struct follower *f, char *out, size_t size);

#endif
