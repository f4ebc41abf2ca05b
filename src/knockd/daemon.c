/*
 * The phases of the daemon:
 *
 *   STARTING  what an earlier run left is taken up, then init_command, then the first listener
 *      |  |
 *      |  +-- init_command or the listener fails
 *      |      FAILED: what is due of an earlier run's doors is closed, then knockd ends
 *      |
 *      | the listener is ready
 *   SERVING   a reload starts the next generation, which takes the current one's place once its
 *      |      listener is ready; if its file has an error, or it never is, nothing has changed
 *      |
 *      | SIGTERM, SIGINT
 *   STOPPING  every door is closed, then exit_command, then knockd ends
 */
#include "knockd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "control/requests.h"
#include "keeper/authorize.h"
#include "keeper/in_force.h"
#include "keeper/one_time.h"
#include "keeper/strays.h"
#include "knockd/close_all.h"
#include "knockd/daemonize.h"
#include "knockd/listener_events.h"
#include "knockd/notify.h"
#include "knockd/own_files.h"
#include "knockd/signals.h"
#include "knockd/state_store.h"
#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "listener/filter.h"

/* Messages that a listener may cause, a second and at once. */
enum { LOGGED_EVENT_RATE = 20, LOGGED_EVENT_BURST = 200 };

enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_STOPPING, PHASE_FAILED };

struct daemon {
    const char *path; /* of the configuration */
    char *control;    /* the control socket's, as the start had it */
    enum phase phase;
    int parent; /* waits for us to be ready; -1: nobody */
    struct loop *loop;
    struct runner *runner;
    struct doors *doors;
    struct requests *requests;
    struct state_dir *dir;
    struct own_files *own_files;
    bool dir_broken; /* which was logged */
    struct store *store;
    struct job hook; /* init_command, exit_command */
    struct generation *current;
    struct generation *next;         /* a reload that isn't ready yet */
    struct log_errors reload_errors; /* of the last one, as far as it went at once */
    char reload_note[512];           /* of the last one: what it can't bring into force */
    uint32_t listeners;              /* started so far */
    struct signals *signals;
    struct timer pulse, deadline;
    int64_t watchdog_interval; /* 0: no service manager wants signs of life */
    bool reload_wanted;        /* SIGHUP came before the first listener was ready */
    struct authorize_limits authorize_limits;
    struct refused *refused; /* sealed messages */
    struct refusal_log *refusals;
    struct copies *copies;
    struct limit messages;
    int status;
};

/* Ends the loop, with exit status 1. */
static void fail(struct daemon *d)
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

/* The wall clock as sealed messages have it, and max_skew in s. */
static struct in_force_time sealed_now(const struct config *config)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct in_force_time){sealed_time(wall.tv_sec, (int32_t)wall.tv_nsec),
                                  config->sealed.max_skew / CLOCK_SECOND};
}

/* --- messages of a listener --- */

static void on_event(void *arg, struct generation *g, const struct message *message)
{
    struct daemon *d = arg;
    event_log(g->config, message, &d->messages, clock_now());
    requests_listener_event(d->requests, g->config, message);
}

static void on_answer(void *arg, struct generation *g, const struct message *message)
{
    struct daemon *d = arg;
    requests_listener_answer(d->requests, g->config, message);
}

/* --- reload --- */

static void give_up_reload(struct daemon *d)
{
    generation_free(d->next);
    d->next = NULL;
    log_error("reload failed: nothing changed, the configuration of before goes on");
    notify_send("READY=1\nSTATUS=Listening; the last reload failed");
    requests_reloaded(d->requests,
                      d->reload_errors.len > 0
                          ? "reload failed: nothing changed"
                          : "reload failed: nothing changed; knockd's log says why",
                      d->reload_errors.text);
}

static bool start_generation(struct daemon *d, struct generation *g);

static void reload(struct daemon *d)
{
    struct report report = log_report();
    log_notice("reloading %s", d->path);
    notify_reloading();
    d->reload_errors = (struct log_errors){0};
    log_collect(&d->reload_errors);
    /* The newest file wins over one that isn't in force yet. */
    generation_free(d->next);
    d->next = generation_load(d->path, d->current, false, &report);
    if (d->next)
        generation_warn_fixed(d->next, d->dir->path, d->control, d->reload_note,
                              sizeof(d->reload_note));
    bool started = d->next && start_generation(d, d->next);
    log_collect(NULL);
    if (!started)
        give_up_reload(d);
}

