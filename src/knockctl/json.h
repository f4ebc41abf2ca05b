/* Rows of an answer as JSON (RFC 8259), nested as their dots say. */
#ifndef KNOCKCTL_JSON_H
#define KNOCKCTL_JSON_H

#include "knockctl/client.h"

enum { JSON_DEPTH_MAX = 4 };

struct json {
    FILE *out;
    enum reply_kind kind;
    unsigned level;                        /* objects that are open */
    unsigned count;                        /* objects at the top */
    char children[JSON_DEPTH_MAX + 1][32]; /* the array that is open in each of them */
};

/* One object, an array of objects, or an object a line, as `kind` says. */
void json_begin(struct json *json, FILE *out, enum reply_kind kind);
void json_row(struct json *json, const struct row_fields *row);
void json_end(struct json *json);

#endif
