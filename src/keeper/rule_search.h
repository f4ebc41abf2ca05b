/*
 * Looks for many rules of a table at once, in what iptables-save(8) prints of it: iptables(8) -C
 * compares with one rule of the chain after the other, for each rule that it looks for. Only what
 * is certain is told. Knows no process and no file.
 */
#ifndef KEEPER_RULE_SEARCH_H
#define KEEPER_RULE_SEARCH_H

#include "keeper/command.h"

struct rule_search;

enum rule_found {
    RULE_THERE,
    RULE_ABSENT,
    RULE_UNSURE, /* iptables may print it in another way, or the table wasn't printed whole */
};

/* Reads the `size` bytes at `saved`, of one table. NULL when memory is short. */
struct rule_search *rule_search_new(const char *saved, size_t size);

/* Whether the rule is there that `command` looks for or deletes, one of a batch of iptables. */
enum rule_found rule_search_look(const struct rule_search *search, const struct command *command);

/*
 * The same for one that deletes it, and takes the first of equal rules: RULE_THERE once for each.
 * Then *number says which rule of its chain it is, from 0 on, and *count of how many.
 */
enum rule_found rule_search_take(struct rule_search *search, const struct command *command,
                                 unsigned *number, unsigned *count);

/* NULL is fine. */
void rule_search_free(struct rule_search *search);

#endif
