/* The answer to a request of the control socket, row by row; control.c sends it. */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include "lib/row.h"

/* An answer to one request, being made. No call here waits or fails: rows for which there is no
 * room are left out, and the answer says so. */
struct answer;

enum answer_kind {
    ANSWER_ONE,    /* one object */
    ANSWER_LIST,   /* any number of them */
    ANSWER_STREAM, /* objects as they come */
};

void answer_begin(struct answer *answer, enum answer_kind kind);
void answer_row(struct answer *answer, const struct row *row);

/* The answer is complete, and no longer the caller's. */
void answer_end(struct answer *answer);

/* In place of all that, or of its end: one line that says why there is no answer. Ends it, too. */
void answer_error(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for an argument of the request that is wrong, whatever the state of knockd. */
void answer_wrong_argument(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes the name of the user who logged in and asks, as root by sudo perhaps; "" where that isn't
 * known, or is root. Returns `out`. */
const char *answer_user(const struct answer *answer, char *out, size_t size);

#endif
