/*
 * Commands of one form that a single process can run together: those of iptables and ip6tables that
 * insert or delete one rule, or look whether it is there, and those of nft and ipset that add
 * elements to sets, delete them, or look. iptables-restore makes all changes of one table or none
 * of them, and so does nft -f with all of its file: a batch that fails has done nothing. ipset
 * restore makes one change after the other, up to one that fails, and says which one that is. None
 * of them asks for the name of a host, which can take as long as it likes and would hold up the
 * others.
 */
#ifndef KEEPER_BATCH_H
#define KEEPER_BATCH_H

#include "keeper/command.h"

/* What the commands of a batch have in common. */
struct batch_kind {
    char program[64]; /* of each command: "/usr/sbin/iptables" */
    char table[32];   /* of iptables; else "" */
    char wait[12]; /* seconds that it waits for the lock of the firewall; "": for ever; "-": not at
                    * all */
    bool checks;   /* they look whether a rule or an element is there; they change nothing */
    bool exist;    /* of ipset: what is so already is no error */
};

/* Whether `command` can be one of a batch, and of which kind that is: commands of one kind go
 * together, and no others. The one place that tells; it has keeper/set_command.h read those of nft
 * and ipset. */
bool batch_kind_of(const struct command *command, struct batch_kind *out);

/* Whether it does no harm that `command`, which may have been done, is run once more. */
bool batch_may_repeat(const struct command *command);

/* Whether `command`, of ipset, adds an element: a batch of ipset whose kind `checks` looks whether
 * those of such commands are there. */
bool batch_adds_element(const struct command *command);

/*
 * The command that looks whether the rule is there that `command`, one of a batch of iptables,
 * inserts, or `deletes`. -1 when there is none, or memory is short. The caller frees its text.
 */
int batch_look(const struct command *command, struct command *out, bool *deletes);

/* The rule that `command`, one of a batch of iptables, is about: its `words` words from the chain
 * on. NULL: it is about none. */
const char *batch_rule(const struct command *command, unsigned *words);

/* The command that prints all rules of the table that the commands of a batch of iptables look
 * into. Else as batch_command. */
int batch_save_command(const struct batch_kind *kind, struct command *out);

bool batch_kinds_equal(const struct batch_kind *a, const struct batch_kind *b);

/*
 * The command that runs a batch of that kind, which it reads from its standard input. -1 when there
 * is none that surely changes the same rules as the kind's program does, or memory is short. The
 * caller frees the command's text.
 */
int batch_command(const struct batch_kind *kind, struct command *out);

/* Whether a batch of that kind changes nf_tables, in which each change of anything makes another
 * generation. */
bool batch_changes_nft(const struct batch_kind *kind);

/* The command that deletes the rules of a batch of iptables-nft by RULE_DELETER of the program
 * `knockd`; -1 where the kind has none. Else as batch_command. */
int batch_delete_command(const struct batch_kind *kind, const char *knockd, struct command *out);

/* The input of these commands, for `count` commands of the kind in this order. NULL when memory is
 * short; the caller frees it. */
char *batch_text(const struct batch_kind *kind, const struct command *const *commands,
                 unsigned count, size_t *size);

/* Whether such a batch is done one by one, up to a command that fails, and not as a whole. */
bool batch_is_one_by_one(const struct batch_kind *kind);

/* Which command of such a batch failed, the first being 1, as that line of its output says. All
 * that come before it have been done, and none that follows. 0: it doesn't say that. */
unsigned batch_failed_at(const struct batch_kind *kind, const char *output);

/* Whether a batch that exited with `status` after `ns` waited for a lock in vain: that says nothing
 * about any of its commands, and each would have waited as long. */
bool batch_was_locked_out(const struct batch_kind *kind, int status, int64_t ns);

#endif
