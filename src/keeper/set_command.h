/*
 * Commands of nft(8) and ipset(8) that add elements to sets, delete them, or look whether they are
 * there: what they say, by which batch_kind_of() (keeper/batch.h) tells which go together, and what
 * they are when it isn't known whether they have been done.
 */
#ifndef KEEPER_SET_COMMAND_H
#define KEEPER_SET_COMMAND_H

#include <stdio.h>

#include "keeper/command.h"

/* What is known of a command that means the same to nft with and without -f, or to ipset and its
 * restore. */
struct set_form {
    bool checks;  /* it looks whether elements are there */
    bool changes; /* it adds or deletes some */
    bool adds;    /* to a set of ipset, one element */
    bool exist;   /* ipset -exist: what is so already is no error */
    bool repeats; /* after it has been done, it does the same once more, and nothing else */
};

bool command_is_nft(const char *program);
bool command_is_ipset(const char *program);

/*
 * Whether `command`, of nft, adds elements to sets, deletes them, or does one after the other: with
 * names of what they go into, then addresses, ports and times, and nothing that could begin another
 * command or is the name of a host.
 */
bool set_form_of_nft(const struct command *command, struct set_form *out);

/* Whether `command`, of ipset, is about one element, of addresses and ports, of one set. */
bool set_form_of_ipset(const struct command *command, struct set_form *out);

/* Writes the command without its program, as a line for `nft -f`. */
void set_write_nft(FILE *text, const struct command *command);

/* Writes it as lines for `ipset restore`, which has done each of them before it reads the next:
 * SET_IPSET_LINES of them. `test`: one that looks for its element. */
void set_write_ipset(FILE *text, const struct command *command, bool test);

enum { SET_IPSET_LINES = 2 };

/*
 * The command that does what `command` does, and is a success, too, where that has been done
 * before: of nft when it is about elements that set_form_of_nft() takes, and deletes them; of ipset
 * when it deletes or adds one. Else, and when memory is short, -1. The caller frees its text.
 * It may fail where `command` succeeds: nft adds no element to a map without its data, none to a
 * set that is full, and none that overlaps another one.
 */
int set_command_forgiving(const struct command *command, struct command *out);

#endif
