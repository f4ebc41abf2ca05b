/* Commands whose programs were found, and found fit to be executed. */
#ifndef KEEPER_PROGRAM_H
#define KEEPER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "keeper/command.h"
#include "lib/program_file.h"
#include "lib/report.h"

/*
 * Makes the command `text`, called `what` in messages, which takes no placeholders. -1 after
 * telling `report`, and then *out is empty. The caller frees the command's text.
 */
int program_command(const struct config_text *text, const char *what, struct report *report,
                    struct command *out);

/* The same of a list: init_command, exit_command. The caller frees *out by commands_free. */
int program_commands(const struct config_list *texts, const char *what, struct report *report,
                     struct commands *out);

#endif
