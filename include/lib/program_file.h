/* The files of programs: found, and found fit to be executed. */
#ifndef LIB_PROGRAM_FILE_H
#define LIB_PROGRAM_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Where a program without a slash in its name is looked for, and PATH of every command. */
#define PROGRAM_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * The path of program `name`: itself when it holds a slash, else looked up in
 * PROGRAM_PATH. The caller frees it. NULL and errno when there is none that can be
 * executed.
 */
char *program_find(const char *name);

/*
 * What update-alternatives(1) makes of the program `path` just now, as /usr/sbin/iptables-nft of
 * /usr/sbin/iptables, in its place, which is freed; every other path as it is. NULL stays NULL.
 */
char *program_pin(char *path);

/* Why program_find just didn't find `name`, for messages. */
const char *program_missing(const char *name);

/* Whether the kernel can execute the file, as far as its beginning says: a script whose interpreter
 * isn't there can't be. Else one line in `why`. */
bool program_runs(const char *path, char *why, size_t why_size);

#endif
