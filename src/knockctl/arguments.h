/*
 * The command line of knockctl: a command of one or two words, its arguments, and options, which
 * may stand anywhere. What each command takes is a row of the table in knockctl.c, what each option
 * is a row of the one in arguments.c; usage, help, shell completion and the check of the command
 * line are made of these.
 */
#ifndef KNOCKCTL_ARGUMENTS_H
#define KNOCKCTL_ARGUMENTS_H

#include "lib/option_table.h"

enum option_id {
    OPTION_CONFIG,
    OPTION_SOCKET,
    OPTION_JSON,
    OPTION_PROMETHEUS,
    OPTION_ALL,
    OPTION_STRAY,
    OPTION_LINES,
    OPTION_IPV4,
    OPTION_IPV6,
    OPTION_NFT,
    OPTION_NFLOG,
    OPTION_ACCEPT,
    OPTION_AGAIN,
    OPTION_TRY,
    OPTION_CHECK,
    OPTION_DOOR,
    OPTION_EXPIRES,
    OPTION_ROAMING,
    OPTION_STUN,
    OPTION_DEFAULTS,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_IDS
};

/* The options that a command takes, a bit for each. */
#define TAKES(id) (1U << OPTION_##id)

struct arguments;

struct command {
    const char *name; /* one word, or two as in "key new" */
    /* Prints its own messages, and returns the exit status. */
    int (*run)(const struct arguments *arguments);
    const char *words; /* arguments, as the usage has them: those that may be missing in [] */
    const char *help;
    unsigned takes; /* options, besides -h and -V */
};

enum { ARGUMENTS_WORDS_MAX = 8, ARGUMENTS_OPTIONS_MAX = 128 };

struct arguments {
    const struct command *command;
    char title[32];                   /* "knockctl key new", to begin messages with */
    char *words[ARGUMENTS_WORDS_MAX]; /* without those of the command; then NULL */
    unsigned word_count;              /* may be more than there is room for */
    struct given_option {
        enum option_id id;
        const char *text;             /* NULL: it takes none */
    } options[ARGUMENTS_OPTIONS_MAX]; /* in the order given */
    unsigned option_count;
};

/* Exit statuses. */
enum knockctl_status {
    KNOCKCTL_DONE,
    KNOCKCTL_FAILED,      /* the answer is no */
    KNOCKCTL_USAGE,       /* the command line is wrong */
    KNOCKCTL_NOT_RUNNING, /* there is no knockd to ask */
    KNOCKCTL_SILENT       /* there is one, and it doesn't answer in time */
};

/* The row of an option; NULL from OPTION_IDS on. */
const struct option_row *arguments_option(enum option_id id);

/* The same as the help of that command has it. */
struct option_row arguments_option_of(const struct command *command, enum option_id id);

/*
 * Takes the command line to pieces, in whichever order it is; all words are arguments yet. False
 * after saying that something is no option.
 */
bool arguments_read(int argc, char **argv, struct arguments *out);

/* Drops the first `count` words, which were none of the command's arguments. */
void arguments_drop(struct arguments *arguments, unsigned count);

/* Whether the command takes these options and so many words: KNOCKCTL_DONE, or KNOCKCTL_USAGE after
 * saying what is wrong. */
int arguments_check(const struct arguments *arguments);

bool arguments_have(const struct arguments *arguments, enum option_id id);

/* What was given with the option, the last time; `otherwise` if it wasn't given. */
const char *arguments_text(const struct arguments *arguments, enum option_id id,
                           const char *otherwise);

/* Says what is wrong with the command line, as "knockctl COMMAND: TEXT" and a line with the usage.
 * Returns KNOCKCTL_USAGE. */
int arguments_wrong(const struct arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints "usage: knockctl open ...", and with `all` what the command does, and its options. */
void arguments_usage(FILE *out, const struct command *command, bool all);

#endif
