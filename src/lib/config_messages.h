/* Explains to an administrator what stopped libconfuse: what is wrong, where, and what to write. */
#ifndef LIB_CONFIG_MESSAGES_H
#define LIB_CONFIG_MESSAGES_H

#include "lib/config_prepare.h"

/* Where libconfuse stopped: in the section of that kind and title, at `line` of the text. */
struct config_failure {
    const struct prepared_text *text;
    const struct config_schema *schema;
    int line;
    unsigned kind;
    const char *title; /* NULL: none */
    const char *word;  /* that libconfuse named; "": none */
};

/* Writes what is wrong and what was expected to `out`, and returns the line that is to blame. */
int config_explain(const struct config_failure *failure, char *out, size_t size);

#endif
