/*
 * A configuration file and what it includes as one plain text for libconfuse 3.3: without comments,
 * which it miscounts or refuses inside lists; every word quoted and every $ escaped, so that it
 * expands nothing from the environment; and with a map back to file and line.
 */
#ifndef LIB_CONFIG_TEXT_H
#define LIB_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/report.h"

enum {
    CONFIG_FILE_SIZE_MAX = 1 << 20, /* bytes of one file */
    CONFIG_FILES_MAX = 256,         /* files in all, so that includes can't multiply for ever */
    CONFIG_INCLUDE_DEPTH_MAX = 10,
};

struct config_text_out {
    char *text; /* ends with NUL and holds no other */
    size_t len, size;
    struct config_pos *lines; /* lines[i]: where line i + 1 of the text stands */
    size_t line_count, line_size;
    struct config_pos unclosed; /* the outermost { that is never closed; line 0: none */
    char **files;               /* names of the files read; all positions point to them */
    unsigned file_count;
};

/*
 * Reads the file at `path` and what it includes into *out. Tells `report` and returns false on the
 * first error. The caller frees *out either way, after its last use of a position.
 */
bool config_text_read(const char *path, struct report *report, struct config_text_out *out);

struct config_file {
    char *data;
    size_t len;
    unsigned long device, inode;
    unsigned mode, owner; /* permissions, without the type; user id */
};

/* Reads the regular file at `path`, at most CONFIG_FILE_SIZE_MAX bytes; the caller hands out to
 * config_text_from or config_file_free. On error returns false and points *why to the reason. */
bool config_file_read(const char *path, struct config_file *out, const char **why);
void config_file_free(struct config_file *file);

/* As config_text_read, of a file that was read, which it frees. `path` is its name in messages;
 * `includes`: whether it may include others. */
bool config_text_from(const char *path, struct config_file *file, bool includes,
                      struct report *report, struct config_text_out *out);

/* Wipes and frees the text and its map, not the names of the files: positions outlive the text. */
void config_text_free(struct config_text_out *out);

struct config_pos config_text_pos(const struct config_text_out *out, int line);

/* How the parts of the cleaner write to the text. Each returns false when memory ran out. */
bool config_text_put(struct config_text_out *out, const char *bytes, size_t len);
bool config_text_newline(struct config_text_out *out, struct config_pos next);

#endif
