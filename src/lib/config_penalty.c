/* The penalty for addresses that guess: who is exempt, and settings that contradict. */
#include <string.h>

#include "lib/config_keys.h"

void read_exempt(struct reading *r, const struct config_key *key, const struct config_list *values,
                 void *field)
{
    struct config_penalty *penalty = field;
    if (values->count > CONFIG_EXEMPT_MAX)
        report_error(r->report, values->items[CONFIG_EXEMPT_MAX].pos, "%s: more than %d networks",
                     key->name, CONFIG_EXEMPT_MAX);
    else
        read_nets(r, key, values, &penalty->exempt, &penalty->exempt_count);
}

static bool is_about_it(const char *name)
{
    return strcmp(name, "failure_window") == 0 || strcmp(name, "penalty") == 0 ||
           strcmp(name, "allow_always") == 0;
}

/* Whether the file leaves the penalty out. One that it gets wrong was told already. */
static bool is_off(const struct config_section *global)
{
    for (size_t i = 0; i < global->count; i++) {
        const struct config_entry *entry = &global->entries[i];
        if (strcmp(entry->key->name, "max_failures") == 0 && entry->values.count > 0)
            return strcmp(entry->values.items[0].text, "0") == 0;
    }
    return true;
}

static void check_entry(const struct config_entry *entry, bool off, unsigned max_failures,
                        struct report *report)
{
    const char *name = entry->key->name;
    if (off && is_about_it(name))
        report_warning(report, entry->values.pos,
                       "%s has no effect: without max_failures no address is ever penalised; set "
                       "max_failures, or remove %s",
                       name, name);
    if (max_failures == 1 && strcmp(name, "max_failures") == 0)
        report_warning(report, entry->values.pos,
                       "max_failures: with 1, whoever loses a single packet of a knock is shut "
                       "out: expected 3 or more, or 0 for no penalty at all");
}

void config_check_penalty(const struct config_section *global, const struct config_penalty *penalty,
                          struct report *report)
{
    bool off = is_off(global);
    for (size_t i = 0; i < global->count; i++)
        check_entry(&global->entries[i], off, penalty->max_failures, report);
}
