/* From the file of the knockd that listens to an interface to one of ours, as a text. */
#ifndef KNOCKCTL_IMPORT_CONVERT_H
#define KNOCKCTL_IMPORT_CONVERT_H

#include <stdio.h>

#include "knockctl/import_command.h"
#include "knockctl/import_ini.h"

/* What is known of the old knockd besides its file. */
struct import_setting {
    const char *name;      /* of the file, for comments and messages */
    const char *interface; /* of its option -i; NULL: not given */
    const char *file;      /* of its option -c; NULL: not given */
    bool only_ip4;         /* its option -4 */
    bool unclear;          /* its options hold what only a shell knows */
    struct import_programs programs;
    /* Reads a file of one-time sequences; the caller frees *data. False: *why says why not. */
    bool (*read_file)(void *arg, const char *path, char **data, size_t *len, const char **why);
};

struct import_result {
    unsigned doors; /* that were converted */
    unsigned lost;  /* settings and doors that were left out */
};

/*
 * Writes the whole configuration to `out`. What was left out, and why, is told by a comment there
 * and by a line on `errors`. False when memory is short.
 */
bool import_convert(const struct ini_file *file, const struct import_setting *setting, FILE *out,
                    FILE *errors, struct import_result *result);

#endif
