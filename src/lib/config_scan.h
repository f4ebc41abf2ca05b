/*
 * Splits the text of a configuration file into tokens, where libconfuse's own lexer would, and
 * skips blanks and comments. A token that can't be one is returned as such: its reader decides what
 * follows. Pure.
 */
#ifndef LIB_CONFIG_SCAN_H
#define LIB_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum config_token_kind {
    TOKEN_END,
    TOKEN_WORD,         /* without quotes */
    TOKEN_QUOTED,       /* with its quotes and escapes; may go on behind a \ at a line's end */
    TOKEN_MARK,         /* one of { } ( ) = , or += */
    TOKEN_OPEN_QUOTE,   /* has no second quote on its line */
    TOKEN_OPEN_COMMENT, /* has no end */
    TOKEN_STRAY,        /* a byte that is none of these */
};

struct config_token {
    enum config_token_kind kind;
    const char *text; /* not terminated */
    size_t len;
    int line; /* where it begins */
};

struct config_scan {
    const char *p, *end;
    int line;
};

struct config_token config_scan_next(struct config_scan *scan);

/* Whether the token is this mark; '+' stands for "+=". */
bool config_token_is(const struct config_token *token, char mark);

/* Whether the token is a word, with quotes or without. */
bool config_token_is_word(const struct config_token *token);

/* Whether the token is this mark or word; what stands in quotes is compared as it is written. */
bool config_token_equals(const struct config_token *token, const char *text);

#endif
