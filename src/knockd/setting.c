#include <stdlib.h>

#include "keeper/producer.h"
#include "knockd/daemon.h"
#include "knockd/place.h"

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
