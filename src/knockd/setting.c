#include <stdlib.h>

#include "knockd/daemon.h"
#include "knockd/place.h"

bool setting_load(struct setting *setting, const char *path, struct report *report)
{
    *setting = (struct setting){.config = config_load(path, report)};
    if (!setting->config)
        return false;
    /* Both are asked, so that all mistakes are told at once. */
    bool user = place_user(setting->config, &setting->uid, &setting->gid, report);
    setting->plans = plans_make(setting->config, report);
    if (user && setting->plans)
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
