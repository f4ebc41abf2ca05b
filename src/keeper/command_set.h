/*
 * What openings run, kept once for all of them whose commands differ in nothing but the address and
 * the name of the key: ten thousand addresses have one door open by one set. A set is made of
 * expanded commands, be they of a plan or out of the store, and gives back just these.
 */
#ifndef KEEPER_COMMAND_SET_H
#define KEEPER_COMMAND_SET_H

#include <sys/queue.h>

#include "keeper/command.h"
#include "lib/crypto.h"

/* The lists of commands that an opening has. */
enum command_list {
    START_COMMANDS,
    STOP_COMMANDS,
    EXTEND_COMMANDS,
    CHECK_COMMANDS,
    COMMAND_LISTS,
};

enum { COMMAND_SETS_CHAINS = 1024 };

/* The texts in whose place a set has a mark. */
struct command_names {
    const char *address, *by;
};

struct command_set {
    LIST_ENTRY(command_set) chain;
    unsigned references;
    uint64_t hash;
    uint64_t stop_ok[4]; /* exit statuses of its stop commands that mean closed, as of a job */
    unsigned counts[COMMAND_LISTS];
    size_t size;
    char packed[];
};

struct command_sets {
    LIST_HEAD(command_set_list, command_set) chains[COMMAND_SETS_CHAINS];
    uint8_t key[CRYPTO_KEY_SIZE];
};

/* Sets up an empty table. It needs no end: a set goes with its last reference. */
void command_sets_init(struct command_sets *sets);

/* One more reference to the set of these commands and statuses. NULL when memory is short. */
struct command_set *command_set_refer(struct command_sets *sets,
                                      const struct commands lists[COMMAND_LISTS],
                                      const uint64_t stop_ok[4], const struct command_names *names);

/* Gives up a reference. NULL is fine. */
void command_set_release(struct command_set *set);

/* The commands of a list, for those names with which the set was referred to; the caller frees
 * them. -1 when memory is short: then there are none. */
int command_set_expand(const struct command_set *set, enum command_list list,
                       const struct command_names *names, struct commands *out);

#endif
