/*
 * The life of the daemon: starting (the first listener isn't ready) -> serving -> stopping (every
 * door is being closed) -> over. While serving, SIGHUP brings a second setting with a listener of
 * its own; when that listener is ready it takes the first one's place, and if it never is, nothing
 * has changed. A listener that dies is started again, later and later; doors don't notice.
 */
#include "knockd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/admit.h"
#include "knockd/child.h"
#include "knockd/events.h"
#include "knockd/notify.h"
#include "knockd/place.h"
#include "knockd/signals.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/filter.h"

/* Messages that a listener may cause, a second and at once. */
enum { MESSAGE_RATE = 20, MESSAGE_BURST = 200 };

static const int64_t pause_first = 1 * CLOCK_SECOND;
static const int64_t pause_longest = 60 * CLOCK_SECOND;

enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_STOPPING };

/* A setting with the listener that works by it. */
struct regime {
    struct daemon *daemon;
    struct setting setting;
    struct child *child; /* NULL: dead, to be started again */
    int64_t started;
};

struct daemon {
    const char *path;
    enum phase phase;
    int parent; /* waits for us to be ready; -1: nobody */
    struct loop *loop;
    struct runner *runner;
    struct doors *doors;
    struct store *store;
    int commands_lock;
    struct regime *current;
    struct regime *next; /* a reload that isn't ready yet */
    uint32_t generation;
    struct signals *signals;
    struct timer restart, watchdog, deadline;
    int64_t pause; /* before the listener is started again */
    int64_t watchdog_interval;
    bool reload_wanted; /* SIGHUP came before the first listener was ready */
    struct admission admission;
    struct limit messages;
    int status;
};

static void say(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        log_error("%s", text);
    else
        log_warning("%s", text);
}

static struct report make_report(void)
{
    return (struct report){.say = say, .bare = true};
}

static void fail(struct daemon *d)
{
    d->status = 1;
    loop_stop(d->loop);
}

static bool on_record(void *arg, const struct record *record)
{
    struct regime *r = arg;
    struct daemon *d = r->daemon;
    if (record->type != RECORD_OPEN)
        return events_log(r->setting.config, record, &d->messages, clock_now());
    /* What the next listener hears already, the current one hears too. */
    return r != d->current || admit_open(&d->admission, r->setting.config, r->setting.plans,
                                         d->doors, &record->u.open, clock_now());
}

static void free_regime(struct regime *r)
{
    if (!r)
        return;
    child_end(r->child);
    setting_free(&r->setting);
    free(r);
}

static void reload(struct daemon *d);

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
        place_leave(d->parent);
        d->parent = -1;
    }
    if (d->reload_wanted)
        reload(d);
}

static void take_over(struct daemon *d)
{
    free_regime(d->current);
    d->current = d->next;
    d->next = NULL;
    const struct config *config = d->current->setting.config;
    log_set_facility(config->facility);
    runner_set_limit(d->runner, config->run_timeout);
    log_notice("reloaded %s: %u door%s", d->path, config->door_count,
               config->door_count == 1 ? "" : "s");
    notify_send("READY=1\nSTATUS=Listening");
}

static void on_child_ready(void *arg)
{
    struct regime *r = arg;
    struct daemon *d = r->daemon;
    if (r == d->next)
        take_over(d);
    else if (d->phase == PHASE_STARTING)
        become_ready(d);
    else
        log_notice("listening again");
}

static void on_child_lost(void *arg)
{
    struct regime *r = arg;
    struct daemon *d = r->daemon;
    child_end(r->child);
    r->child = NULL;
    if (r == d->next) {
        log_error("reload failed; going on with the configuration as it was");
        free_regime(r);
        d->next = NULL;
        notify_send("READY=1\nSTATUS=Listening; the last reload failed");
        return;
    }
    if (d->phase == PHASE_STARTING) {
        fail(d);
        return;
    }
    int64_t now = clock_now();
    if (now - r->started > pause_longest)
        d->pause = pause_first;
    log_error("no listener: starting another in %lld s; open doors still close in time",
              (long long)(d->pause / CLOCK_SECOND));
    loop_timer_set(d->loop, &d->restart, now + d->pause);
    d->pause = 2 * d->pause < pause_longest ? 2 * d->pause : pause_longest;
}

static bool start_child(struct regime *r, struct report *report)
{
    struct daemon *d = r->daemon;
    struct child_calls calls = {on_child_ready, on_record, on_child_lost, r};
    r->started = clock_now();
    r->child = child_start(d->loop, r->setting.config, ++d->generation, r->setting.uid,
                           r->setting.gid, calls, report);
    return r->child != NULL;
}

static void on_restart(void *arg)
{
    struct daemon *d = arg;
    struct report report = make_report();
    if (!d->current->child && !start_child(d->current, &report))
        loop_timer_set(d->loop, &d->restart, clock_now() + d->pause);
}

