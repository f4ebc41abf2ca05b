/* The command line. */
#ifndef KNOCKD_OPTIONS_H
#define KNOCKD_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/config.h"
#include "lib/option_table.h"

enum options_mode { MODE_RUN, MODE_TEST, MODE_REPLAY, MODE_CLOSE_ALL, MODE_HELP, MODE_VERSION };

struct options {
    enum options_mode mode;
    const char *config;
    char path[PATH_MAX];   /* room for `config` once it is absolute */
    bool config_given;     /* by -c, not the default */
    const char *log;       /* MODE_REPLAY: what to read, "-" for standard input */
    bool packets;          /* MODE_REPLAY: list packets, not doors */
    const char *state_dir; /* MODE_CLOSE_ALL: what was given, or NULL */
    bool background;
    bool debug;
};

/* Reads the command line. False after one line on stderr that names what was wrong. */
bool options_parse(int argc, char **argv, struct options *out);

/* The row of an option; NULL behind the last. */
const struct option_row *knockd_option(unsigned number);

/* One that is no option, but answered by what does its work here; NULL behind the last. */
const struct option *knockd_replaced_option(unsigned number);

void options_usage(FILE *out);

#endif
