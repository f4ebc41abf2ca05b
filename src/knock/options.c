/* A table of options: getopt, the help, and the forms that take each are made of it. */
#include "knock/options.h"

#include <getopt.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char usage[] = "usage: knock [OPTION]... NAME [-- COMMAND...]\n"
                            "       knock [OPTION]... -k FILE HOST DOOR [-- COMMAND...]\n"
                            "       knock [OPTION]... --proxy NAME HOST PORT\n"
                            "       knock [OPTION]... HOST PORT[:PROTO]... [-- COMMAND...]\n"
                            "       knock [-c FILE] --list\n";

enum { LONG_ONLY = 256, DELAY_MAX = 60000 };
enum {
    DRY_RUN = LONG_ONLY,
    PROXY,
    CLOSE,
    ALWAYS,
    LIST,
    VALUE /* and above: a key of the profile */
};

/* One row makes an option known to getopt, to the help, and to the forms that take it. */
static const struct row {
    const char *name;
    int letter; /* what getopt_long returns; a letter below LONG_ONLY */
    unsigned forms;
    const char *key;      /* of the profile that it sets; NULL: none */
    const char *argument; /* NULL: none */
    const char *help;
} rows[] = {
    {"udp", 'u', FORM_PORTS, NULL, NULL, "send UDP where PROTO isn't said, not TCP"},
    {"delay", 'd', FORM_KNOCK, "delay", "MS", "pause between packets; default 20, sealed 2"},
    {"ipv4", '4', FORM_KNOCK, "family", NULL, "use IPv4 only"},
    {"ipv6", '6', FORM_KNOCK, "family", NULL, "use IPv6 only"},
    {"verbose", 'v', FORM_KNOCK, NULL, NULL, "print the address and each packet"},
    {"dry-run", DRY_RUN, FORM_PORTS | FORM_PROFILE | FORM_KEY, NULL, NULL,
     "print the same, send nothing"},
    {"config", 'c', FORM_PROFILE | FORM_PROXY | FORM_LIST, NULL, "FILE", "read profiles from FILE"},
    {"key", 'k', FORM_KEY, "key", "FILE", "seal by the key in FILE, without a profile"},
    {"port", 'p', FORM_PORTS | FORM_PROFILE | FORM_KEY, "port", "PORT",
     "wait for TCP port PORT to answer"},
    {"timeout", 't', FORM_KNOCK, "timeout", "TIME", "wait so long, sending more meanwhile"},
    {"retries", VALUE + 8, FORM_KNOCK, "retries", "NUMBER", "rounds of packets after the first"},
    {"always", ALWAYS, FORM_KNOCK, NULL, NULL, "knock even if the port answers already"},
    {"carrier", VALUE, FORM_SEALED, "carrier", "udp|tcp|packet", "what carries a sealed knock"},
    {"bind", VALUE + 1, FORM_KNOCK, "bind", "ADDRESS|auto|any|...",
     "knock from there; sealed: bound to that"},
    {"stun", VALUE + 10, FORM_SEALED, "stun", "HOST[:PORT]", "asked for the address to bind to"},
    {"interface", VALUE + 9, FORM_KNOCK, "interface", "NAME", "send by the interface NAME"},
    {"for", VALUE + 2, FORM_SEALED, "for", "ADDRESS", "open for ADDRESS, not for the sender"},
    {"ask-port", VALUE + 3, FORM_SEALED, "ask_port", "PORT", "ask for PORT, 0: the door's own"},
    {"seconds", VALUE + 4, FORM_SEALED, "seconds", "TIME", "ask for so long an opening"},
    {"span", VALUE + 5, FORM_SEALED, "span", "PORT", "first port of the server's span"},
    {"packet-port", VALUE + 6, FORM_SEALED, "packet_port", "PORT",
     "the server's port for --carrier packet"},
    {"once", VALUE + 7, FORM_PROFILE | FORM_PROXY, "once", "FILE",
     "send the next one-time sequence of FILE"},
    {"close", CLOSE, FORM_PROFILE | FORM_KEY, NULL, NULL, "close the door instead"},
    {"proxy", PROXY, FORM_PROXY, NULL, NULL, "pass standard input and output on"},
    {"list", LIST, FORM_LIST, NULL, NULL, "list the profiles: name, host, door, how"},
    {"version", 'V', FORM_ANY, NULL, NULL, "print the version"},
    {"help", 'h', FORM_ANY, NULL, NULL, "print this"},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

enum options_result options_wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("knock: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n%s", usage);
    va_end(args);
    return OPTIONS_WRONG;
}

