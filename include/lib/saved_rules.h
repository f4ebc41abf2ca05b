/* The rules of a firewall as iptables-save(8) prints them, one by one. */
#ifndef LIB_SAVED_RULES_H
#define LIB_SAVED_RULES_H

#include <stdio.h>

#include "lib/rule_words.h"

/* What the comment of a door's rule begins with; the door's name follows. */
#define SAVED_RULES_COMMENT "knockd "

enum { SAVED_RULES_NAME = 64 };

/* A rule, valid until the next one is read. */
struct saved_rule {
    const char *table;
    const char *text;            /* "-A CHAIN ...", without its newline */
    struct rule_words words;     /* of `text` */
    char door[SAVED_RULES_NAME]; /* of its comment "knockd DOOR"; "": it has no such comment */
};

/* iptables-nft-save prints a line with this, and nothing of the table, where nft made rules in it
 * that iptables has no words for; it ends with 0 all the same. */
#define SAVED_RULES_INCOMPATIBLE "is incompatible, use 'nft' tool"

/* Reads them from `file`, which stays the caller's. All but `file` is the reader's own. */
struct saved_rules {
    FILE *file;
    char *line;
    size_t room;
    char table[32];
    bool no_memory;    /* why there is no next rule */
    bool incompatible; /* a table of nft's own rules was left out (SAVED_RULES_INCOMPATIBLE) */
    struct saved_rule rule;
};

/* The next rule; NULL at the end, or when memory is short. Rules too long for rule_words are passed
 * over. */
const struct saved_rule *saved_rules_next(struct saved_rules *rules);

/* Frees what reading took. */
void saved_rules_end(struct saved_rules *rules);

/* Whether `comment` is "knockd DOOR"; then copies the name of the door. */
bool saved_rules_door(const char *comment, char out[SAVED_RULES_NAME]);

#endif
