/* What is answered on the control socket, row by row; how it goes out is control/control.h's. */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include "lib/row.h"

/* An answer under way, to one request. Nothing here waits or fails: what there is no room for is
 * left out, and the answer says so. */
struct answer;

enum answer_kind {
    ANSWER_ONE,    /* one object */
    ANSWER_LIST,   /* any number of them */
    ANSWER_STREAM, /* objects as they come */
};

void answer_begin(struct answer *answer, enum answer_kind kind);
void answer_row(struct answer *answer, const struct row *row);

/* That was all; the answer is no longer the caller's. */
void answer_end(struct answer *answer);

/* Instead of all that, or of its end: why there is no answer, one line. Ends it as well. */
void answer_error(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same where an argument of the request is wrong, whatever the state of knockd. */
void answer_wrong_argument(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
