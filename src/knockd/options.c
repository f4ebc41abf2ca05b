#include "knockd/options.h"

#include <getopt.h>
#include <string.h>

/* Options without a letter. */
enum { OPTION_PACKETS = 256 };

static const struct option_help {
    struct option option; /* val is the short one, if it is a character */
    const char *argument;
    const char *help;
} table[] = {
    {{"config", required_argument, NULL, 'c'}, "FILE", "read FILE instead of " DEFAULT_CONFIG},
    {{"daemon", no_argument, NULL, 'd'}, "", "go into the background once all is ready"},
    {{"foreground", no_argument, NULL, 'f'}, "", "stay in the foreground (the default)"},
    {{"test", no_argument, NULL, 't'}, "", "check the configuration and exit"},
    {{"replay", required_argument, NULL, 'r'}, "LOG", "tell what LOG (-: stdin) would have opened"},
    {{"packets", no_argument, NULL, OPTION_PACKETS}, "", "with -r: list LOG's packets instead"},
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
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *option = &table[i].option;
        char letter[] = {'-', (char)option->val, ',', '\0'};
        fprintf(out, "  %3s --%s %-*s %s\n", option->val < OPTION_PACKETS ? letter : "",
                option->name, (int)(14 - strlen(option->name)), table[i].argument, table[i].help);
    }
}

static bool take(int option, struct options *out)
{
    switch (option) {
    case 'c':
        out->config = optarg;
        out->config_given = true;
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
    case 'r':
        out->mode = MODE_REPLAY;
        out->log = optarg;
        return true;
    case OPTION_PACKETS:
        out->packets = true;
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
        if (table[i].option.val < OPTION_PACKETS)
            strcat(shorts, text);
    }
    *out = (struct options){.config = DEFAULT_CONFIG};
    for (int option; (option = getopt_long(argc, argv, shorts, options, NULL)) != -1;)
        /* getopt has said what is wrong, with the program's name. */
        if (!take(option, out))
            return false;
    if (optind < argc) {
        fprintf(stderr, "knockd: unexpected argument '%s'; see knockd -h\n", argv[optind]);
        return false;
    }
    if (out->packets && out->mode == MODE_RUN) {
        fputs("knockd: --packets lists the packets of a log; say which: -r LOG\n", stderr);
        return false;
    }
    return true;
}
