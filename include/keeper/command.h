/* Commands expanded for one address: what an opening keeps, so that a reload can't change its undo.
 */
#ifndef KEEPER_COMMAND_H
#define KEEPER_COMMAND_H

#include "keeper/plan.h"

/*
 * What a knock asks for: what the door's commands are expanded with. The texts and the door live
 * as long as those who are told of it need.
 */
struct knock {
    const struct config_door *door;
    const struct plan *plan; /* of the door, for the address's family */
    struct addr address;
    struct port_proto port; /* to open; port 0: nothing in particular */
    int64_t length;         /* ns that it stays open */
    const char *by;         /* what kind of knock it is, or the name of the key */
    const char *key;        /* the same name; NULL: no sealed knock */
    const char *source;     /* by which it was heard; NULL: none */
    const char *user;       /* who ran knockctl; NULL: not known, or nobody */
    bool remote;            /* by a plain sequence of a remote source, which others may forge */
    struct limit *refusals; /* for the messages that refuse it; NULL: that of all knocks */
};

/* A knock that asks for nothing but what the door itself says. */
struct knock knock_plain(const struct config_door *door, const struct plan *plan,
                         const struct addr *address, const char *by);

/* A command ready to be executed: its words, one after the other, each with its NUL. */
struct command {
    unsigned words;
    size_t size;
    char *text;
};

struct commands {
    unsigned count;
    struct command *items;
};

/* The texts that a door's placeholders stand for; they live as long as this. */
struct value_texts {
    char ip[ADDR_TEXT_SIZE];
    char port[8];
    char timeout[24];
    struct values values; /* points into this struct and into the door */
};

/* A command of `words`, the first replaced by `program`. -1 when memory is short. */
int command_from_words(const struct words *words, const char *program, struct command *out);

/* The command of `program` with the words of `arguments`, up to NULL, behind it: a few short ones.
 * -1 when memory is short. The caller frees its text. */
int command_of_program(const char *program, const char *const *arguments, struct command *out);

/* Sets what the placeholders stand for when a door opens by `knock`. */
void value_texts_fill(struct value_texts *texts, const struct knock *knock);

/* The commands of `list`, of the plan of `knock`. Returns -1 when memory is short. */
int commands_expand(const struct plan_list *list, const struct knock *knock, struct commands *out);

/* The family of the rules of `program`: 4 when it is iptables(8), 6 for ip6tables(8), of whatever
 * backend; 0: it is another one. */
int command_iptables_family(const char *program);

/*
 * Whether `command`, which exited with `status`, says by that that it did nothing at all. Of
 * iptables(8), 2 is a mistake in its words, 3 a table that it can't use: it looks before it touches
 * the firewall. nft(8) and ipset(8) change elements of sets, or one element, wholly or not.
 */
bool command_did_nothing(const struct command *command, int status);

/* Whether it says, in the same way, that it doesn't understand its words: it never will. */
bool command_misused(const struct command *command, int status);

/*
 * Whether it is one of the firewall's programs, and the line that it wrote names an error of the
 * system: an exit status of 1 doesn't say then that what it looked for isn't there. iptables-nft
 * exits with 1 when it gets no socket or no memory, nft when the rules change while it reads.
 */
bool command_says_error(const struct command *command, const char *line);

/* Whether it is iptables(8), was to delete a rule, and says that there is none. */
bool command_found_nothing(const struct command *command, int status);

/* Whether `undo` takes away what `start` adds: the same words but for -I or -A and -D, or the like
 * of ipset and nft. */
bool command_undoes(const struct command *undo, const struct command *start);

/* The command as a person would type it, for messages. */
const char *command_text(const struct command *command, char *out, size_t size);

void commands_free(struct commands *commands);
bool commands_equal(const struct commands *a, const struct commands *b);

#endif
