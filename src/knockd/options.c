#include "knockd/options.h"

#include <getopt.h>
#include <string.h>

static const struct option_help {
    struct option option; /* val is the short one */
    const char *argument;
    const char *help;
} table[] = {
    {{"config", required_argument, NULL, 'c'}, "FILE", "read FILE instead of " DEFAULT_CONFIG},
    {{"daemon", no_argument, NULL, 'd'}, "", "go into the background once all is ready"},
    {{"foreground", no_argument, NULL, 'f'}, "", "stay in the foreground (the default)"},
    {{"test", no_argument, NULL, 't'}, "", "check the configuration and exit"},
    {{"verbose", no_argument, NULL, 'v'}, "", "also log each step of a knock and each command"},
    {{"debug", no_argument, NULL, 'D'}, "", "the same"},
    {{"version", no_argument, NULL, 'V'}, "", "print the version and exit"},
    {{"help", no_argument, NULL, 'h'}, "", "print this and exit"},
};

enum { OPTIONS = sizeof(table) / sizeof(*table) };

void options_usage(FILE *out)
{
    fprintf(out,
            "usage: knockd [OPTION]...\n"
            "Opens ports for those who knock right, as its configuration says; see knockd(8).\n\n");
    for (int i = 0; i < OPTIONS; i++)
        fprintf(out, "  -%c, --%s %-*s %s\n", table[i].option.val, table[i].option.name,
                (int)(14 - strlen(table[i].option.name)), table[i].argument, table[i].help);
}

static bool take(int option, struct options *out)
{
    switch (option) {
    case 'c':
        out->config = optarg;
        return true;
    case 'd':
        out->background = true;
        return true;
    case 'f':
        out->background = false;
        return true;
    case 't':
        out->mode = MODE_TEST;
        return true;
    case 'v':
    case 'D':
        out->debug = true;
        return true;
    case 'V':
        out->mode = MODE_VERSION;
        return true;
    case 'h':
        out->mode = MODE_HELP;
        return true;
    default:
        return false;
    }
}

bool options_parse(int argc, char **argv, struct options *out)
{
    struct option options[OPTIONS + 1] = {{0}};
    char shorts[2 * OPTIONS + 1] = "";
    for (int i = 0; i < OPTIONS; i++) {
        options[i] = table[i].option;
        char text[3] = {(char)table[i].option.val, table[i].option.has_arg ? ':' : '\0', '\0'};
        strcat(shorts, text);
    }
    *out = (struct options){.config = DEFAULT_CONFIG};
    for (int option; (option = getopt_long(argc, argv, shorts, options, NULL)) != -1;)
        /* getopt has said what is wrong, with the program's name. */
        if (!take(option, out))
            return false;
    if (optind == argc)
        return true;
    fprintf(stderr, "knockd: unexpected argument '%s'; see knockd -h\n", argv[optind]);
    return false;
}