/* The next generation's listener is ready: it takes the place of the current one. */
static void take_over(struct daemon *d)
{
    const struct config *config = d->next->config;
    in_force_reload(d->next->keyring, d->current->keyring,
                    d->current->config->sealed.max_skew / CLOCK_SECOND, d->store, d->refused,
                    sealed_now(config));
    one_time_follow(&d->next->once, config, &d->current->once, d->current->config);
    generation_free(d->current);
    d->current = d->next;
    d->next = NULL;
    log_set_facility(config->facility);
    runner_set_limit(d->runner, config->run_timeout);
    runner_set_batch(d->runner, config->batch);
    doors_set_max(d->doors, config->max_open);
    doors_follow(d->doors, config, d->current->plans);
    log_notice("reloaded %s: %u door%s", d->path, config->door_count,
               config->door_count == 1 ? "" : "s");
    notify_send("READY=1\nSTATUS=Listening");
    requests_reloaded(d->requests, NULL, d->reload_note);
}

/* --- from STARTING to SERVING --- */

static void become_ready(struct daemon *d)
{
    const struct config *config = d->current->config;
    d->phase = PHASE_SERVING;
    log_notice("ready: %u door%s, %u source%s, sandbox %s", config->door_count,
               config->door_count == 1 ? "" : "s", config->source_count,
               config->source_count == 1 ? "" : "s", filter_profile());
    notify_send("READY=1\nSTATUS=Listening");
    /* After init_command, which may restore a firewall that was saved. */
    strays_log(d->doors, config, d->current->plans);
    if (d->parent >= 0) {
        log_open("knockd", config->facility, false, log_debugging());
        daemonize_ready(d->parent);
        d->parent = -1;
    }
    if (d->reload_wanted)
        reload(d);
}

static void on_ready(void *arg, struct generation *g, bool again)
{
    struct daemon *d = arg;
    one_time_warn(&g->once, g->config, d->store);
    if (again)
        log_notice("listening again");
    else if (g == d->next)
        take_over(d);
    else
        become_ready(d);
}

static void on_failed(void *arg, struct generation *g)
{
    struct daemon *d = arg;
    if (g == d->next)
        give_up_reload(d);
    else
        fail(d);
}

static bool start_generation(struct daemon *d, struct generation *g)
{
    struct generation_calls calls = {.loop = d->loop,
                                     .listeners = &d->listeners,
                                     .ready = on_ready,
                                     .failed = on_failed,
                                     .event = on_event,
                                     .answer = on_answer,
                                     .arg = d,
                                     .authorize = {.store = d->store,
                                                   .doors = d->doors,
                                                   .refused = d->refused,
                                                   .refusals = d->refusals,
                                                   .copies = d->copies,
                                                   .limits = &d->authorize_limits}};
    return generation_start(g, g == d->next ? d->current : NULL, &calls);
}

/* --- STOPPING --- */

static void on_exit_done(void *arg, bool success)
{
    struct daemon *d = arg;
    d->status |= !success;
    loop_stop(d->loop);
}

static void on_all_closed(void *arg)
{
    struct daemon *d = arg;
    const struct commands *commands = &d->current->exit;
    /* init_command first has to end; on_init_done comes back here. */
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
    fail(d);
}

static void stop(struct daemon *d, int number)
{
    int64_t time = d->current->config->stop_timeout;
    log_notice("stopping on SIG%s: closing %u open door%s", sigabbrev_np(number),
               doors_count(d->doors), doors_count(d->doors) == 1 ? "" : "s");
    notify_send("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", (long long)(time / 1000 + 5000000));
    d->phase = PHASE_STOPPING;
    generation_free(d->next);
    d->next = NULL;
    generation_stop(d->current);
    loop_timer_set(d->loop, &d->deadline, clock_now() + time);
    doors_close_all(d->doors, on_all_closed, d);
}

/* --- FAILED --- */

static void on_failed_closed(void *arg)
{
    (void)arg;
}

/* Nothing opens any more, but what an earlier run opened is closed when it is due. */
static void close_failed(struct daemon *d)
{
    d->phase = PHASE_FAILED;
    d->status = 1;
    generation_stop(d->current);
    if (!d->doors)
        return;
    doors_open_no_more(d->doors);
    close_wait(d->loop, d->doors, d->current->config->stop_timeout);
}

