/* Checks of a configuration as a whole: what no single value shows. */
#ifndef LIB_CONFIG_CHECK_H
#define LIB_CONFIG_CHECK_H

#include "lib/config_schema.h"

/* What is missing, what contradicts, what invites a scan. */
void config_check(const struct config *config, struct report *report);

/* The same for sealed knocks: doors that can't be told apart, ports that would mean two things. */
void config_check_sealed(const struct config *config, struct report *report);

/* Finds out which doors close others, by `closes` or by what their commands undo, and so how long
 * each is open. Reports doors that can't close others, and keys without an effect. */
void config_settle_closes(struct parse_context *context, struct config *config);

#endif
