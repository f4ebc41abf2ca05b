/*
 * A command's words, as knockd, knockctl and knock split it: at blanks, '...' and "..." grouping,
 * and nothing else being special. No shell sees any of it. Pure.
 */
#ifndef LIB_COMMAND_WORDS_H
#define LIB_COMMAND_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { COMMAND_WORDS_MAX = 128, COMMAND_WORDS_SIZE = 8192 };

/* A word as it is written, with its quotes: `len` bytes of the command. */
struct command_word {
    const char *text;
    size_t len;
};

/* A part of a word: what stands between two quotes, or outside of any. */
struct command_part {
    const char *text;
    size_t len;
    char quote; /* that it stands in; 0: in none */
    bool open;  /* that quote isn't closed */
};

/* Takes the next word off *command. False at its end. */
bool command_word_take(const char **command, struct command_word *out);

/* Takes the next part off *word. False at its end. */
bool command_part_take(struct command_word *word, struct command_part *out);

/* The name of a program without its folders. */
const char *command_base_name(const char *program);

/* Whether the text is digits, one at least. */
bool command_is_number(const char *text, size_t len);

/* Each word without its quotes and with its NUL in `text`; `words` ends with NULL. */
struct command_words {
    char text[COMMAND_WORDS_SIZE];
    char *words[COMMAND_WORDS_MAX + 1];
};

/* Splits `command`. Returns NULL; or why it can't be done, as a constant text. */
const char *command_words_split(const char *command, struct command_words *out);

#endif
