/* A request to knockd on its control socket, and its answer, row by row (lib/row.h). */
#ifndef KNOCKCTL_CLIENT_H
#define KNOCKCTL_CLIENT_H

#include <stdio.h>

#include "knockctl/arguments.h"
#include "lib/row.h"

/* How long knockd may be silent, in s, before it is taken for stopped. */
enum { CLIENT_PATIENCE = 5 };

enum reply_kind { REPLY_ONE, REPLY_LIST, REPLY_STREAM };

struct reply {
    const char *name; /* to begin messages with; NULL: there are none */
    const char *path; /* of the socket */
    int fd;
    enum reply_kind kind;
    int patience; /* s that each wait may take */
    bool silent;  /* nothing came in that time */
    char *buffer; /* what has come: bytes from `begin` to `end` */
    size_t begin, end;
    char *line; /* the last one that was read, in the buffer */
};

/*
 * Connects to `path`, sends `request`, and waits until the answer begins: CLIENT_PATIENCE, and
 * longer only where knockd says that it takes longer. Returns KNOCKCTL_DONE, then client_end must
 * follow; another status after a message that begins with `name`, unless that is NULL.
 */
int client_ask(struct reply *reply, const char *name, const char *path, const char *request);

/* Whether somebody listens at `path` and lets us in. */
bool client_reaches(const char *path);

/* The next row, good until the next call. False when there are no more, or *status says why. Of a
 * stream it waits for it for ever, else CLIENT_PATIENCE. */
bool client_row(struct reply *reply, struct row_fields *row, int *status);

/* Whether a row, or the end of the answer, comes within so many ms. */
bool client_ready(const struct reply *reply, int ms);

void client_end(struct reply *reply);

#endif
