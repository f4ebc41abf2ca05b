/* Firewall programs, run with a text for input or for their output. */
#ifndef KNOCKCTL_PROGRAM_H
#define KNOCKCTL_PROGRAM_H

/*
 * Runs argv[0], looked up in /usr/sbin:/usr/bin:/sbin:/bin, with `input` (NULL: nothing) on its
 * standard input, and waits for it. `output` and `errors`, when not NULL, get what it printed and
 * what it wrote to its standard error, to be freed; without `errors` that goes to ours. Returns its
 * exit status; 127 if it isn't there, -1 if it ended otherwise or couldn't be started.
 */
int program_run(char *const argv[], const char *input, char **output, char **errors);

#endif
