/* The control tool: dispatch by the name of the subcommand. */
#ifndef KNOCKCTL_KNOCKCTL_H
#define KNOCKCTL_KNOCKCTL_H

/* The whole program; returns its exit status. */
int knockctl_main(int argc, char **argv);

/*
 * Subcommands: argv[0] is "knockctl NAME", argv[1] the first argument. Each prints its own messages
 * and returns the exit status.
 */
int knockctl_rules(int argc, char **argv);
int knockctl_sequence(int argc, char **argv);
int knockctl_key(int argc, char **argv);

/* What a subcommand may return instead of an exit status: its usage is to be printed, since it was
 * asked for or since it was called wrongly, which has been said. */
enum { KNOCKCTL_HELP = -1, KNOCKCTL_MISUSED = -2 };

/* All those that ask knockd. */
int knockctl_ask(int argc, char **argv);

#endif
