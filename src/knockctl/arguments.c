/* Reads the command line of knockctl by the table of options, and prints how a command is used. */
#include "knockctl/arguments.h"

#include <stdarg.h>
#include <string.h>

#include "lib/config.h"

static const struct option_row rows[] = {
    [OPTION_CONFIG] = {"config", 'c', "FILE", "the configuration, not " DEFAULT_CONFIG, false},
    [OPTION_SOCKET] = {"socket", 's', "FILE", "the control socket, not the configuration's", false},
    [OPTION_JSON] = {"json", OPTION_LONG_ONLY + OPTION_JSON, NULL, "print JSON", false},
    [OPTION_PROMETHEUS] = {"prometheus", OPTION_LONG_ONLY + OPTION_PROMETHEUS, NULL,
                           "print metrics as Prometheus reads them", false},
    [OPTION_ALL] = {"all", OPTION_LONG_ONLY + OPTION_ALL, NULL, "doors that are shut, too", false},
    [OPTION_STRAY] = {"stray", OPTION_LONG_ONLY + OPTION_STRAY, NULL,
                      "rules of doors that no opening owns", false},
    [OPTION_LINES] = {"lines", 'n', "LINES", "how many, the newest; else 100", false},
    [OPTION_IPV4] = {"ipv4", '4', NULL, "iptables for IPv4, as iptables-restore reads it", false},
    [OPTION_IPV6] = {"ipv6", '6', NULL, "iptables for IPv6, as ip6tables-restore reads it", false},
    [OPTION_NFT] = {"nft", OPTION_LONG_ONLY + OPTION_NFT, NULL,
                    "nft for both families, as nft -f reads it", false},
    [OPTION_NFLOG] = {"nflog", OPTION_LONG_ONLY + OPTION_NFLOG, NULL,
                      "log to groups of NFLOG alone", false},
    [OPTION_ACCEPT] = {"accept", OPTION_LONG_ONLY + OPTION_ACCEPT, "PORT[:PROTO]",
                       "leave this port open for everyone", false},
    [OPTION_AGAIN] = {"again", OPTION_LONG_ONLY + OPTION_AGAIN, NULL,
                      "replace such rules, which are in place", false},
    [OPTION_TRY] = {"try", OPTION_LONG_ONLY + OPTION_TRY, "TIME",
                    "apply, and take back unless confirmed", false},
    [OPTION_CHECK] = {"check", OPTION_LONG_ONLY + OPTION_CHECK, NULL,
                      "tell what the firewall in force lacks", false},
    [OPTION_DOOR] = {"door", OPTION_LONG_ONLY + OPTION_DOOR, "DOOR",
                     "let the key open this door alone", false},
    [OPTION_EXPIRES] = {"expires", OPTION_LONG_ONLY + OPTION_EXPIRES, "YYYY-MM-DD",
                        "the last day of the key, in UTC", false},
    [OPTION_ROAMING] = {"roaming", OPTION_LONG_ONLY + OPTION_ROAMING, NULL,
                        "bind its knocks to no address", false},
    [OPTION_STUN] = {"stun", OPTION_LONG_ONLY + OPTION_STUN, "HOST[:PORT]",
                     "who tells its clients their address", false},
    [OPTION_DEFAULTS] = {"defaults", OPTION_LONG_ONLY + OPTION_DEFAULTS, "FILE",
                         "what OLD was started with, as /etc/default/knockd", false},
    [OPTION_VERSION] = {"version", 'V', NULL, "print the version", false},
    [OPTION_HELP] = {"help", 'h', NULL, "print this", false},
};

/* What an option says of itself where it does something else for one command. */
static const struct {
    const char *command;
    enum option_id id;
    const char *help;
} own_help[] = {
    {"close", OPTION_ALL, "all that is open"},
    {"rules", OPTION_JSON, "with --check: print JSON"},
};

struct option_row arguments_option_of(const struct command *command, enum option_id id)
{
    struct option_row row = rows[id];
    for (size_t i = 0; i < sizeof(own_help) / sizeof(*own_help); i++)
        if (own_help[i].id == id && strcmp(own_help[i].command, command->name) == 0)
            row.help = own_help[i].help;
    return row;
}

const struct option_row *arguments_option(enum option_id id)
{
    return id < OPTION_IDS ? &rows[id] : NULL;
}

