/* The programs that commands name: found, and found fit to be executed. */
#ifndef KEEPER_PROGRAM_H
#define KEEPER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "keeper/command.h"
#include "lib/report.h"

/* Where a program without a slash in its name is looked for, and PATH of every command. */
#define PROGRAM_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * The path of program `name`: itself when it holds a slash, else looked up in
 * PROGRAM_PATH. The caller frees it. NULL and errno when there is none that can be
 * executed.
 */
char *program_find(const char *name);

/* Why program_find just didn't find `name`, for messages. */
const char *program_missing(const char *name);

/* Whether the kernel can execute the file, as far as its beginning says: a script whose interpreter
 * isn't there can't be. Else one line in `why`. */
bool program_runs(const char *path, char *why, size_t why_size);

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
