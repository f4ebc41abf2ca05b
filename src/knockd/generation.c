/*
 * The life of a generation: loaded (all parts of its configuration are read and checked) -> started
 * (its listener runs) -> ready -> ended by its owner, for a reload or the end of knockd.
 * A listener that is lost once it was ready is restarted, at first after a second, then later and
 * later; one that never was ready fails its generation.
 */
#include "knockd/generation.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper/log_sources.h"
#include "keeper/program.h"
#include "knockd/host_check.h"
#include "knockd/safe_folder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/sandbox.h"

/* Before a listener that was lost is started again; one that lived for so long begins over. */
static const struct backoff restarts = {.first = 1 * CLOCK_SECOND, .longest = 60 * CLOCK_SECOND};

/* --- the configuration --- */

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

/* Makes all that a configuration needs; goes on after an error, so that all are reported at once.
 */
static bool make_parts(struct generation *g, bool only_check, struct report *report)
{
    bool user = find_user(g->config, &g->uid, &g->gid, report);
    unsigned errors = report->errors;
    log_sources_check(g->config, only_check, report);
    bool sources = report->errors == errors;
    if (geteuid() == 0)
        rule_comments_try(&g->comments, g->config, report);
    g->plans = plans_make(g->config, &g->comments, report);
    bool hooks = program_commands(&g->config->init, "init_command", report, &g->init) == 0;
    hooks &= program_commands(&g->config->exit, "exit_command", report, &g->exit) == 0;
    bool once = one_time_load(g->config, &g->once, report);
    g->keyring = keyring_load(g->config, time(NULL), report);
    return user && sources && hooks && once && g->plans && g->keyring;
}

struct generation *generation_load(const char *path, const struct generation *before,
                                   bool only_check, struct report *report)
{
    struct generation *g = calloc(1, sizeof(*g));
    if (!g) {
        report_error(report, (struct config_pos){path, 0}, "out of memory");
        return NULL;
    }
    if (before)
        g->comments = before->comments;
    g->config = config_load(path, report);
    if (g->config && make_parts(g, only_check, report)) {
        host_check_kernel(g->config, report);
        return g;
    }
    generation_free(g);
    return NULL;
}

/* The lock and the control socket of a running knockd stay where they are. */
static void warn_fixed(const char *key, const char *old, const char *new, char *note, size_t size)
{
    size_t used = strlen(note), len = strlen(old);
    /* A slash more at the end is no other folder. */
    while (len > 1 && old[len - 1] == '/')
        len--;
    if (strncmp(old, new, len) == 0 && strspn(new + len, "/") == strlen(new + len))
        return;
    log_warning("%s stays %s until knockd is restarted", key, old);
    snprintf(note + used, size - used, "%s%s stays %s until knockd is restarted", used ? "; " : "",
             key, old);
}

void generation_warn_fixed(const struct generation *generation, const char *state_dir,
                           const char *control, char *note, size_t size)
{
    *note = '\0';
    warn_fixed("state_dir", state_dir, generation->config->state_dir, note, size);
    warn_fixed("control", control, generation->config->control, note, size);
}

/* --- the listener --- */

static void on_listener_ready(void *arg)
{
    struct generation *g = arg;
    bool again = g->served;
    g->served = true;
    g->calls.ready(g->calls.arg, g, again);
}

static void on_listener_event(void *arg, const struct message *message)
{
    struct generation *g = arg;
    g->calls.event(g->calls.arg, g, message);
}

static void on_listener_answer(void *arg, const struct message *message)
{
    struct generation *g = arg;
    g->calls.answer(g->calls.arg, g, message);
}

static void on_listener_lost(void *arg)
{
    struct generation *g = arg;
    listener_process_end(g->listener);
    g->listener = NULL;
    if (!g->served) {
        g->calls.failed(g->calls.arg, g);
        return;
    }
    int64_t now = clock_now();
    if (now - g->started > g->pauses.longest)
        backoff_reset(&g->pauses);
    int64_t pause = backoff_next(&g->pauses);
    log_error("no listener: starting another in %lld s; open doors still close in time",
              (long long)(pause / CLOCK_SECOND));
    loop_timer_set(g->calls.loop, &g->restart, now + pause);
}

bool generation_make_root(char *why, size_t why_size)
{
    return safe_folder_make_all(SANDBOX_ROOT, 0555, why, why_size);
}

static bool start_listener(struct generation *g)
{
    struct report report = log_report();
    struct listener_process_calls calls = {
        on_listener_ready, on_listener_lost, g, {on_listener_event, on_listener_answer, g}};
    char why[512];
    if (!generation_make_root(why, sizeof(why))) {
        report_error(&report, (struct config_pos){g->config->path, 0}, "%s", why);
        return false;
    }
    g->started = clock_now();
    g->listener = listener_process_start(g->calls.loop, &g->authorize, &g->groups,
                                         ++*g->calls.listeners, g->uid, g->gid, calls, &report);
    return g->listener != NULL;
}

static void on_restart(void *arg)
{
    struct generation *g = arg;
    if (!start_listener(g))
        loop_timer_set(g->calls.loop, &g->restart, clock_now() + backoff_next(&g->pauses));
}

bool generation_start(struct generation *g, const struct generation *before,
                      const struct generation_calls *calls)
{
    struct report report = log_report();
    if (!nflog_groups_open(&g->groups, g->config, before ? &before->groups : NULL, &report))
        return false;
    if (loop_timer_register(calls->loop, &g->restart, on_restart, g) < 0) {
        log_error("can't start a listener: out of memory");
        return false;
    }
    g->calls = *calls;
    g->pauses = restarts;
    g->authorize = calls->authorize;
    g->authorize.config = g->config;
    g->authorize.plans = g->plans;
    g->authorize.once = &g->once;
    g->authorize.keyring = g->keyring;
    return start_listener(g);
}

void generation_stop(struct generation *g)
{
    listener_process_end(g->listener);
    g->listener = NULL;
    if (g->calls.loop)
        loop_timer_cancel(g->calls.loop, &g->restart);
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    listener_process_end(g->listener);
    if (g->calls.loop)
        loop_timer_unregister(g->calls.loop, &g->restart);
    nflog_groups_close(&g->groups);
    plans_free(g->plans);
    one_time_free(&g->once);
    keyring_free(g->keyring);
    commands_free(&g->init);
    commands_free(&g->exit);
    config_free(g->config);
    free(g);
}
