/* Commands that run before the first door and after the last: init_command, exit_command. */
#ifndef KEEPER_HOOKS_H
#define KEEPER_HOOKS_H

#include "keeper/command.h"

/*
 * Makes the commands of `list`, called `key` in messages, which take no placeholders. -1 after
 * telling `report`.
 */
int hooks_make(const struct config_list *list, const char *key, struct report *report,
               struct commands *out);

#endif