static void print_help(void)
{
    fputs(usage, stdout);
    for (unsigned i = 0; i < ROWS; i++) {
        char left[64], letter[4] = "   ";
        if (rows[i].letter < LONG_ONLY)
            snprintf(letter, sizeof(letter), "-%c,", rows[i].letter);
        snprintf(left, sizeof(left), "%s --%s %s", letter, rows[i].name,
                 rows[i].argument ? rows[i].argument : "");
        printf("  %-30s %s\n", left, rows[i].help);
    }
    puts("PORT is a number or in the last form a service's name, PROTO is tcp or udp.\n"
         "NAME is a profile: see knock.conf(5).");
}

static enum options_result set_delay(struct options *options, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits <= 9 ? strtoul(text, NULL, 10) : DELAY_MAX + 1;
    if (text[digits] != '\0' || value > DELAY_MAX)
        return options_wrong("delay \"%s\": expected milliseconds from 0 to %d", text, DELAY_MAX);
    options->delay_ms = (unsigned)value;
    return OPTIONS_RUN;
}

static enum options_result set_family(struct options *options, int family)
{
    if (options->family != AF_UNSPEC && options->family != family)
        return options_wrong("-4 and -6 exclude each other: give one of them");
    options->family = family;
    return OPTIONS_RUN;
}

static enum options_result apply(struct options *options, int letter)
{
    switch (letter) {
    case 'u':
        options->proto = IPPROTO_UDP;
        return OPTIONS_RUN;
    case 'd':
        return set_delay(options, optarg);
    case '4':
        return set_family(options, AF_INET);
    case '6':
        return set_family(options, AF_INET6);
    case 'v':
        options->verbose = true;
        return OPTIONS_RUN;
    case 'c':
        options->config = optarg;
        return OPTIONS_RUN;
    case 'k':
        options->form |= FORM_KEY;
        return OPTIONS_RUN;
    case DRY_RUN:
        options->dry_run = true;
        return OPTIONS_RUN;
    case PROXY:
        options->form |= FORM_PROXY;
        return OPTIONS_RUN;
    case CLOSE:
        options->close = true;
        return OPTIONS_RUN;
    case ALWAYS:
        options->always = true;
        return OPTIONS_RUN;
    case LIST:
        options->form |= FORM_LIST;
        return OPTIONS_RUN;
    case 'p':
        options->waits = true;
        return OPTIONS_RUN;
    case 'V':
        puts("knock " KNOCKD_VERSION);
        return OPTIONS_DONE;
    case 'h':
        print_help();
        return OPTIONS_DONE;
    default:
        return OPTIONS_RUN;
    }
}

/* What an option says of the profile: "4" for -4, else its argument. */
static enum options_result keep_value(struct options *options, const struct row *row)
{
    if (!row->key)
        return OPTIONS_RUN;
    if (options->value_count == OPTION_VALUES_MAX)
        return options_wrong("more than %d options", OPTION_VALUES_MAX);
    struct profile_value *value = &options->values[options->value_count++];
    value->key = row->key;
    value->text = row->argument ? optarg : row->letter == '4' ? "4" : "6";
    return OPTIONS_RUN;
}

static const struct row *row_of(int letter)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].letter == letter)
            return &rows[i];
    return NULL; /* getopt_long has named the option */
}

