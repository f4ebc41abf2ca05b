/*
 * The life of the daemon: starting (init_command, then the first listener) -> serving -> stopping
 * (every door is being closed, then exit_command) -> over. Or starting -> failed (what is due of an
 * earlier run's doors is being closed) -> over.
 */
#include "knockd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper/refusal_log.h"
#include "knockd/close_all.h"
#include "knockd/generation.h"
#include "knockd/notify.h"
#include "knockd/own_files.h"
#include "knockd/state_store.h"
#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"

/* Messages that a listener may cause, a second and at once. */
enum { LOGGED_EVENT_RATE = 20, LOGGED_EVENT_BURST = 200 };

static void say(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        log_error("%s", text);
    else
        log_warning("%s", text);
}

struct report daemon_report(void)
{
    return (struct report){.say = say, .bare = true};
}

struct in_force_time daemon_sealed_time(const struct config *config)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct in_force_time){sealed_time(wall.tv_sec, (int32_t)wall.tv_nsec),
                                  config->sealed.max_skew / CLOCK_SECOND};
}

void daemon_fail(struct daemon *d)
{
    d->status = 1;
    loop_stop(d->loop);
}

static void run_hook(struct daemon *d, const struct commands *commands, const char *label,
                     enum job_kind kind, void (*done)(void *arg, bool success))
{
    d->hook = (struct job){.kind = kind,
                           .commands = commands,
                           .ok = runner_ok_zero,
                           .label = label,
                           .done = done,
                           .arg = d};
    runner_submit(d->runner, &d->hook);
}

static void on_exit_done(void *arg, bool success)
{
    struct daemon *d = arg;
    d->status |= !success;
    loop_stop(d->loop);
}

static void on_all_closed(void *arg)
{
    struct daemon *d = arg;
    const struct commands *commands = &d->current->setting.exit;
    /* init_command first has to end; it comes back here. */
    if (d->hook.running)
        return;
    if (commands->count == 0)
        loop_stop(d->loop);
    else
        run_hook(d, commands, "exit_command", JOB_UNDO, on_exit_done);
}

static void on_deadline(void *arg)
{
    struct daemon *d = arg;
    doors_log_left(d->doors);
    daemon_fail(d);
}

static void on_failed_closed(void *arg)
{
    (void)arg;
}

static void stop(struct daemon *d, int number)
{
    if (d->phase == PHASE_STOPPING)
        return;
    /* Its loop ends by itself as soon as no opening is left to be closed. */
    if (d->phase == PHASE_FAILED) {
        doors_close_all(d->doors, on_failed_closed, NULL);
        return;
    }
    int64_t time = d->current->setting.config->stop_timeout;
    log_notice("stopping on SIG%s: closing %u open door%s", sigabbrev_np(number),
               doors_count(d->doors), doors_count(d->doors) == 1 ? "" : "s");
    notify_send("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", (long long)(time / 1000 + 5000000));
    d->phase = PHASE_STOPPING;
    generation_free(d->next);
    d->next = NULL;
    listener_process_end(d->current->child);
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
        generation_reload(d);
    else
        d->reload_wanted = d->phase == PHASE_STARTING;
}

/* While no service manager asks, the keeper looks after its listener less than once a minute: that
 * often the loop wakes up anyway. */
static const int64_t pulse_pause = 59 * CLOCK_SECOND;

/*
 * Wants a sign of life of the listener, and gives one to the service manager: for both processes,
 * so not while the listener owes its own. One that died is no reason to be silent: it is started
 * again, and the keeper has doors to close.
 */
static void on_pulse(void *arg)
{
    struct daemon *d = arg;
    struct listener_process *child = d->current->child;
    if (d->watchdog_interval > 0 && (!child || listener_process_answers(child)))
        notify_send("WATCHDOG=1");
    if (child)
        listener_process_ping(child);
    int64_t pause = d->watchdog_interval > 0 ? d->watchdog_interval : pulse_pause;
    loop_timer_set(d->loop, &d->pulse, clock_now() + pause);
}

