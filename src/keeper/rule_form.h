/*
 * Compares a rule of the firewall, as iptables-save(8) prints it, with what doors put there: by its
 * options in any order, since iptables prints them in its own. Pure.
 */
#ifndef KEEPER_RULE_FORM_H
#define KEEPER_RULE_FORM_H

#include "keeper/template.h"
#include "lib/addr.h"
#include "lib/crypto.h"
#include "lib/saved_rules.h"

enum { RULE_FORM_OPTIONS = 24, RULE_FORM_VALUES = 3 };

/* What a rule says, without what iptables adds by itself and without our comment. The texts are
 * those of the words that it was made of. */
struct rule_form {
    const char *table, *chain;
    unsigned count;
    struct rule_option {
        const char *name; /* the short or usual one */
        bool negated;
        unsigned values;
        const char *value[RULE_FORM_VALUES];
    } options[RULE_FORM_OPTIONS];
};

/* What stands for any address, port ... in a door's rule that is to be compared. */
extern const struct values rule_form_wildcards;

/* The form of a door's rule, "[-t TABLE] CHAIN MATCHES -j TARGET", expanded with
 * rule_form_wildcards: `count` words at `text`, each with its NUL. False when it has more options
 * than fit. */
bool rule_form_of_door(struct rule_form *out, const char *text, unsigned count);

/* The form of a rule in the firewall. Likewise. */
bool rule_form_of_saved(struct rule_form *out, const struct saved_rule *rule);

/* Whether `saved` says what the door's rule says, with some address, port ... in place of its
 * wildcards. */
bool rule_form_matches(const struct rule_form *door, const struct rule_form *saved);

/* A hash of what the rule says but for its chain: the same in whatever order that is written. */
uint64_t rule_form_hash(const struct rule_form *form, const uint8_t key[CRYPTO_KEY_SIZE]);

/* The address that the rule takes packets from (-s) alone; family 0: there is none. */
struct addr rule_form_source(const struct rule_form *form);

/* A command of iptables(8) that deletes a rule by what it says; what isn't said is NULL, or an
 * address of family 0. */
struct rule_deletion {
    bool ip6;
    const char *table, *chain;
    const char *comment;
    const char *port; /* --dport */
    struct addr source, destination;
};

/* Reads the `count` words at `text`, one after the other, each with its NUL; *out points into them.
 * False when they are no such command, or when it isn't sure what iptables makes of one of them, as
 * of an abbreviated option. */
bool rule_deletion_read(struct rule_deletion *out, const char *text, unsigned count);

/* The address that a rule in the firewall takes packets from (-s) alone; family 0: there is none.
 */
struct addr rule_saved_source(const struct saved_rule *rule);

/*
 * Whether the command may be what deletes the rule, which is one of IPv6 if `ip6`: nothing that is
 * certain speaks against it. What can't be compared is taken for the same.
 */
bool rule_deletion_may_be_of(const struct rule_deletion *deletion, const struct saved_rule *rule,
                             bool ip6);

#endif
