/* The profile's command that tells this machine's public address. */
#ifndef KNOCK_ADDRESS_COMMAND_H
#define KNOCK_ADDRESS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

enum { ADDRESS_COMMAND_WORDS = 64, ADDRESS_COMMAND_SIZE = 1024 };

/* A command's words, each with its NUL in `text`; `words` ends with NULL. */
struct address_words {
    char text[ADDRESS_COMMAND_SIZE];
    char *words[ADDRESS_COMMAND_WORDS + 1];
};

/*
 * Splits `command` at blanks, '...' and "..." grouping and nothing else being special, as knockd
 * does with its commands. NULL; or why it can't be done, as a constant text.
 */
const char *address_command_split(const char *command, struct address_words *out);

/*
 * Runs the command, found by PATH, without a shell, and takes the first line that it prints as the
 * address. It has to end before `until` (clock_now()), with exit status 0, or it is killed with its
 * process group. False, told already, when it tells no address.
 */
bool address_command_ask(const char *command, int64_t until, struct addr *out);

#endif
