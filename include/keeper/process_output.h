/* A program that is run to its end, and what it writes. */
#ifndef KEEPER_PROCESS_OUTPUT_H
#define KEEPER_PROCESS_OUTPUT_H

#include <stdio.h>

#include "keeper/command.h"

/*
 * Runs `command` and waits for its end, until `deadline` (clock_now()) at most; then it is killed.
 * Returns what it wrote to standard output, and (`errors`) to standard error, as a file at its
 * beginning, which the caller closes; NULL where the program couldn't be run. *status: its exit
 * status; -1: it has none. Nothing else is done meanwhile: for programs that end at once.
 */
FILE *process_output(const struct command *command, bool errors, int64_t deadline, int *status);

/* The same, with the file descriptor `input` as its standard input (-1: /dev/null). */
FILE *process_output_of(const struct command *command, int input, bool errors, int64_t deadline,
                        int *status);

#endif
