/* Chooses the subcommand by its name, and prints how it is used. */
#include "knockctl/knockctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/client.h"

/* Dispatch and help at once: a subcommand is one row. */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *help;
} commands[] = {
    {"status", knockctl_ask, "[--prometheus]", "how knockd is"},
    {"doors", knockctl_ask, "", "what is open, and until when"},
    {"open", knockctl_ask, "DOOR ADDRESS [SECONDS]", "open a door as a knock would"},
    {"close", knockctl_ask, "DOOR [ADDRESS] | --all", "close what is open"},
    {"forget", knockctl_ask, "DOOR ADDRESS [PORT]", "give up what can't be closed"},
    {"history", knockctl_ask, "[-n LINES]", "what was opened, by whom, and how it ended"},
    {"sources", knockctl_ask, "", "what each log brought so far"},
    {"why", knockctl_ask, "ADDRESS", "what the last packets of an address did"},
    {"watch", knockctl_ask, "", "what happens, as it happens"},
    {"reload", knockctl_ask, "", "read the configuration anew"},
    {"rules", knockctl_rules, "[OPTION]...", "print firewall rules made from the configuration"},
    {"key", knockctl_key, "new|list|remove [OPTION]...", "keys of sealed knocks"},
    {"sequence", knockctl_sequence, "[N]", "print a good random sequence of N knocks"},
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void usage(FILE *out)
{
    fputs("usage: knockctl COMMAND [ARGUMENT]...; see knockctl(8)\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %-24s %s\n", commands[i].name, commands[i].arguments,
                commands[i].help);
    fputs("\nknockctl COMMAND -h says more, knockctl -V prints the version.\n", out);
}

static void command_usage(FILE *out, const struct command *command)
{
    fprintf(out,
            "usage: knockctl %s [--json] [-c FILE | -s SOCKET]%s%s\n"
            "  %s; see knockctl(8)\n",
            command->name, *command->arguments ? " " : "", command->arguments, command->help);
}

static int run(const struct command *command, int argc, char **argv)
{
    char name[32]; /* for the messages of getopt_long */
    snprintf(name, sizeof(name), "knockctl %s", command->name);
    argv[0] = name;
    int status = command->run(argc, argv);
    if (status != KNOCKCTL_HELP && status != KNOCKCTL_MISUSED)
        return status;
    command_usage(status == KNOCKCTL_HELP ? stdout : stderr, command);
    return status == KNOCKCTL_HELP ? EXIT_SUCCESS : ASK_USAGE;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
        puts("knockctl " KNOCKD_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    if (argc > 1)
        fprintf(stderr, "knockctl: no such command: \"%s\"\n", name);
    usage(stderr);
    return ASK_USAGE;
}

int knockctl_main(int argc, char **argv)
{
    int status = dispatch(argc, argv);
    /* Rules that were cut off by a full disk must not look like rules. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "knockctl: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}
