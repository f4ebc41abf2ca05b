/* Reads a small file from the disk: a configuration, a key, one-time sequences. */
#ifndef LIB_CONFIG_FILE_H
#define LIB_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_FILE_SIZE_MAX = 1 << 20 }; /* bytes */

struct config_file {
    char *data;
    size_t len;
    unsigned long device, inode;
    unsigned mode, owner; /* permissions, without the type; user id */
};

/* Reads the regular file at `path`, at most CONFIG_FILE_SIZE_MAX bytes; the caller frees *out. On
 * error returns false and points *why to the reason. */
bool config_file_read(const char *path, struct config_file *out, const char **why);

/* Wipes the bytes: they may be a secret. */
void config_file_free(struct config_file *file);

#endif