/* --- signals, and what is looked after --- */

static void on_signal(void *arg, int number)
{
    struct daemon *d = arg;
    if (number == SIGHUP && d->phase == PHASE_SERVING)
        reload(d);
    else if (number == SIGHUP)
        d->reload_wanted = d->phase == PHASE_STARTING;
    else if (d->phase == PHASE_FAILED)
        /* close_wait ends as soon as no opening is left to be closed. */
        doors_close_all(d->doors, on_failed_closed, NULL);
    else if (d->phase != PHASE_STOPPING)
        stop(d, number);
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
    struct listener_process *listener = d->current->listener;
    if (d->watchdog_interval > 0 && (!listener || listener_process_answers(listener)))
        notify_send("WATCHDOG=1");
    if (listener)
        listener_process_ping(listener);
    /* After a while without space, say, for which nobody may knock again. */
    one_time_record(&d->current->once, d->current->config, d->store);
    int64_t pause = d->watchdog_interval > 0 ? d->watchdog_interval : pulse_pause;
    loop_timer_set(d->loop, &d->pulse, clock_now() + pause);
}

/* Makes the state folder and its locks again where they are gone. `why` is of what it found last.
 */
static enum state_dir_found mend_state_dir(struct daemon *d, char *why, size_t why_size)
{
    enum state_dir_found found = STATE_DIR_MENDED;
    for (int i = 0; i < 4 && found == STATE_DIR_MENDED; i++) {
        found = state_dir_check(d->dir, why, why_size);
        runner_set_lock(d->runner, d->dir->commands);
        bool broken = found == STATE_DIR_BROKEN || found == STATE_DIR_ANOTHERS;
        if (found == STATE_DIR_MENDED || (broken && !d->dir_broken))
            log_error("%s", why);
        d->dir_broken = broken;
    }
    return found;
}

/* Whether the store may be made again at its path: not in a folder that is another knockd's. */
static bool may_replace_store(void *arg, char *why, size_t why_size)
{
    return mend_state_dir(arg, why, why_size) != STATE_DIR_ANOTHERS;
}

/* Files of ours may be gone. They are made again before a second start, or knockctl, misses them.
 * Whether all is well then. */
static bool on_files_changed(void *arg)
{
    struct daemon *d = arg;
    char why[1024];
    mend_state_dir(d, why, sizeof(why));
    state_dir_keep_note(d->dir, d->path);
    /* The control socket lies beside it by default, and both may have been removed. */
    generation_make_root(why, sizeof(why));
    requests_check_socket(d->requests);
    return !d->dir_broken;
}

/* --- what the requests of knockctl may use --- */

static struct requests_state get_state(void *arg)
{
    static const char *const phases[] = {[PHASE_STARTING] = "starting",
                                         [PHASE_SERVING] = "serving",
                                         [PHASE_STOPPING] = "stopping",
                                         [PHASE_FAILED] = "failed"};
    const struct daemon *d = arg;
    const struct generation *g = d->current;
    return (struct requests_state){
        .phase = phases[d->phase],
        .serving = d->phase == PHASE_SERVING,
        .config = g->config,
        .plans = g->plans,
        .keyring = g->keyring,
        .generation = d->listeners,
        .listener = g->listener ? listener_process_pid(g->listener) : 0,
        .listening_since = g->started,
        .messages_dropped = d->messages.dropped + authorize_messages_dropped(&d->authorize_limits) +
                            doors_messages_dropped(d->doors)};
}

static const char *reload_by_request(void *arg)
{
    struct daemon *d = arg;
    if (d->phase == PHASE_STARTING)
        return "knockd is starting: try again when it is ready";
    if (d->phase != PHASE_SERVING)
        return "knockd is stopping";
    reload(d);
    return NULL;
}

static bool ask_listener(void *arg, uint32_t query, const struct addr *address)
{
    struct listener_process *listener = ((struct daemon *)arg)->current->listener;
    if (!listener || !listener_process_may_ask(listener))
        return false;
    listener_process_query(listener, query, address);
    return true;
}

static bool listener_owes_since(void *arg, int64_t then)
{
    const struct listener_process *listener = ((struct daemon *)arg)->current->listener;
    return listener && listener_process_owes_since(listener, then);
}

