#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keeper/hooks.h"
#include "keeper/log_sources.h"
#include "knockd/daemon.h"
#include "knockd/host_check.h"
#include "lib/log.h"

/* Looks up the listener's user. False after reporting what is wrong; root is refused. */
static bool find_user(const struct config *config, uid_t *uid, gid_t *gid, struct report *report)
{
    errno = 0;
    const struct passwd *entry = getpwnam(config->user);
    if (!entry) {
        report_error(report, config->user_pos,
                     "the listener's user \"%s\" doesn't exist; create it "
                     "(useradd --system --no-create-home %s) or set another user",
                     config->user, config->user);
        return false;
    }
    if (entry->pw_uid == 0 || entry->pw_gid == 0) {
        report_error(report, config->user_pos,
                     "the listener's user \"%s\" has root's rights; it reads what strangers "
                     "write, so it must have none",
                     config->user);
        return false;
    }
    *uid = entry->pw_uid;
    *gid = entry->pw_gid;
    return true;
}

bool setting_load(struct setting *setting, const char *path, bool only_check, struct report *report)
{
    *setting = (struct setting){.config = config_load(path, report)};
    if (!setting->config)
        return false;
    /* All are asked, so that all mistakes are told at once. */
    bool user = find_user(setting->config, &setting->uid, &setting->gid, report);
    unsigned errors = report->errors;
    log_sources_check(setting->config, only_check, report);
    bool sources = report->errors == errors;
    setting->plans = plans_make(setting->config, report);
    bool hooks = hooks_make(&setting->config->init, "init_command", report, &setting->init) == 0;
    hooks &= hooks_make(&setting->config->exit, "exit_command", report, &setting->exit) == 0;
    bool once = one_time_load(setting->config, &setting->once, report);
    setting->keyring = keyring_load(setting->config, time(NULL), report);
    if (user && sources && hooks && once && setting->plans && setting->keyring) {
        host_check_of_kernel(setting->config, report);
        return true;
    }
    setting_free(setting);
    return false;
}

void setting_free(struct setting *setting)
{
    plans_free(setting->plans);
    one_time_free(&setting->once);
    keyring_free(setting->keyring);
    commands_free(&setting->init);
    commands_free(&setting->exit);
    config_free(setting->config);
    *setting = (struct setting){0};
}

/* A lock is held there, which can't move under way. */
void setting_compare(const struct setting *old, const struct setting *new)
{
    if (strcmp(old->config->state_dir, new->config->state_dir) != 0)
        log_warning("state_dir stays %s until knockd is restarted", old->config->state_dir);
    if (strcmp(old->config->control, new->config->control) != 0)
        log_warning("control stays %s until knockd is restarted", old->config->control);
}
