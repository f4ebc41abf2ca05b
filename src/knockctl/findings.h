/* What rules --check finds, printed as it is found: a line each, or with --json an object. */
#ifndef KNOCKCTL_FINDINGS_H
#define KNOCKCTL_FINDINGS_H

#include "knockctl/json.h"

struct findings {
    FILE *out;
    struct json *json; /* NULL: lines */
    FILE *line;        /* that is being written */
    char *text;        /* of it, for JSON */
    size_t size;
};

/* What an object has besides the line; NULL: there is none of that. */
struct finding_parts {
    const char *kind;
    unsigned families; /* enum firewall_family */
    const char *table, *chain, *rule;
};

/* Where the line of the next finding is to be written to. */
FILE *findings_line(struct findings *findings);

/* The line, with its newline, was written: ends the finding. */
void findings_end(struct findings *findings, const struct finding_parts *parts);

#endif
