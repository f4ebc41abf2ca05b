/* The control tool: its commands. */
#ifndef KNOCKCTL_KNOCKCTL_H
#define KNOCKCTL_KNOCKCTL_H

#include "knockctl/arguments.h"

/* The whole program; returns its exit status. */
int knockctl_main(int argc, char **argv);

/* The row of a command; NULL behind the last. */
const struct command *knockctl_command(unsigned number);

/* Commands. Each prints its own messages, and returns the exit status. */
int knockctl_rules(const struct arguments *arguments);
int knockctl_sequence(const struct arguments *arguments);
int knockctl_import(const struct arguments *arguments);
int knockctl_key_new(const struct arguments *arguments);
int knockctl_key_list(const struct arguments *arguments);
int knockctl_key_remove(const struct arguments *arguments);

/* All those that ask knockd. */
int knockctl_ask(const struct arguments *arguments);

#endif
