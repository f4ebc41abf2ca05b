/*
 * Commands as the configuration writes them: split into words first, then each word is expanded.
 * So nothing that is put in can become a second word, and no shell ever sees any of it. Pure.
 */
#ifndef KEEPER_TEMPLATE_H
#define KEEPER_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/command_words.h"

enum { WORDS_MAX = COMMAND_WORDS_MAX, WORDS_SIZE = COMMAND_WORDS_SIZE };

/* What the placeholders stand for; NULL: it has no value here, and using it is an error. */
struct values {
    const char *ip;       /* %IP%, canonical */
    const char *iptables; /* %IPTABLES% */
    const char *family;   /* %FAMILY%: 4 or 6 */
    const char *door;     /* %DOOR% */
    const char *port;     /* %PORT% */
    const char *proto;    /* %PROTO% */
    const char *timeout;  /* %TIMEOUT%, seconds */
    const char *key;      /* %KEY% */
};

/* The words of one command, one after the other, each with its NUL. */
struct words {
    unsigned count;
    size_t size;
    char text[WORDS_SIZE];
};

/*
 * Splits `text` as lib/command_words.h does; then replaces
 * %NAME% in each word, and %% by a percent sign. On error returns false and writes what was wrong
 * to `why`, of `why_size` bytes.
 */
bool template_expand(const char *text, const struct values *values, struct words *out, char *why,
                     size_t why_size);

#endif