/* *used: a bit for each row whose option was given. */
static enum options_result read_all(int argc, char **argv, struct options *options, uint32_t *used)
{
    struct option names[ROWS + 1] = {{0}};
    char letters[2 * ROWS + 1] = "";
    for (unsigned i = 0; i < ROWS; i++) {
        names[i] = (struct option){rows[i].name, rows[i].argument != NULL, NULL, rows[i].letter};
        if (rows[i].letter < LONG_ONLY)
            snprintf(letters + strlen(letters), 3, "%c%s", rows[i].letter,
                     rows[i].argument ? ":" : "");
    }
    enum options_result result = OPTIONS_RUN;
    int letter;
    optind = 0; /* starts getopt_long over, should it have run before */
    while (result == OPTIONS_RUN &&
           (letter = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        const struct row *row = row_of(letter);
        if (!row) {
            fputs(usage, stderr);
            return OPTIONS_WRONG;
        }
        *used |= UINT32_C(1) << (row - rows);
        result = apply(options, letter);
        if (result == OPTIONS_RUN)
            result = keep_value(options, row);
    }
    return result;
}

static enum options_result choose_form(struct options *options)
{
    if (options->form == (FORM_KEY | FORM_PROXY))
        return options_wrong("-k and --proxy exclude each other: make a profile of the key");
    if (options->form == FORM_KEY && options->word_count != 2)
        return options_wrong("-k FILE is followed by HOST and DOOR");
    if (options->form == FORM_PROXY && options->word_count != 3)
        return options_wrong("--proxy is followed by NAME, HOST and PORT, as in ProxyCommand knock "
                             "--proxy home %%h %%p");
    if (options->form & FORM_LIST && options->form != FORM_LIST)
        return options_wrong("--list excludes -k and --proxy: it knocks at nobody");
    if (options->form == FORM_LIST && options->word_count != 0)
        return options_wrong("--list is followed by nothing: it lists all profiles");
    if (options->form == 0)
        options->form = options->word_count == 1 ? FORM_PROFILE : FORM_PORTS;
    return OPTIONS_RUN;
}

static enum options_result check_used(const struct options *options, uint32_t used)
{
    for (unsigned i = 0; i < ROWS; i++)
        if ((used >> i & 1) && !(rows[i].forms & options->form))
            return options_wrong("--%s is not for this form of the command: see knock(1)",
                                 rows[i].name);
    return OPTIONS_RUN;
}

/* Everything behind the first "--" is a command, unless it turns out that its end is meant. */
static int find_command(int argc, char **argv)
{
    int i = 1;
    while (i < argc && strcmp(argv[i], "--") != 0)
        i++;
    return i;
}

/*
 * Whether "--" ends the options only, as it ever did before HOST and among ports; else a command
 * follows. "ssh" is a service, but there it is a command: as a port it has to be a number.
 */
static bool ends_options(const struct options *options, char **behind)
{
    if (options->form != FORM_PORTS)
        return false;
    if (options->word_count == 0 || !behind[0])
        return true;
    size_t digits = strspn(behind[0], "0123456789");
    return !options->waits && digits > 0 && (behind[0][digits] == '\0' || behind[0][digits] == ':');
}

enum options_result options_read(int argc, char **argv, struct options *out)
{
    *out = (struct options){.family = AF_UNSPEC, .proto = IPPROTO_TCP, .delay_ms = DELAY_DEFAULT};
    uint32_t used = 0;
    int end = find_command(argc, argv);
    enum options_result result = read_all(end, argv, out, &used);
    if (result != OPTIONS_RUN)
        return result;
    out->words = argv + optind;
    out->word_count = (unsigned)(end - optind);
    result = choose_form(out);
    if (result == OPTIONS_RUN)
        result = check_used(out, used);
    if (end == argc)
        return result;
    if (!ends_options(out, argv + end + 1)) {
        out->command = argv + end + 1;
        if (result == OPTIONS_RUN && *out->command && (out->form & (FORM_PROXY | FORM_LIST)))
            return options_wrong("%s runs no COMMAND: leave it out",
                                 out->form == FORM_LIST ? "--list" : "--proxy");
        return result;
    }
    memmove(argv + end, argv + end + 1, (size_t)(argc - end) * sizeof(*argv));
    out->word_count += (unsigned)(argc - end - 1);
    return result;
}
