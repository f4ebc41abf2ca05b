/* The table of commands; chooses one by the command line, and prints how they are used. */
#include "knockctl/knockctl.h"

#include <errno.h>
#include <string.h>

#include "lib/nearest.h"

#define KNOCKD (TAKES(CONFIG) | TAKES(SOCKET))

/* Dispatch, check of the command line, usage, help and completion at once: a command is one row. */
static const struct command commands[] = {
    {"status", knockctl_ask, "", "how knockd is", KNOCKD | TAKES(JSON) | TAKES(PROMETHEUS)},
    {"doors", knockctl_ask, "", "what is open, and until when", KNOCKD | TAKES(JSON) | TAKES(ALL)},
    {"open", knockctl_ask, "DOOR ADDRESS [TIME]", "open a door as a knock would",
     KNOCKD | TAKES(JSON)},
    {"close", knockctl_ask, "[DOOR [ADDRESS]]", "close what is open",
     KNOCKD | TAKES(JSON) | TAKES(ALL) | TAKES(STRAY)},
    {"forget", knockctl_ask, "DOOR ADDRESS [PORT]", "give up what can't be closed",
     KNOCKD | TAKES(JSON)},
    {"history", knockctl_ask, "", "what was opened, by whom, and how it ended",
     KNOCKD | TAKES(JSON) | TAKES(LINES)},
    {"sources", knockctl_ask, "", "what each log brought so far", KNOCKD | TAKES(JSON)},
    {"why", knockctl_ask, "ADDRESS", "what the last packets of an address did",
     KNOCKD | TAKES(JSON)},
    {"watch", knockctl_ask, "", "what happens, as it happens", KNOCKD | TAKES(JSON)},
    {"reload", knockctl_ask, "", "read the configuration once more", KNOCKD | TAKES(JSON)},
    {"rules", knockctl_rules, "", "firewall rules made from the configuration",
     TAKES(CONFIG) | TAKES(IPV4) | TAKES(IPV6) | TAKES(NFT) | TAKES(NFLOG) | TAKES(ACCEPT) |
         TAKES(AGAIN) | TAKES(TRY) | TAKES(CHECK) | TAKES(JSON)},
    {"import", knockctl_import, "[OLD]", "another knockd's file as a configuration",
     TAKES(DEFAULTS)},
    {"key new", knockctl_key_new, "NAME", "make a key of sealed knocks",
     TAKES(CONFIG) | TAKES(DOOR) | TAKES(EXPIRES) | TAKES(ROAMING) | TAKES(STUN)},
    {"key list", knockctl_key_list, "", "the keys, and who may open what",
     TAKES(CONFIG) | TAKES(JSON)},
    {"key remove", knockctl_key_remove, "KEY", "remove a key", TAKES(CONFIG)},
    {"sequence", knockctl_sequence, "[N]", "a good random sequence of N knocks", 0},
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

const struct command *knockctl_command(unsigned number)
{
    return number < COMMANDS ? &commands[number] : NULL;
}

static void usage(FILE *out)
{
    fputs("usage: knockctl COMMAND [ARGUMENT]... [OPTION]...; see knockctl(8)\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %-20s %s\n", commands[i].name, commands[i].words, commands[i].help);
    fputs("\nknockctl COMMAND --help says more, knockctl --version prints the version.\n", out);
}

/* How many of the words are the name: 0 if it isn't this command. */
static unsigned match_name(const char *name, char *const *words)
{
    size_t len = strcspn(name, " ");
    if (!words[0] || strlen(words[0]) != len || strncmp(words[0], name, len) != 0)
        return 0;
    if (name[len] == '\0')
        return 1;
    return words[1] && strcmp(words[1], name + len + 1) == 0 ? 2 : 0;
}

static void find_command(struct arguments *arguments)
{
    unsigned count = 0;
    for (int i = 0; i < COMMANDS && count == 0; i++) {
        count = match_name(commands[i].name, arguments->words);
        if (count > 0)
            arguments->command = &commands[i];
    }
    arguments_drop(arguments, count);
    if (arguments->command)
        snprintf(arguments->title, sizeof(arguments->title), "knockctl %s",
                 arguments->command->name);
}

static bool begins_with(const struct command *command, const char *word)
{
    size_t len = strlen(word);
    return strncmp(command->name, word, len) == 0 && command->name[len] == ' ';
}

/* Whether commands of two words begin with this one: key. */
static bool is_group(const char *word)
{
    int i = 0;
    while (i < COMMANDS && !begins_with(&commands[i], word))
        i++;
    return i < COMMANDS;
}

static void usage_of_group(FILE *out, const char *word)
{
    for (int i = 0; i < COMMANDS; i++)
        if (begins_with(&commands[i], word))
            arguments_usage(out, &commands[i], false);
}

/* The command that a mistyped name is nearest to; NULL: none is near. */
static const char *nearest_command(const char *word, const char *second)
{
    char both[128];
    snprintf(both, sizeof(both), "%s %s", word, second ? second : "");
    struct nearest one = nearest_to(word), two = nearest_to(both);
    for (int i = 0; i < COMMANDS; i++)
        nearest_compare(strchr(commands[i].name, ' ') ? &two : &one, commands[i].name);
    return two.distance < one.distance ? two.found : one.found;
}

static int no_command(const struct arguments *arguments)
{
    const char *word = arguments->words[0], *second = arguments->words[1];
    const char *meant = nearest_command(word, second);
    bool both = second && meant && strchr(meant, ' ');
    if (is_group(word) && !both) {
        fprintf(stderr, "knockctl %s: which of these is meant?\n", word);
        usage_of_group(stderr, word);
        return KNOCKCTL_USAGE;
    }
    fprintf(stderr, "knockctl: no such command: \"%s%s%s\"", word, both ? " " : "",
            both ? second : "");
    if (meant)
        fprintf(stderr, "; did you mean %s?\n", meant);
    else
        fputs("; see knockctl --help\n", stderr);
    return KNOCKCTL_USAGE;
}

static int help(const struct arguments *arguments)
{
    const char *word = arguments->words[0];
    if (arguments->command)
        arguments_usage(stdout, arguments->command, true);
    else if (!word)
        usage(stdout);
    else if (is_group(word))
        usage_of_group(stdout, word);
    else
        return no_command(arguments);
    return KNOCKCTL_DONE;
}

static int wrong_option(const struct arguments *arguments)
{
    if (arguments->command)
        arguments_usage(stderr, arguments->command, false);
    else
        fputs("usage: knockctl COMMAND [ARGUMENT]... [OPTION]...; see knockctl --help\n", stderr);
    return KNOCKCTL_USAGE;
}

static int dispatch(int argc, char **argv)
{
    struct arguments arguments;
    bool good = arguments_read(argc, argv, &arguments);
    bool asked = arguments.words[0] && strcmp(arguments.words[0], "help") == 0;
    arguments_drop(&arguments, asked ? 1 : 0);
    find_command(&arguments);
    if (!good)
        return wrong_option(&arguments);
    if (arguments_have(&arguments, OPTION_VERSION)) {
        puts("knockctl " KNOCKD_VERSION);
        return KNOCKCTL_DONE;
    }
    if (asked || arguments_have(&arguments, OPTION_HELP))
        return help(&arguments);
    if (!arguments.command && !arguments.words[0]) {
        usage(stderr);
        return KNOCKCTL_USAGE;
    }
    if (!arguments.command)
        return no_command(&arguments);
    int status = arguments_check(&arguments);
    return status == KNOCKCTL_DONE ? arguments.command->run(&arguments) : status;
}

int knockctl_main(int argc, char **argv)
{
    int status = dispatch(argc, argv);
    /* Rules that were cut off by a full disk must not look like rules. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "knockctl: cannot write to standard output: %s\n", strerror(errno));
    return KNOCKCTL_FAILED;
}