static struct requests *open_requests(struct daemon *d)
{
    struct requests_services services = {.loop = d->loop,
                                         .doors = d->doors,
                                         .store = d->store,
                                         .authorize_limits = &d->authorize_limits,
                                         .refusals = d->refusals,
                                         .copies = d->copies,
                                         .config_path = d->path,
                                         .state = get_state,
                                         .reload = reload_by_request,
                                         .ask = ask_listener,
                                         .owes_since = listener_owes_since,
                                         .arg = d};
    return requests_open(&services);
}

/* --- STARTING --- */

static int make_parts(struct daemon *d, const struct config *config)
{
    d->loop = loop_new();
    if (!d->loop)
        return -1;
    d->runner = runner_new(d->loop, config->run_timeout, d->dir->commands);
    if (!d->runner)
        return -1;
    runner_set_batch(d->runner, config->batch);
    runner_set_deleter(d->runner, "/proc/self/exe");
    d->doors = doors_new(d->loop, d->runner, d->store);
    if (!d->doors || loop_timer_register(d->loop, &d->pulse, on_pulse, d) < 0 ||
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
    /* A folder in which there never was a store has none to miss. */
    state_dir_keep_note(d->dir, d->path);
    uint8_t key[CRYPTO_KEY_SIZE];
    crypto_random(key, sizeof(key));
    d->refused = refused_new();
    d->refusals = refusal_log_new(key);
    d->copies = copies_new(key);
    if (!d->refused || !d->refusals || !d->copies || make_parts(d, config) < 0) {
        log_error("can't start: %s", strerror(errno));
        return -1;
    }
    store_ask_before_replacing(d->store, may_replace_store, d);
    in_force_start(d->current->keyring, d->store, d->refused, sealed_now(config));
    doors_set_max(d->doors, config->max_open);
    d->requests = open_requests(d);
    if (!d->requests)
        return -1;
    d->control = strdup(config->control);
    d->own_files = own_files_watch(d->loop, d->dir->path, config->control, on_files_changed, d);
    if (!d->own_files || !d->control)
        return -1;
    d->watchdog_interval = notify_watchdog();
    on_pulse(d);
    if (doors_resume(d->doors) < 0)
        return -1;
    doors_follow(d->doors, config, d->current->plans);
    return 0;
}

static void on_init_done(void *arg, bool success)
{
    struct daemon *d = arg;
    if (d->phase != PHASE_STARTING) {
        if (doors_count(d->doors) == 0)
            on_all_closed(d);
        return;
    }
    if (!success)
        log_error("not started, since init_command failed");
    if (!success || !start_generation(d, d->current))
        fail(d);
}

/* Nothing is listened to before init_command is done. */
static bool start(struct daemon *d)
{
    const struct commands *commands = &d->current->init;
    if (commands->count == 0)
        return start_generation(d, d->current);
    run_hook(d, commands, "init_command", JOB_DO, on_init_done);
    return true;
}

/* --- from beginning to end --- */

static void tear_down(struct daemon *d)
{
    own_files_free(d->own_files);
    requests_close(d->requests);
    generation_free(d->next);
    if (d->doors)
        one_time_record(&d->current->once, d->current->config, d->store);
    generation_free(d->current);
    doors_free(d->doors);
    /* A store that is made again at its path takes the locks of the state folder again, for the
     * runner. */
    if (d->doors)
        in_force_end(d->store, d->refused);
    runner_free(d->runner);
    refused_free(d->refused);
    refusal_log_free(d->refusals);
    copies_free(d->copies);
    store_close(d->store);
    signals_free(d->signals);
    loop_free(d->loop);
    free(d->control);
    /* While its lock is held: a moment later it may be another's. */
    state_dir_unclaim(d->path);
    state_dir_release(d->dir);
}

int daemon_run(struct generation *generation, struct state_dir *dir, const struct options *options,
               int parent)
{
    int64_t now = clock_now();
    struct daemon d = {.path = options->config,
                       .parent = parent,
                       .dir = dir,
                       .current = generation,
                       .authorize_limits = authorize_limits_make(now),
                       .messages = limit_make(LOGGED_EVENT_RATE, LOGGED_EVENT_BURST, now)};
    if (set_up(&d, generation->config) == 0 && start(&d))
        loop_run(d.loop);
    if (d.phase == PHASE_STARTING)
        close_failed(&d);
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
    return d.status ? EX_TEMPFAIL : 0;
}