static struct regime *new_regime(struct daemon *d, struct setting *setting)
{
    struct regime *r = calloc(1, sizeof(*r));
    if (!r) {
        log_error("out of memory");
        setting_free(setting);
        return NULL;
    }
    r->daemon = d;
    r->setting = *setting;
    return r;
}

static void reload(struct daemon *d)
{
    struct report report = make_report();
    struct setting setting;
    log_notice("reloading %s", d->path);
    notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_now() / 1000));
    /* The newest file wins over one that isn't in force yet. */
    free_regime(d->next);
    d->next = NULL;
    if (setting_load(&setting, d->path, &report)) {
        setting_compare(&d->current->setting, &setting);
        d->next = new_regime(d, &setting);
    }
    if (d->next && start_child(d->next, &report))
        return;
    free_regime(d->next);
    d->next = NULL;
    log_error("reload failed; going on with the configuration as it was");
    notify_send("READY=1\nSTATUS=Listening; the last reload failed");
}

static void on_all_closed(void *arg)
{
    struct daemon *d = arg;
    loop_stop(d->loop);
}

static void on_deadline(void *arg)
{
    struct daemon *d = arg;
    doors_log_left(d->doors);
    fail(d);
}

static void stop(struct daemon *d, int number)
{
    if (d->phase == PHASE_STOPPING)
        return;
    int64_t time = d->current->setting.config->stop_timeout;
    log_notice("stopping on SIG%s: closing %u open door%s", sigabbrev_np(number),
               doors_count(d->doors), doors_count(d->doors) == 1 ? "" : "s");
    notify_send("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", (long long)(time / 1000 + 5000000));
    d->phase = PHASE_STOPPING;
    free_regime(d->next);
    d->next = NULL;
    child_end(d->current->child);
    d->current->child = NULL;
    loop_timer_cancel(d->loop, &d->restart);
    loop_timer_set(d->loop, &d->deadline, clock_now() + time);
    doors_close_all(d->doors, on_all_closed, d);
}

static void on_signal(void *arg, int number)
{
    struct daemon *d = arg;
    if (number != SIGHUP)
        stop(d, number);
    else if (d->phase == PHASE_SERVING)
        reload(d);
    else
        d->reload_wanted = d->phase == PHASE_STARTING;
}

static void on_watchdog(void *arg)
{
    struct daemon *d = arg;
    notify_send("WATCHDOG=1");
    loop_timer_set(d->loop, &d->watchdog, clock_now() + d->watchdog_interval);
}

static int make_parts(struct daemon *d, const struct config *config)
{
    d->loop = loop_new();
    if (!d->loop)
        return -1;
    d->runner = runner_new(d->loop, config->run_timeout, d->commands_lock);
    if (!d->runner)
        return -1;
    d->doors = doors_new(d->loop, d->runner, d->store);
    if (!d->doors || loop_timer_register(d->loop, &d->restart, on_restart, d) < 0 ||
        loop_timer_register(d->loop, &d->watchdog, on_watchdog, d) < 0 ||
        loop_timer_register(d->loop, &d->deadline, on_deadline, d) < 0)
        return -1;
    d->signals = signals_watch(d->loop, on_signal, d);
    return d->signals ? 0 : -1;
}

/* Takes up what an earlier run left before anything new can come. */
static int set_up(struct daemon *d, const struct config *config)
{
    if (!place_state(config, &d->store, &d->commands_lock))
        return -1;
    if (make_parts(d, config) < 0) {
        log_error("can't start: %s", strerror(errno));
        return -1;
    }
    d->watchdog_interval = notify_watchdog();
    if (d->watchdog_interval > 0)
        on_watchdog(d);
    return doors_resume(d->doors);
}

static void tear_down(struct daemon *d)
{
    free_regime(d->next);
    free_regime(d->current);
    runner_free(d->runner);
    doors_free(d->doors);
    store_close(d->store);
    if (d->commands_lock >= 0)
        close(d->commands_lock);
    signals_free(d->signals);
    loop_free(d->loop);
}

int daemon_run(struct setting *setting, const struct options *options, int parent)
{
    int64_t now = clock_now();
    struct daemon d = {.path = options->config,
                       .parent = parent,
                       .commands_lock = -1,
                       .pause = pause_first,
                       .admission = admit_make(now),
                       .messages = limit_make(MESSAGE_RATE, MESSAGE_BURST, now)};
    struct report report = make_report();
    d.current = new_regime(&d, setting);
    if (!d.current)
        return 1;
    if (set_up(&d, d.current->setting.config) == 0 && start_child(d.current, &report))
        loop_run(d.loop);
    else
        d.status = 1;
    if (d.phase != PHASE_STARTING)
        log_notice("stopped%s", d.status ? " with doors that could not be closed" : "");
    tear_down(&d);
    return d.status;
}
