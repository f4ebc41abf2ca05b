#include <stdlib.h>
#include <string.h>

#include "keeper/producer.h"
#include "knockd/daemon.h"
#include "knockd/place.h"
#include "lib/log.h"

bool setting_load(struct setting *setting, const char *path, struct report *report)
{
    *setting = (struct setting){.config = config_load(path, report)};
    if (!setting->config)
        return false;
    /* All are asked, so that all mistakes are told at once. */
    bool user = place_user(setting->config, &setting->uid, &setting->gid, report);
    unsigned errors = report->errors;
    for (unsigned i = 0; i < setting->config->source_count; i++)
        producer_check(&setting->config->sources[i], report);
    bool sources = report->errors == errors;
    setting->plans = plans_make(setting->config, report);
    if (user && sources && setting->plans)
        return true;
    setting_free(setting);
    return false;
}

void setting_free(struct setting *setting)
{
    plans_free(setting->plans);
    config_free(setting->config);
    *setting = (struct setting){0};
}

/* A lock is held there, which can't move under way. */
void setting_compare(const struct setting *old, const struct setting *new)
{
    if (strcmp(old->config->state_dir, new->config->state_dir) != 0)
        log_warning("state_dir stays %s until knockd is restarted", old->config->state_dir);
}
