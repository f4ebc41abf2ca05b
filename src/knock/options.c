/* A table of options: getopt, the help, and the forms that take each are made of it. */
#include "knock/options.h"

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

enum { DELAY_MAX = 60000, HELP_COLUMN = 32, HELP_WIDTH = 80 };
enum {
    DRY_RUN = OPTION_LONG_ONLY,
    PROXY,
    CLOSE,
    ALWAYS,
    LIST,
    VALUE /* and above: a key of the profile */
};

/* One row makes an option known to getopt, to the help, and to the forms that take it. */
static const struct row {
    struct option_row option;
    unsigned forms;
    const char *key; /* of the profile that it sets; NULL: none */
} rows[] = {
    {{"udp", 'u', NULL, "send UDP where PROTO isn't said, not TCP", false}, FORM_PORTS, NULL},
    {{"delay", 'd', "MS", "pause between packets; default 20, sealed 2", true},
     FORM_KNOCK,
     "delay"},
    {{"ipv4", '4', NULL, "use IPv4 only", false}, FORM_KNOCK, "family"},
    {{"ipv6", '6', NULL, "use IPv6 only", false}, FORM_KNOCK, "family"},
    {{"verbose", 'v', NULL, "print the address and each packet", false}, FORM_KNOCK, NULL},
    {{"dry-run", DRY_RUN, NULL, "print the same, send nothing", false},
     FORM_PORTS | FORM_PROFILE | FORM_KEY,
     NULL},
    {{"config", 'c', "FILE", "read profiles from FILE", false},
     FORM_PROFILE | FORM_PROXY | FORM_LIST,
     NULL},
    {{"key", 'k', "FILE", "seal by the key in FILE, without a profile", false}, FORM_KEY, "key"},
    {{"port", 'p', "PORT", "wait for TCP port PORT to answer", false},
     FORM_PORTS | FORM_PROFILE | FORM_KEY,
     "port"},
    {{"timeout", 't', "TIME", "wait so long, sending more meanwhile", false},
     FORM_KNOCK,
     "timeout"},
    {{"retries", VALUE + 8, "NUMBER", "rounds of packets after the first", true},
     FORM_KNOCK,
     "retries"},
    {{"always", ALWAYS, NULL, "knock even if the port answers already", true}, FORM_KNOCK, NULL},
    {{"carrier", VALUE, "udp|tcp|packet", "what carries a sealed knock", false},
     FORM_SEALED,
     "carrier"},
    {{"bind", VALUE + 1, "auto|any|ADDRESS", "knock from there; sealed: bound to that", false},
     FORM_KNOCK,
     "bind"},
    {{"stun", VALUE + 10, "HOST[:PORT]", "asked for the address to bind to", true},
     FORM_SEALED,
     "stun"},
    {{"interface", VALUE + 9, "INTERFACE", "send by this network interface", true},
     FORM_KNOCK,
     "interface"},
    {{"for", VALUE + 2, "ADDRESS", "open for ADDRESS, not for the sender", true},
     FORM_SEALED,
     "for"},
    {{"ask-port", VALUE + 3, "PORT", "ask for PORT, 0: the door's own", true},
     FORM_SEALED,
     "ask_port"},
    {{"seconds", VALUE + 4, "TIME", "ask for so long an opening", true}, FORM_SEALED, "seconds"},
    {{"span", VALUE + 5, "PORT", "first port of the server's span", true}, FORM_SEALED, "span"},
    {{"packet-port", VALUE + 6, "PORT", "the server's port for --carrier packet", true},
     FORM_SEALED,
     "packet_port"},
    {{"once", VALUE + 7, "FILE", "send the next one-time sequence of FILE", true},
     FORM_PROFILE | FORM_PROXY,
     "once"},
    {{"close", CLOSE, NULL, "close the door instead", false}, FORM_PROFILE | FORM_KEY, NULL},
    {{"proxy", PROXY, NULL, "pass standard input and output on", false}, FORM_PROXY, NULL},
    {{"list", LIST, NULL, "list the profiles: name, host, door, how", false}, FORM_LIST, NULL},
    {{"version", 'V', NULL, "print the version", false}, FORM_ANY, NULL},
    {{"help", 'h', NULL, "print this", false}, FORM_ANY, NULL},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

const struct option_row *knock_option(unsigned number)
{
    return number < ROWS ? &rows[number].option : NULL;
}

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

/* The names of those that few need, in lines as wide as the screen. */
static void print_rare(void)
{
    int column = printf("Also, see knock(1):");
    for (unsigned i = 0; i < ROWS; i++) {
        const struct option_row *option = &rows[i].option;
        if (!option->rare)
            continue;
        int width = (int)strlen(option->name) + 3;
        if (column + width >= HELP_WIDTH)
            column = printf("\n ") - 1;
        column += printf(" --%s", option->name);
    }
    putchar('\n');
}

static void print_help(void)
{
    fputs(usage, stdout);
    for (unsigned i = 0; i < ROWS; i++)
        if (!rows[i].option.rare)
            option_print(stdout, &rows[i].option, HELP_COLUMN);
    print_rare();
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
    value->text = row->option.argument ? optarg : row->option.letter == '4' ? "4" : "6";
    return OPTIONS_RUN;
}

static const struct row *row_of(int letter)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].option.letter == letter)
            return &rows[i];
    return NULL;
}

/* *used: a bit for each row whose option was given. */
static enum options_result read_all(int argc, char **argv, struct options *options, uint32_t *used)
{
    struct option names[ROWS + 1] = {{0}};
    char letters[2 * ROWS + 2] = ":";
    for (unsigned i = 0; i < ROWS; i++)
        names[i] = option_getopt(&rows[i].option, letters);
    enum options_result result = OPTIONS_RUN;
    int letter;
    optind = 0; /* starts getopt_long over, should it have run before */
    opterr = 0;
    while (result == OPTIONS_RUN &&
           (letter = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        const struct row *row = row_of(letter);
        if (!row) {
            option_say_wrong("knock", letter, argv[optind - 1], knock_option);
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

/* The forms as they are written, for messages. */
static const char *name_forms(unsigned forms, char *out, size_t size)
{
    static const struct {
        unsigned form;
        const char *text;
    } names[] = {{FORM_PORTS, "HOST PORT ..."},
                 {FORM_PROFILE, "NAME"},
                 {FORM_KEY, "-k FILE HOST DOOR"},
                 {FORM_PROXY, "--proxy NAME HOST PORT"},
                 {FORM_LIST, "--list"}};
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && used < size; i++)
        if (forms & names[i].form)
            used += (size_t)snprintf(out + used, size - used, "%s\"%s\"", used ? ", " : "",
                                     names[i].text);
    return out;
}

static enum options_result check_used(const struct options *options, uint32_t used)
{
    char forms[128];
    for (unsigned i = 0; i < ROWS; i++)
        if ((used >> i & 1) && !(rows[i].forms & options->form))
            return options_wrong("--%s is not for this form of the command, but for %s",
                                 rows[i].option.name,
                                 name_forms(rows[i].forms, forms, sizeof(forms)));
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
