/* The words of a rule as iptables-save(8) prints it. */
#ifndef LIB_RULE_WORDS_H
#define LIB_RULE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { RULE_WORDS_MAX = 512 };

struct rule_words {
    char *text; /* holds the words; to be freed */
    char *words[RULE_WORDS_MAX + 1];
    unsigned count;
};

/*
 * Splits the `len` bytes of a line at its blanks; "..." groups, and \ takes the next character as
 * it is. A line of more than RULE_WORDS_MAX words is cut there. False when memory is short.
 */
bool rule_words_split(const char *line, size_t len, struct rule_words *out);

#endif
