/*
 * What the store keeps of an opening: its commands as texts, and a sum by which damage to any of it
 * is noticed. SQLite notices none inside a value, and these words are executed.
 */
#ifndef KEEPER_STORED_DOOR_H
#define KEEPER_STORED_DOOR_H

#include "keeper/store.h"

enum stored_kind { STORED_START, STORED_STOP, STORED_EXTEND, STORED_CHECK, STORED_KINDS };

/* The commands of one kind. */
const struct commands *stored_commands(const struct stored_door *door, enum stored_kind kind);

/* The words of a command, each ended by a newline; a newline in a word is "\n", a backslash "\\".
 * The caller frees it. NULL when memory is short. */
char *stored_command_text(const struct command *command);

/* Makes a command of such a text, which may be anything. 0; -1 when it is none; -2 when memory is
 * short. Unless it is 0, nothing needs to be freed. */
int stored_command_parse(const char *text, size_t size, struct command *out);

/* Over all that never changes of an opening: when, by which knock, for whom and for how long it was
 * opened, and its commands. No secret is in it: it finds accidents, not forgers. */
uint64_t stored_door_sum(const struct stored_door *door);

/* Frees the commands of a door. */
void stored_door_free(struct stored_door *door);

#endif
