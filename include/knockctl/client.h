/* A request to knockd on its control socket, and its answer, row by row (lib/row.h). */
#ifndef KNOCKCTL_CLIENT_H
#define KNOCKCTL_CLIENT_H

#include <stdio.h>

#include "lib/row.h"

/* Exit statuses of what talks to knockd. */
enum { ASK_DONE, ASK_FAILED, ASK_USAGE, ASK_NOT_RUNNING };

enum reply_kind { REPLY_ONE, REPLY_LIST, REPLY_STREAM };

struct reply {
    const char *name; /* of the program, for messages */
    FILE *in;
    enum reply_kind kind;
    char *line;
    size_t room;
};

/*
 * Connects to `path`, sends `request`, and waits until the answer begins. Returns ASK_DONE, then
 * client_end must follow; another status after a message that begins with `name`.
 */
int client_ask(struct reply *reply, const char *name, const char *path, const char *request);

/* The next row, good until the next call. False when there are no more, or *status says why. */
bool client_row(struct reply *reply, struct row_fields *row, int *status);

void client_end(struct reply *reply);

#endif
