/*
 * The control socket. Root, or the user who runs the keeper, connects, sends a request, reads the
 * answer:
 *
 *   request:  WORD WORD ...\n       one line, 256 printable characters at most, nothing after it
 *   answer:   wait\n                only if it doesn't come at once: within ROW_WAIT_MAX s
 *             ok one|list|stream\n  how the rows are to be read
 *             ROW\n ...             lib/row.h
 *             cut\n                 only if the answer was too long: rows are missing here
 *             end\n                 without it, the answer isn't whole
 *   or, instead of the "ok" or the last line:
 *             error text=TEXT\n
 *
 * Then the keeper closes the connection. It never waits: an answer is written as fast as it is
 * read, from a buffer of 1 MiB at most. A connection is closed that sends no request within 5 s,
 * reads nothing for 30 s, or sends anything else. There are 8 connections at most.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/answer.h"
#include "lib/loop.h"

enum { CONTROL_CONNECTIONS = 8, CONTROL_REQUEST_MAX = 256, CONTROL_ARGUMENTS_MAX = 4 };

struct control_request {
    const char *name;
    unsigned least, most; /* arguments */
    /* Answers, now or later. words[0] is the name, and NULL follows the last argument. gone() may
     * come before a later answer. */
    void (*run)(void *arg, struct answer *answer, char *const *words);
};

struct control_calls {
    const struct control_request *requests;
    unsigned count;
    /* The connection of this answer is gone: it isn't the caller's from here on. */
    void (*gone)(void *arg, struct answer *answer);
    void *arg;
};

struct control;

/*
 * Listens at `path`, whose folder must exist. A socket that is there is replaced if nobody answers
 * on it. NULL with one line in `why`.
 */
struct control *control_open(struct loop *loop, const char *path, struct control_calls calls,
                             char *why, size_t why_size);

/* What control_check found. */
enum control_found {
    CONTROL_WHOLE,
    CONTROL_MADE_AGAIN, /* the socket's file was gone, or another's */
    CONTROL_BROKEN,     /* likewise, and it can't be made: one line in `why` */
};

/* Checks whether the socket is still the one at its path, and makes it again if it isn't. The
 * connections stay. */
enum control_found control_check(struct control *control, char *why, size_t why_size);

/* Closes all connections, without gone(), and removes the socket. NULL is fine. */
void control_close(struct control *control);

#endif
