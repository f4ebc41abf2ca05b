/* Reads a small file from the disk: a configuration, a key, one-time sequences. */
#ifndef LIB_CONFIG_FILE_H
#define LIB_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/report.h"

enum { CONFIG_FILE_SIZE_MAX = 1 << 20, CONFIG_LIST_SIZE_MAX = 16 << 20 }; /* bytes */

struct config_file {
    char *data;
    size_t len;
    unsigned long device, inode;
    unsigned mode, owner, group; /* permissions, without the type; user and group id */
    char *loose;    /* a folder on the way to it that others could change; NULL: none */
    bool sheltered; /* it has no name, or a folder on the way is closed to all but its owner */
};

/* Reads the regular file at `path`, at most CONFIG_FILE_SIZE_MAX bytes; the caller frees *out. On
 * error returns false and points *why to the reason. */
bool config_file_read(const char *path, struct config_file *out, const char **why);

/* The same of a list with a line for each of many things: up to CONFIG_LIST_SIZE_MAX bytes. */
bool config_file_read_list(const char *path, struct config_file *out, const char **why);

/* What others may do to the file at `path`, without reading it. False: it isn't a regular file, or
 * can't be looked at. The caller frees *out. */
bool config_file_look(const char *path, struct config_file *out);

/* What is asked of a file beside its owner, who has to be root or the caller. */
struct config_file_rule {
    const char *what;   /* for messages: "the key file" */
    unsigned forbidden; /* permissions of group and others that are an error */
    const char *advice; /* what to do then: "chmod 600 it" */
};

/*
 * Whether nobody else than root and the caller could have changed the file, by what it was when it
 * was opened; reports an error at `pos` where that isn't so. For root, folders on the way count
 * too. Permissions to write count only where others can reach the file, unless the rule forbids to
 * read as well; those of an ordinary caller's own group are a warning.
 */
bool config_file_trusted(const struct config_file *file, const struct config_file_rule *rule,
                         struct config_pos pos, struct report *report);

/* Whether others than its owner can read the file. */
bool config_file_is_open(const struct config_file *file);

/* Wipes the bytes: they may be a secret. */
void config_file_free(struct config_file *file);

#endif