/* A file that was removed is made again before a second start, or knockctl, misses it. */
static void on_look(void *arg)
{
    struct daemon *d = arg;
    char why[1024];
    enum state_dir_found found = STATE_DIR_MENDED;
    for (int i = 0; i < 4 && found == STATE_DIR_MENDED; i++) {
        found = state_dir_check(d->dir, why, sizeof(why));
        runner_set_lock(d->runner, d->dir->commands);
        if (found == STATE_DIR_MENDED || (found == STATE_DIR_BROKEN && !d->dir_broken))
            log_error("%s", why);
    }
    d->dir_broken = found == STATE_DIR_BROKEN;
    /* The control socket lies beside it by default, and both may have been removed. */
    generation_make_root(why, sizeof(why));
    requests_check_socket(d->requests);
}

/* --- what the requests of knockctl may use --- */

static struct requests_state get_state(void *arg)
{
    static const char *const phases[] = {[PHASE_STARTING] = "starting",
                                         [PHASE_SERVING] = "serving",
                                         [PHASE_STOPPING] = "stopping",
                                         [PHASE_FAILED] = "failed"};
    const struct daemon *d = arg;
    const struct setting *setting = &d->current->setting;
    const struct listener_process *child = d->current->child;
    return (struct requests_state){
        .phase = phases[d->phase],
        .serving = d->phase == PHASE_SERVING,
        .config = setting->config,
        .plans = setting->plans,
        .keyring = setting->keyring,
        .generation = d->generation,
        .listener = child ? listener_process_pid(child) : 0,
        .listening_since = d->current->started,
        .messages_dropped = d->messages.dropped + d->admission.refusals.dropped +
                            d->admission.strangers.dropped + doors_messages_dropped(d->doors)};
}

static const char *reload_by_request(void *arg)
{
    struct daemon *d = arg;
    if (d->phase == PHASE_STARTING)
        return "knockd is starting: try again when it is ready";
    if (d->phase != PHASE_SERVING)
        return "knockd is stopping";
    generation_reload(d);
    return NULL;
}

static bool ask_listener(void *arg, uint32_t query, const struct addr *address)
{
    struct listener_process *child = ((struct daemon *)arg)->current->child;
    if (!child || !listener_process_may_ask(child))
        return false;
    listener_process_query(child, query, address);
    return true;
}

static bool listener_owes_since(void *arg, int64_t then)
{
    const struct listener_process *child = ((struct daemon *)arg)->current->child;
    return child && listener_process_owes_since(child, then);
}

static struct requests *open_requests(struct daemon *d)
{
    struct requests_services services = {.loop = d->loop,
                                         .doors = d->doors,
                                         .store = d->store,
                                         .admission = &d->admission,
                                         .refusals = d->refusals,
                                         .config_path = d->path,
                                         .state = get_state,
                                         .reload = reload_by_request,
                                         .ask = ask_listener,
                                         .owes_since = listener_owes_since,
                                         .arg = d};
    return requests_open(&services);
}

/* --- starting --- */

static int make_parts(struct daemon *d, const struct config *config)
{
    d->loop = loop_new();
    if (!d->loop)
        return -1;
    d->runner = runner_new(d->loop, config->run_timeout, d->dir->commands);
    if (!d->runner)
        return -1;
    d->doors = doors_new(d->loop, d->runner, d->store);
    if (!d->doors || loop_timer_register(d->loop, &d->restart, generation_restart, d) < 0 ||
        loop_timer_register(d->loop, &d->pulse, on_pulse, d) < 0 ||
        loop_timer_register(d->loop, &d->deadline, on_deadline, d) < 0)
        return -1;
    d->signals = signals_watch(d->loop, on_signal, d);
    return d->signals ? 0 : -1;
}

