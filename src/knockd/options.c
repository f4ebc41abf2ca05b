/* Reads the command line, and answers options of another knockd by what does their work here. */
#include "knockd/options.h"

#include <string.h>

/* Options without a letter. */
enum { OPTION_PACKETS = OPTION_LONG_ONLY, OPTION_CLOSE_ALL, OPTION_STATE_DIR };

static const struct option_row table[] = {
    {"config", 'c', "FILE", "read FILE instead of " DEFAULT_CONFIG, false},
    {"daemon", 'd', NULL, "go into the background once all is ready", false},
    {"foreground", 'f', NULL, "stay in the foreground (the default)", false},
    {"test", 't', NULL, "check the configuration and exit", false},
    {"replay", 'r', "FILE", "tell what a log or capture (-: stdin) would open", false},
    {"packets", OPTION_PACKETS, NULL, "with -r: list its packets instead", false},
    {"close-all", OPTION_CLOSE_ALL, NULL, "close what an earlier run left open, and exit", false},
    {"state-dir", OPTION_STATE_DIR, "FOLDER", "with --close-all: where that is on record", false},
    {"verbose", 'v', NULL, "also log each step of a knock and each command", false},
    {"debug", 'D', NULL, "the same", false},
    {"version", 'V', NULL, "print the version and exit", false},
    {"help", 'h', NULL, "print this and exit", false},
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
     "set by `source` in the configuration, of type pcap, where `knockctl import` writes it; "
     "`interface` of a door says where knocks must come in; see knockd.conf(5)"},
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

const struct option_row *knockd_option(unsigned number)
{
    return number < OPTIONS ? &table[number] : NULL;
}

const struct option *knockd_replaced_option(unsigned number)
{
    return number < REPLACED ? &replaced[number].option : NULL;
}

void options_usage(FILE *out)
{
    fprintf(out,
            "usage: knockd [OPTION]...\n"
            "Opens ports for those who knock right, as its configuration says; see knockd(8).\n\n");
    for (int i = 0; i < OPTIONS; i++)
        option_print(out, &table[i], 26);
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

/* Fills in what getopt_long reads: `options` has room for all and a last one, `letters` for two
 * characters each. */
static void list_options(struct option *options, char *letters)
{
    for (int i = 0; i < OPTIONS; i++)
        options[i] = option_getopt(&table[i], letters);
    for (int i = 0; i < REPLACED; i++) {
        char letter[] = {(char)replaced[i].option.val, '\0'};
        options[OPTIONS + i] = replaced[i].option;
        strcat(letters, letter);
    }
}

bool options_parse(int argc, char **argv, struct options *out)
{
    struct option options[OPTIONS + REPLACED + 1] = {{0}};
    char letters[2 * (OPTIONS + REPLACED) + 2] = ":";
    list_options(options, letters);
    *out = (struct options){.config = DEFAULT_CONFIG};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, letters, options, NULL)) != -1;)
        if (!set_option(option, out)) {
            if (option == '?' || option == ':')
                option_say_wrong("knockd", option, argv[optind - 1], knockd_option);
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
