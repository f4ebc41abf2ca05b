/* Reads the command line, and answers options of another knockd by what does their work here. */
#include "knockd/options.h"

#include <getopt.h>
#include <string.h>

/* Options without a letter. */
enum { OPTION_PACKETS = 256, OPTION_CLOSE_ALL, OPTION_STATE_DIR };

static const struct option_help {
    struct option option; /* val is the short one, if it is a character */
    const char *argument;
    const char *help;
} table[] = {
    {{"config", required_argument, NULL, 'c'}, "FILE", "read FILE instead of " DEFAULT_CONFIG},
    {{"daemon", no_argument, NULL, 'd'}, "", "go into the background once all is ready"},
    {{"foreground", no_argument, NULL, 'f'}, "", "stay in the foreground (the default)"},
    {{"test", no_argument, NULL, 't'}, "", "check the configuration and exit"},
    {{"replay", required_argument, NULL, 'r'},
     "LOG",
     "tell what LOG, or a capture (-: stdin), would have opened"},
    {{"packets", no_argument, NULL, OPTION_PACKETS}, "", "with -r: list LOG's packets instead"},
    {{"close-all", no_argument, NULL, OPTION_CLOSE_ALL},
     "",
     "close what an earlier run left open, and exit"},
    {{"state-dir", required_argument, NULL, OPTION_STATE_DIR},
     "FOLDER",
     "with --close-all: where that is on record"},
    {{"verbose", no_argument, NULL, 'v'}, "", "also log each step of a knock and each command"},
    {{"debug", no_argument, NULL, 'D'}, "", "the same"},
    {{"version", no_argument, NULL, 'V'}, "", "print the version and exit"},
    {{"help", no_argument, NULL, 'h'}, "", "print this and exit"},
};

/*
 * Options of the knockd that listens to an interface, and what does their work here, for those who
 * take over its start script. Arguments are optional, so that each is recognised with one and
 * without.
 */
static const struct option_replaced {
    struct option option;
    const char *instead;
} replaced[] = {
    {{"interface", optional_argument, NULL, 'i'},
     "knocks are read from the firewall's log, set by `source` in the configuration; `interface` "
     "of a door says where they must come in; see knockd.conf(5)"},
    {{"lookup", optional_argument, NULL, 'l'},
     "names are never looked up; look up logged addresses with `getent hosts ADDRESS`"},
    {{"pidfile", optional_argument, NULL, 'p'},
     "no pid file is written; `state_dir` in the configuration holds the lock that decides that "
     "knockd runs once; find its process with `pgrep -o -x knockd`"},
    {{"logfile", optional_argument, NULL, 'g'},
     "messages go to syslog, see `facility` in knockd.conf(5), and to standard error, which can be "
     "redirected to a file"},
    {{"only-ip-v4", optional_argument, NULL, '4'},
     "a door is for IPv4 only with `allow = { \"0.0.0.0/0\" }` in the configuration; see "
     "knockd.conf(5)"},
};

enum {
    OPTIONS = sizeof(table) / sizeof(*table),
    REPLACED = sizeof(replaced) / sizeof(*replaced),
};

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

/* Prints what to use instead of `option`, if it is one of those. */
static void print_replacement(int option)
{
    for (int i = 0; i < REPLACED; i++)
        if (replaced[i].option.val == option)
            fprintf(stderr, "knockd: -%c, --%s: %s\n", option, replaced[i].option.name,
                    replaced[i].instead);
}

/* Help and version may stand beside anything; of the other modes there can be one. */
static bool set_mode(struct options *out, enum options_mode mode)
{
    bool chosen = out->mode >= MODE_TEST && out->mode <= MODE_CLOSE_ALL;
    bool contradicts = chosen && out->mode != mode;
    if (contradicts)
        fputs("knockd: -t, -r and --close-all exclude each other: choose one; see knockd -h\n",
              stderr);
    out->mode = mode;
    return !contradicts;
}

static bool set_option(int option, struct options *out)
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
        return set_mode(out, MODE_TEST);
    case 'r':
        out->log = optarg;
        return set_mode(out, MODE_REPLAY);
    case OPTION_PACKETS:
        out->packets = true;
        return true;
    case OPTION_CLOSE_ALL:
        return set_mode(out, MODE_CLOSE_ALL);
    case OPTION_STATE_DIR:
        out->state_dir = optarg;
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
        print_replacement(option);
        return false;
    }
}

static void add_short(const struct option *option, char *shorts)
{
    char text[] = {(char)option->val, option->has_arg == required_argument ? ':' : '\0', '\0'};
    if (option->val < OPTION_PACKETS)
        strcat(shorts, text);
}

/* Fills in what getopt_long reads: `options` has room for all and a last one, `shorts` for two
 * characters each. */
static void list_options(struct option *options, char *shorts)
{
    for (int i = 0; i < OPTIONS; i++)
        options[i] = table[i].option;
    for (int i = 0; i < REPLACED; i++)
        options[OPTIONS + i] = replaced[i].option;
    for (int i = 0; i < OPTIONS + REPLACED; i++)
        add_short(&options[i], shorts);
}

bool options_parse(int argc, char **argv, struct options *out)
{
    struct option options[OPTIONS + REPLACED + 1] = {{0}};
    char shorts[2 * (OPTIONS + REPLACED) + 1] = "";
    list_options(options, shorts);
    *out = (struct options){.config = DEFAULT_CONFIG};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, shorts, options, NULL)) != -1;)
        if (!set_option(option, out)) {
            if (option == '?' || option == ':')
                fprintf(stderr, "knockd: '%s' is no option, or lacks its argument; see knockd -h\n",
                        argv[optind - 1]);
            return false;
        }
    if (optind < argc) {
        fprintf(stderr, "knockd: unexpected argument '%s'; see knockd -h\n", argv[optind]);
        return false;
    }
    if (out->packets && out->mode == MODE_RUN) {
        fputs("knockd: --packets lists the packets of a log; say which: -r LOG\n", stderr);
        return false;
    }
    if (out->state_dir && out->mode != MODE_CLOSE_ALL) {
        fputs("knockd: --state-dir goes with --close-all; a knockd that runs has the `state_dir` "
              "of its configuration\n",
              stderr);
        return false;
    }
    if (out->state_dir && *out->state_dir != '/') {
        fprintf(stderr, "knockd: --state-dir: \"%s\": expected an absolute path\n", out->state_dir);
        return false;
    }
    return true;
}
