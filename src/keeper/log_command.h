/* A program that writes log lines: journalctl, or any command. Started again when it ends. */
#ifndef KEEPER_LOG_COMMAND_H
#define KEEPER_LOG_COMMAND_H

#include "keeper/process.h"
#include "lib/loop.h"

/* Tells `report` if the program of `source` can't be run; nothing for sources that have none. */
void log_command_check(const struct config_source *source, struct report *report);

struct log_command;

/*
 * The program of `source`, which must live as long, and which runs as the listener's `user` with
 * the groups that reading logs takes. Whenever it is started, opened(arg, fd) gets the descriptor
 * to read from, which is closed afterwards. NULL and errno.
 */
struct log_command *log_command_new(struct loop *loop, const struct config_source *source,
                                    const char *user, void (*opened)(void *arg, int fd), void *arg);

/* Starts it for the first time. */
void log_command_start(struct log_command *command);

/* Ends the program with all that it started. NULL is fine. */
void log_command_free(struct log_command *command);

#endif
