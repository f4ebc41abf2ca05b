/* A request to knockd on its control socket, and its answer, row by row (lib/row.h). */
#ifndef KNOCKCTL_CLIENT_H
#define KNOCKCTL_CLIENT_H

#include <stdio.h>

#include "lib/row.h"

/* Exit statuses of what talks to knockd. */
enum { ASK_DONE, ASK_FAILED, ASK_USAGE, ASK_NOT_RUNNING, ASK_SILENT };

/* How long knockd may be silent, in s, before it is taken for stopped. */
enum { CLIENT_PATIENCE = 5 };

enum reply_kind { REPLY_ONE, REPLY_LIST, REPLY_STREAM };

struct reply {
    const char *name; /* of the program, for messages */
    FILE *in;
    enum reply_kind kind;
    int patience; /* s that each wait may take */
    bool silent;  /* nothing came in that time */
    char *line;
    size_t room;
};

/*
 * Connects to `path`, sends `request`, and waits until the answer begins: CLIENT_PATIENCE, and
 * longer only where knockd says that it takes longer. Returns ASK_DONE, then client_end must
 * follow; another status after a message that begins with `name`.
 */
int client_ask(struct reply *reply, const char *name, const char *path, const char *request);

/* The next row, good until the next call. False when there are no more, or *status says why. Of a
 * stream it waits for it for ever, else CLIENT_PATIENCE. */
bool client_row(struct reply *reply, struct row_fields *row, int *status);

void client_end(struct reply *reply);

#endif
