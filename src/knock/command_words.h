/* A command's words, as knockd and its client split them: no shell sees any. Pure. */
#ifndef KNOCK_COMMAND_WORDS_H
#define KNOCK_COMMAND_WORDS_H

enum { COMMAND_WORDS_MAX = 64, COMMAND_WORDS_SIZE = 1024 };

/* Each word with its NUL in `text`; `words` ends with NULL. */
struct command_words {
    char text[COMMAND_WORDS_SIZE];
    char *words[COMMAND_WORDS_MAX + 1];
};

/*
 * Splits `command` at blanks, '...' and "..." grouping and nothing else being special. Returns
 * NULL; or why it can't be done, as a constant text.
 */
const char *command_words_split(const char *command, struct command_words *out);

#endif
