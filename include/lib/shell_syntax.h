/*
 * Finds in a command what only a shell would act on. Commands of the configuration are run without
 * one, so a `;` or `>` would be handed to the program as one more argument. Pure.
 */
#ifndef LIB_SHELL_SYNTAX_H
#define LIB_SHELL_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/command_words.h"

enum shell_finding {
    SHELL_NOTHING,
    SHELL_OPERATOR,    /* ; & | < or >, not in quotes */
    SHELL_EXPANSION,   /* $NAME, ${NAME}, $(...), $1 or a backquote, not in single quotes */
    SHELL_PLACEHOLDER, /* what a knock brings stands in the script of an explicit shell */
};

/*
 * Returns the first finding, and in *word the word that is to blame. The script of an explicit
 * shell, as in
 * "/bin/sh -c '...'", may hold any syntax, but no %IP%, %PORT%, %PROTO%, %TIMEOUT% or %KEY%.
 */
enum shell_finding shell_syntax_find(const char *command, struct command_word *word);

#endif