static enum option_id id_of(int letter)
{
    enum option_id id = 0;
    while (id < OPTION_IDS && rows[id].letter != letter)
        id++;
    return id;
}

static void add_word(struct arguments *arguments, char *word)
{
    if (arguments->word_count + 1 < ARGUMENTS_WORDS_MAX)
        arguments->words[arguments->word_count] = word;
    arguments->word_count++;
}

static const struct option_row *row_number(unsigned number)
{
    return arguments_option((enum option_id)number);
}

static bool add_option(struct arguments *arguments, enum option_id id)
{
    if (arguments->option_count == ARGUMENTS_OPTIONS_MAX) {
        fputs("knockctl: that are too many options\n", stderr);
        return false;
    }
    arguments->options[arguments->option_count++] = (struct given_option){id, optarg};
    return true;
}

bool arguments_read(int argc, char **argv, struct arguments *out)
{
    struct option names[OPTION_IDS + 1] = {{0}};
    char letters[2 * OPTION_IDS + 3] = "-:"; /* -: words in their order */
    bool good = true;
    *out = (struct arguments){.title = "knockctl"};
    for (int id = 0; id < OPTION_IDS; id++)
        names[id] = option_getopt(&rows[id], letters);
    optind = 0;
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, letters, names, NULL)) != -1;) {
        if (letter == 1)
            add_word(out, optarg);
        else if (letter != '?' && letter != ':')
            good &= add_option(out, id_of(letter));
        else if (good) {
            option_say_wrong("knockctl", letter, argv[optind - 1], row_number);
            good = false;
        }
    }
    for (int i = optind; i < argc; i++)
        add_word(out, argv[i]);
    return good;
}

void arguments_drop(struct arguments *arguments, unsigned count)
{
    memmove(arguments->words, arguments->words + count,
            (ARGUMENTS_WORDS_MAX - count) * sizeof(*arguments->words));
    arguments->word_count -= count;
}

/* How many words the command takes: "DOOR ADDRESS [TIME]" 2 to 3. */
static void count_words(const char *words, unsigned *least, unsigned *most)
{
    bool optional = false;
    *least = *most = 0;
    for (const char *p = words; *p; p++) {
        optional |= *p == '[';
        if (p != words && p[-1] != ' ')
            continue;
        ++*most;
        *least += !optional;
    }
}

int arguments_check(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    unsigned least, most, always = TAKES(HELP) | TAKES(VERSION);
    for (unsigned i = 0; i < arguments->option_count; i++) {
        enum option_id id = arguments->options[i].id;
        if (!((command->takes | always) >> id & 1))
            return arguments_wrong(arguments, "it has no option --%s", rows[id].name);
    }
    count_words(command->words, &least, &most);
    if (arguments->word_count < least)
        return arguments_wrong(arguments, "an argument is missing");
    if (arguments->word_count > most)
        return arguments_wrong(arguments, "%s",
                               most == 0 ? "no argument is expected" : "too many arguments");
    return KNOCKCTL_DONE;
}

bool arguments_have(const struct arguments *arguments, enum option_id id)
{
    for (unsigned i = 0; i < arguments->option_count; i++)
        if (arguments->options[i].id == id)
            return true;
    return false;
}

const char *arguments_text(const struct arguments *arguments, enum option_id id,
                           const char *otherwise)
{
    for (unsigned i = 0; i < arguments->option_count; i++)
        if (arguments->options[i].id == id)
            otherwise = arguments->options[i].text;
    return otherwise;
}

int arguments_wrong(const struct arguments *arguments, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", arguments->title);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    arguments_usage(stderr, arguments->command, false);
    return KNOCKCTL_USAGE;
}

void arguments_usage(FILE *out, const struct command *command, bool all)
{
    fprintf(out, "usage: knockctl %s%s%s%s\n", command->name, *command->words ? " " : "",
            command->words, command->takes ? " [OPTION]..." : "");
    if (!all)
        return;
    fprintf(out, "%s; see knockctl(8)\n", command->help);
    for (int id = 0; id < OPTION_IDS; id++) {
        struct option_row row = arguments_option_of(command, (enum option_id)id);
        if ((command->takes | TAKES(HELP)) >> id & 1)
            option_print(out, &row, 31);
    }
    if (strstr(command->words, "TIME") || command->takes & TAKES(TRY))
        fputs("TIME is seconds, or a number with s, m, h or d behind it: 90, 90s, 5m, 2h, 1d\n",
              out);
}
