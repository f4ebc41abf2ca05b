/*
 * The life of a regime: its listener starts -> is ready and takes the place of the one before, if
 * any -> dies and is started again, later and later, or is replaced by a reload. If a reload's
 * listener is never ready, nothing has changed.
 */
#include "knockd/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/authorize.h"
#include "knockd/daemonize.h"
#include "knockd/listener_events.h"
#include "knockd/notify.h"
#include "knockd/safe_folder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/filter.h"
#include "listener/sandbox.h"

static const int64_t pause_first = 1 * CLOCK_SECOND;
static const int64_t pause_longest = 60 * CLOCK_SECOND;

static bool serve_sealed(struct generation *r, const struct message_sealed *message)
{
    struct daemon *d = r->daemon;
    const struct setting *setting = &r->setting;
    struct sealed_service service = {.config = setting->config,
                                     .plans = setting->plans,
                                     .keyring = setting->keyring,
                                     .store = d->store,
                                     .doors = d->doors,
                                     .refused = d->refused,
                                     .refusals = d->refusals};
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return authorize_sealed(&d->admission, &service, message, clock_now(), wall);
}

static bool on_record(void *arg, const struct message *message)
{
    struct generation *r = arg;
    struct daemon *d = r->daemon;
    if (message_is_answer(message->type))
        return requests_record(d->requests, r->setting.config, message);
    if (message->type == MESSAGE_SEALED)
        return r != d->current || serve_sealed(r, &message->u.sealed);
    if (message->type != MESSAGE_OPEN) {
        bool good = events_log(r->setting.config, message, &d->messages, clock_now());
        if (good)
            requests_heard(d->requests, r->setting.config, message);
        return good;
    }
    /* What the next listener hears already, the current one hears too. */
    return r != d->current ||
           authorize_open(&d->admission, r->setting.config, r->setting.plans, &r->setting.once,
                          d->store, d->doors, &message->u.open, clock_now());
}

void generation_free(struct generation *r)
{
    if (!r)
        return;
    listener_process_end(r->child);
    setting_free(&r->setting);
    free(r);
}

static void become_ready(struct daemon *d)
{
    const struct config *config = d->current->setting.config;
    d->phase = PHASE_SERVING;
    log_notice("ready: %u door%s, %u source%s, sandbox %s", config->door_count,
               config->door_count == 1 ? "" : "s", config->source_count,
               config->source_count == 1 ? "" : "s", filter_profile());
    notify_send("READY=1\nSTATUS=Listening");
    if (d->parent >= 0) {
        log_open("knockd", config->facility, false, log_debugging());
        daemonize_ready(d->parent);
        d->parent = -1;
    }
    if (d->reload_wanted)
        generation_reload(d);
}

static void take_over(struct daemon *d)
{
    in_force_reload(d->next->setting.keyring, d->current->setting.keyring,
                    d->current->setting.config->sealed.max_skew / CLOCK_SECOND, d->store,
                    d->refused, daemon_sealed_time(d->next->setting.config));
    generation_free(d->current);
    d->current = d->next;
    d->next = NULL;
    const struct config *config = d->current->setting.config;
    log_set_facility(config->facility);
    runner_set_limit(d->runner, config->run_timeout);
    doors_set_max(d->doors, config->max_open);
    doors_follow(d->doors, config, d->current->setting.plans);
    log_notice("reloaded %s: %u door%s", d->path, config->door_count,
               config->door_count == 1 ? "" : "s");
    notify_send("READY=1\nSTATUS=Listening");
    requests_reloaded(d->requests, NULL);
}

static void on_child_ready(void *arg)
{
    struct generation *r = arg;
    struct daemon *d = r->daemon;
    one_time_warn(&r->setting.once, r->setting.config, d->store);
    if (r == d->next)
        take_over(d);
    else if (d->phase == PHASE_STARTING)
        become_ready(d);
    else
        log_notice("listening again");
}

static void give_up_reload(struct daemon *d)
{
    generation_free(d->next);
    d->next = NULL;
    log_error("reload failed; going on with the configuration as it was");
    notify_send("READY=1\nSTATUS=Listening; the last reload failed");
    requests_reloaded(d->requests, "reload failed, nothing has changed; knockd's log says why");
}

static void on_child_lost(void *arg)
{
    struct generation *r = arg;
    struct daemon *d = r->daemon;
    listener_process_end(r->child);
    r->child = NULL;
    if (r == d->next) {
        give_up_reload(d);
        return;
    }
    if (d->phase == PHASE_STARTING) {
        daemon_fail(d);
        return;
    }
    int64_t now = clock_now();
    if (d->pause == 0 || now - r->started > pause_longest)
        d->pause = pause_first;
    log_error("no listener: starting another in %lld s; open doors still close in time",
              (long long)(d->pause / CLOCK_SECOND));
    loop_timer_set(d->loop, &d->restart, now + d->pause);
    d->pause = 2 * d->pause < pause_longest ? 2 * d->pause : pause_longest;
}

bool generation_make_root(char *why, size_t why_size)
{
    return safe_folder_make(SANDBOX_ROOT, 0555, why, why_size);
}

static bool make_root(const struct config *config, struct report *report)
{
    char why[512];
    bool good = generation_make_root(why, sizeof(why));
    if (!good)
        report_error(report, (struct config_pos){config->path, 0}, "%s", why);
    return good;
}

bool generation_start(struct generation *r, struct report *report)
{
    struct daemon *d = r->daemon;
    struct listener_process_calls calls = {on_child_ready, on_record, on_child_lost, r};
    if (!make_root(r->setting.config, report))
        return false;
    r->started = clock_now();
    r->child = listener_process_start(d->loop, r->setting.config, &r->setting.once, ++d->generation,
                                      r->setting.uid, r->setting.gid, calls, report);
    return r->child != NULL;
}

void generation_restart(void *arg)
{
    struct daemon *d = arg;
    struct report report = daemon_report();
    if (!d->current->child && !generation_start(d->current, &report))
        loop_timer_set(d->loop, &d->restart, clock_now() + d->pause);
}

struct generation *generation_new(struct daemon *d, struct setting *setting)
{
    struct generation *r = calloc(1, sizeof(*r));
    if (!r) {
        log_error("out of memory");
        setting_free(setting);
        return NULL;
    }
    r->daemon = d;
    r->setting = *setting;
    return r;
}

void generation_reload(struct daemon *d)
{
    struct report report = daemon_report();
    struct setting setting;
    log_notice("reloading %s", d->path);
    notify_reloading();
    /* The newest file wins over one that isn't in force yet. */
    generation_free(d->next);
    d->next = NULL;
    if (setting_load(&setting, d->path, false, &report)) {
        setting_compare(&d->current->setting, &setting);
        d->next = generation_new(d, &setting);
    }
    if (d->next && generation_start(d->next, &report))
        return;
    give_up_reload(d);
}
