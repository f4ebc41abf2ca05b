/* What the programs of a host say about an import: which are there, and with which options the
 * other knockd ran. */
#ifndef KNOCKCTL_IMPORT_H
#define KNOCKCTL_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

enum { IMPORT_OPTION_SIZE = 256 };

/* Options of the other knockd. */
struct import_options {
    char interface[IMPORT_OPTION_SIZE]; /* -i; empty: not given */
    char file[IMPORT_OPTION_SIZE];      /* -c; empty: not given */
    bool only_ip4;                      /* -4 */
    bool unclear;                       /* some are made by a shell */
};

/* Reads KNOCKD_OPTS out of the text of /etc/default/knockd. */
void import_read_defaults(const char *text, struct import_options *out);

#endif
