/*
 * Doors that nobody closes: rules in the firewall that are a door's, by their comment or by what
 * they say, and that no opening owns. A firewall that was saved while a door was open brings them
 * back.
 */
#ifndef KEEPER_STRAYS_H
#define KEEPER_STRAYS_H

#include "keeper/doors.h"

enum stray_kind {
    STRAY_OURS,    /* has our comment, of a door of the configuration */
    STRAY_UNKNOWN, /* of a door that it doesn't have: that is gone, or is another knockd's */
    STRAY_ALIKE,   /* has no such comment, and says what a door's rule says */
};

struct stray {
    bool ip6;
    enum stray_kind kind;
    bool removed; /* by strays_remove */
    unsigned order;
    char door[CONFIG_NAME_MAX + 1];
    char *table;
    char *text; /* "-A CHAIN ..." */
};

struct strays {
    unsigned count;
    struct stray *items; /* as they stand in the firewall, IPv4 first */
    char why[256];       /* why not all was looked at, or not all was removed; "": all was */
};

/*
 * Looks at what iptables-save(8) and ip6tables-save(8) print, where they are installed, until
 * `deadline` at most. Nothing is done with the doors meanwhile, so what an opening owns is none; in
 * doubt it is taken for owned. Free it with strays_free.
 */
void strays_find(const struct doors *doors, const struct config *config, const struct plans *plans,
                 int64_t deadline, struct strays *out);

/* Removes those of STRAY_OURS, each by what it says. Nothing may have happened to the doors
 * since they were found. */
void strays_remove(struct strays *strays, int64_t deadline);

void strays_free(struct strays *strays);

/* The command that removes it, as a person would type it; "" when it doesn't fit. */
const char *stray_command(const struct stray *stray, char *out, size_t size);

/* Looks, if any door of `config` has a rule, and logs what is found, of many the first few. */
void strays_log(const struct doors *doors, const struct config *config, const struct plans *plans);

/* Logs what strays_remove did. */
void strays_log_removed(const struct strays *strays);

#endif
