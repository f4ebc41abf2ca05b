/*
 * Prepares the text of one file for libconfuse 3.3: without comments, which it miscounts, and
 * refuses inside lists; with each $ in quotes escaped, so that nothing comes from the environment;
 * and with every token on the line where the file has it. What libconfuse would pass over in
 * silence is reported here.
 */
#ifndef LIB_CONFIG_PREPARE_H
#define LIB_CONFIG_PREPARE_H

#include <stdint.h>

#include "lib/config_file.h"
#include "lib/config_schema.h"

enum { CONFIG_MASK_MAX = 256 };

/*
 * Keeps secrets from libconfuse, whose lexer leaves pieces of the text in memory that it frees.
 * Words that may be a secret are covered by this one-time pad, into words of the same length and
 * letters, and uncovered in our own copy of the value. Random bytes; the caller wipes them.
 */
struct config_mask {
    uint8_t pad[CONFIG_MASK_MAX];
};

struct prepared_text {
    char *text; /* ends with NUL and holds no other */
    size_t len, size;
    int line;     /* the last */
    int unclosed; /* the line of the outermost { that is never closed; 0: none */
    int stray;    /* the line of the first } that closes nothing; 0: none */
};

/*
 * Prepares `file`, called `name` in messages. `mask` covers what may be secret; NULL: nothing is.
 * Reports the first error and returns false. The caller frees *out either way.
 */
bool config_prepare(const char *name, const struct config_file *file,
                    const struct config_schema *schema, const struct config_mask *mask,
                    struct report *report, struct prepared_text *out);

/* Wipes the text. */
void config_prepare_free(struct prepared_text *out);

/* Uncovers a value in place; leaves one that wasn't covered as it is. */
void config_unmask(const struct config_mask *mask, char *value);

/* Whether `value` is such that a mask covers it. */
bool config_is_masked(const char *value);

#endif
