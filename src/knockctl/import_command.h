/*
 * Commands of the other knockd, which a shell runs after %IP% was replaced in their text, as ours,
 * which are split into words first: as plain words where a shell would do no more than that, else
 * as `/bin/sh -c '...' sh %IP%`, where the script gets the address as its argument. Never does the
 * address become part of a script.
 */
#ifndef KNOCKCTL_IMPORT_COMMAND_H
#define KNOCKCTL_IMPORT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a command may name the program. `path`, of `size` bytes, gets what to write in place of
 * its name, where that alone wouldn't be found; else it is left empty.
 */
struct import_programs {
    bool (*find)(void *arg, const char *name, char *path, size_t size);
    void *arg;
};

struct import_command {
    char *text;      /* ours; to be freed */
    const char *why; /* text is NULL: why it can't be one */
    bool shell;      /* it calls a shell, for its syntax or since its program isn't here */
    bool missing;    /* its program isn't here: name[] */
    bool commented;  /* a comment behind it, which the shell skipped, was left out */
    bool background; /* it leaves something in the background; the shell waits for that at exit */
    bool both;       /* it holds &>, which some shells read as & and >; else as background */
    bool arguments;  /* it uses $1 or the like, which were empty before */
    bool quoted;     /* quotes around the whole make it one word, which is no program */
    unsigned sleeps; /* seconds that its `sleep`s take together */
    char name[128];  /* the program, where that is plain */
};

/* Converts `old`. `by_shell`: in any case by a shell. False when memory is short. */
bool import_command(const char *old, const struct import_programs *programs, bool by_shell,
                    struct import_command *out);
void import_command_free(struct import_command *command);

/* A rule made of two commands. */
struct import_rule {
    char *text;      /* "[-t TABLE ]CHAIN MATCHES -j TARGET"; NULL: they are none. To be freed */
    bool appended;   /* by -A */
    bool one_family; /* it names an address, or a length, that belongs to IPv4 */
    unsigned port;   /* the one port that it opens; 0: none, or not known */
    bool udp;        /* it is of UDP */
    bool ip6;        /* the program is ip6tables */
};

/*
 * Whether the converted commands insert and delete one rule for %IP%, of such words that iptables
 * surely takes. False when memory is short.
 */
bool import_rule(const struct import_command *start, const struct import_command *stop,
                 struct import_rule *out);

/* Whether `start` inserts at a position, or `stop` deletes by a number, of which that of another
 * rule may be by then. */
bool import_deletes_by_number(const struct import_command *start,
                              const struct import_command *stop);

#endif
