/* A change of the firewall with its way back. */
#ifndef KNOCKCTL_CHANGE_H
#define KNOCKCTL_CHANGE_H

#include <stdbool.h>

#include "knockctl/rules.h"

struct change {
    enum rules_kind kind;
    char *apply;    /* what the firewall program reads */
    char *undo;     /* exactly what was there before */
    char *fallback; /* should that fail: the rules without effect; NULL: none */
};

/*
 * Looks at the rules that are in place and works out both ways. Nothing is changed. False, after a
 * message on standard error, if they can't be read. The texts are freed by change_free.
 */
bool change_make(struct change *out, const struct rules *rules, enum rules_kind kind);
void change_free(struct change *change);

/* Both run the firewall program, in one transaction each, and say what failed. */
bool change_apply(const struct change *change);
bool change_undo(const struct change *change);

/* The same from the output of iptables-save: what iptables-restore has to read to undo. */
char *change_undo_iptables(const char *saved);

/* Which jumps that output lacks, as enum rules_jumps. */
unsigned change_missing_jumps(const char *saved);

#endif
