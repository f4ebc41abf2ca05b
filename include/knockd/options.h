/* The command line. */
#ifndef KNOCKD_OPTIONS_H
#define KNOCKD_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#define DEFAULT_CONFIG "/etc/knockd.conf"

enum options_mode { MODE_RUN, MODE_TEST, MODE_HELP, MODE_VERSION };

struct options {
    enum options_mode mode;
    const char *config;
    bool background;
    bool debug;
};

/* Reads the command line. False after one line on stderr that names what was wrong. */
bool options_parse(int argc, char **argv, struct options *out);

void options_usage(FILE *out);

#endif