/* Takes up what an earlier run left before anything new can come. */
static int set_up(struct daemon *d, const struct config *config)
{
    /* Commands of an earlier run may take their time, and init_command its own. */
    int64_t patience = config->run_timeout * (int64_t)(config->init.count + 1);
    notify_send("EXTEND_TIMEOUT_USEC=%lld", (long long)(patience / 1000 + 10000000));
    d->store = state_store_open(d->dir, config);
    if (!d->store)
        return -1;
    uint8_t key[CRYPTO_KEY_SIZE];
    crypto_random(key, sizeof(key));
    d->refused = refused_new();
    d->refusals = refusal_log_new(key);
    if (!d->refused || !d->refusals || make_parts(d, config) < 0) {
        log_error("can't start: %s", strerror(errno));
        return -1;
    }
    in_force_start(d->current->setting.keyring, d->store, d->refused, daemon_sealed_time(config));
    doors_set_max(d->doors, config->max_open);
    d->requests = open_requests(d);
    if (!d->requests)
        return -1;
    d->own_files = own_files_watch(d->loop, d->dir->path, config->control, on_look, d);
    if (!d->own_files)
        return -1;
    d->watchdog_interval = notify_watchdog();
    on_pulse(d);
    if (doors_resume(d->doors) < 0)
        return -1;
    doors_follow(d->doors, config, d->current->setting.plans);
    return 0;
}

static void on_init_done(void *arg, bool success)
{
    struct daemon *d = arg;
    struct report report = daemon_report();
    if (d->phase != PHASE_STARTING) {
        if (doors_count(d->doors) == 0)
            on_all_closed(d);
        return;
    }
    if (!success)
        log_error("not started, since init_command failed");
    if (!success || !generation_start(d->current, &report))
        daemon_fail(d);
}

/* Nothing is heard before init_command is done. */
static bool begin(struct daemon *d)
{
    struct report report = daemon_report();
    const struct commands *commands = &d->current->setting.init;
    if (commands->count == 0)
        return generation_start(d->current, &report);
    run_hook(d, commands, "init_command", JOB_DO, on_init_done);
    return true;
}

static void tear_down(struct daemon *d)
{
    own_files_free(d->own_files);
    requests_close(d->requests);
    generation_free(d->next);
    generation_free(d->current);
    runner_free(d->runner);
    doors_free(d->doors);
    if (d->doors)
        in_force_end(d->store, d->refused);
    refused_free(d->refused);
    refusal_log_free(d->refusals);
    store_close(d->store);
    signals_free(d->signals);
    loop_free(d->loop);
    state_dir_release(d->dir);
}

/* It never got ready: nothing opens, but what an earlier run opened is closed when it is due. */
static void end_failed_start(struct daemon *d)
{
    d->phase = PHASE_FAILED;
    d->status = 1;
    listener_process_end(d->current->child);
    d->current->child = NULL;
    if (!d->doors)
        return;
    doors_open_no_more(d->doors);
    close_wait(d->loop, d->doors, d->current->setting.config->stop_timeout);
}

int daemon_run(struct setting *setting, struct state_dir *dir, const struct options *options,
               int parent)
{
    int64_t now = clock_now();
    struct daemon d = {.path = options->config,
                       .parent = parent,
                       .dir = dir,
                       .admission = authorize_make(now),
                       .messages = limit_make(LOGGED_EVENT_RATE, LOGGED_EVENT_BURST, now)};
    d.current = generation_new(&d, setting);
    if (!d.current)
        return 1;
    if (set_up(&d, d.current->setting.config) == 0 && begin(&d))
        loop_run(d.loop);
    if (d.phase == PHASE_STARTING)
        end_failed_start(&d);
    else
        log_notice("stopped%s", doors_count(d.doors) ? " with doors that could not be closed"
                                : d.status           ? "; exit_command failed"
                                                     : "");
    if (d.doors && doors_count(d.doors) == 0)
        state_dir_forget(d.path);
    bool recorded = d.doors != NULL;
    tear_down(&d);
    /* Without a store that can be written to, a copy of it may do. */
    if (!recorded)
        close_due(options->config);
    return d.status;
}
