/*
 * From a state folder to closed doors: locks it, waits for commands of an earlier run, takes up
 * what is on record, closes what is due (or all), waits for that, and logs what stays open.
 */
#include "knockd/close_all.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knockd/notify.h"
#include "knockd/signals.h"
#include "knockd/state_store.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "lib/log.h"

/* No knock is read meanwhile, and a keeper has tried before: enough for a lock that is held. The
 * unit then starts the daemon, which goes on trying. */
static const int64_t time_limit = 15 * CLOCK_SECOND;
/* What a command may take, by default. */
static const int64_t run_limit = 10 * CLOCK_SECOND;
static const int64_t look_again = CLOCK_SECOND / 20;

enum scope { SCOPE_DUE, SCOPE_ALL };

/* --- waiting --- */

struct wait {
    struct loop *loop;
    const struct doors *doors;
    struct timer look;
    struct timer limit;
};

static void on_look(void *arg)
{
    struct wait *wait = arg;
    if (doors_due(wait->doors) == 0)
        loop_stop(wait->loop);
    else
        loop_timer_set(wait->loop, &wait->look, clock_now() + look_again);
}

static void on_limit(void *arg)
{
    loop_stop(((struct wait *)arg)->loop);
}

void close_wait(struct loop *loop, struct doors *doors, int64_t limit)
{
    struct wait wait = {.loop = loop, .doors = doors};
    int rc = loop_timer_register(loop, &wait.look, on_look, &wait);
    if (rc == 0 && loop_timer_register(loop, &wait.limit, on_limit, &wait) == 0) {
        notify_send("STATUS=Closing doors\nEXTEND_TIMEOUT_USEC=%lld",
                    (long long)(limit / 1000 + 5000000));
        loop_timer_set(loop, &wait.look, clock_now());
        loop_timer_set(loop, &wait.limit, clock_now() + limit);
        loop_run(loop);
        loop_timer_unregister(loop, &wait.limit);
    }
    if (rc == 0)
        loop_timer_unregister(loop, &wait.look);
    doors_log_left(doors);
    doors_log_kept(doors);
}

/* --- one state folder --- */

struct closer {
    enum scope scope;
    struct state_dir dir;
    char copy[STATE_STORE_COPY_SIZE];
    struct store *store;
    struct loop *loop;
    struct runner *runner;
    struct doors *doors;
    struct signals *signals;
    unsigned found; /* openings on record */
};

static void on_signal(void *arg, int number)
{
    const struct closer *closer = arg;
    if (number != SIGHUP)
        loop_stop(closer->loop);
}

/* close_wait finds that out by itself. */
static void on_all_closed(void *arg)
{
    (void)arg;
}

static bool make_parts(struct closer *c)
{
    c->loop = loop_new();
    c->runner = c->loop ? runner_new(c->loop, run_limit, c->dir.commands) : NULL;
    if (c->runner)
        runner_set_deleter(c->runner, "/proc/self/exe");
    c->doors = c->runner ? doors_new(c->loop, c->runner, c->store) : NULL;
    c->signals = c->doors ? signals_watch(c->loop, on_signal, c) : NULL;
    if (!c->signals)
        log_error("can't close doors: %s", strerror(errno));
    return c->signals != NULL;
}

static void free_parts(struct closer *c)
{
    if (c->runner)
        runner_free(c->runner);
    doors_free(c->doors);
    store_close(c->store);
    state_store_remove_copy(c->copy);
    signals_free(c->signals);
    loop_free(c->loop);
    state_dir_release(&c->dir);
}

/* Closes what is on record. True: nothing is left that should be closed. */
static bool close_openings(struct closer *c, int64_t limit)
{
    int unknown = doors_resume(c->doors);
    c->found = doors_count(c->doors);
    if (c->scope == SCOPE_ALL)
        doors_close_left(c->doors, on_all_closed, NULL);
    else
        doors_open_no_more(c->doors);
    close_wait(c->loop, c->doors, limit);
    return unknown == 0 && doors_due(c->doors) == 0;
}

static bool has_file(const char *state_dir, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", state_dir, name);
    return access(path, F_OK) == 0;
}

/* Returns whether that is fine: a folder that another knockd serves is left to it, unless we were
 * asked to close all. */
static bool log_untaken(enum scope scope, enum state_dir_taken taken, const char *why)
{
    if (taken == STATE_DIR_REFUSED)
        log_error("what was left open can't be closed: %s", why);
    else if (scope == SCOPE_ALL)
        log_error("%s; it closes its doors itself: use knockctl close, or end it", why);
    return taken == STATE_DIR_BUSY && scope == SCOPE_DUE;
}

/* Closes what the folder's store has on record, and sets *found to how much that was. True: nothing
 * is left that should be closed. */
static bool close_in(const char *state_dir, enum scope scope, unsigned *found)
{
    char why[640];
    struct closer c = {.scope = scope};
    int64_t begin = clock_now();
    if (!has_file(state_dir, "state.db"))
        return true;
    enum state_dir_taken taken = state_dir_take(&c.dir, state_dir, why, sizeof(why));
    if (taken != STATE_DIR_TAKEN)
        return log_untaken(scope, taken, why);
    c.store = state_store_open_record(&c.dir, run_limit, c.copy);
    bool good = c.store && make_parts(&c) && close_openings(&c, time_limit - (clock_now() - begin));
    *found = c.found;
    free_parts(&c);
    return good;
}

/* --- which folder --- */

/* The folders that a configuration may have its state in: the one that its file names now, and the
 * one that was noted when it was last in use. "": none. */
struct folders {
    char named[PATH_MAX];
    char noted[PATH_MAX];
};

/* `by_default`: without either, the folder is the one that a configuration has by default. */
static struct folders find_folders(const char *config, bool by_default)
{
    struct folders folders;
    if (!config_find_state_dir(config, folders.named, sizeof(folders.named)))
        folders.named[0] = '\0';
    if (!state_dir_noted(config, folders.noted, sizeof(folders.noted)))
        folders.noted[0] = '\0';
    if (by_default && !folders.named[0] && !folders.noted[0])
        snprintf(folders.named, sizeof(folders.named), "%s", CONFIG_STATE_DIR);
    return folders;
}

void close_due(const char *config)
{
    unsigned found;
    struct folders folders = find_folders(config, strcmp(config, DEFAULT_CONFIG) == 0);
    if (folders.named[0])
        close_in(folders.named, SCOPE_DUE, &found);
    if (folders.noted[0] && strcmp(folders.named, folders.noted) != 0)
        close_in(folders.noted, SCOPE_DUE, &found);
}

/* Closes all and logs what came of it; each stop of the unit calls it, so where nothing was open it
 * only says so to those who debug. `used`: a run that had its state there didn't end in order. */
static bool close_and_log(const char *state_dir, bool used)
{
    unsigned found = 0;
    if (!has_file(state_dir, "state.db") && (used || has_file(state_dir, "state.mark"))) {
        state_store_log_gone(state_dir);
        return false;
    }
    bool good = close_in(state_dir, SCOPE_ALL, &found);
    if (good && found == 0)
        log_debug("nothing is on record as open in %s", state_dir);
    else if (good)
        log_notice("all is closed that was on record in %s", state_dir);
    return good;
}

void close_before(const char *config, const char *state_dir)
{
    char noted[PATH_MAX];
    if (!state_dir_noted(config, noted, sizeof(noted)))
        return;
    bool same = strcmp(noted, state_dir) == 0;
    /* With the mark, the store's opening finds that it is gone, and logs it. */
    if (same && !has_file(state_dir, "state.db") && !has_file(state_dir, "state.mark"))
        state_store_log_gone(state_dir);
    if (same)
        return;
    log_warning("the run before had its state in %s, not in %s: closing what it left open", noted,
                state_dir);
    close_and_log(noted, true);
}

/* The folder that --state-dir names: one that isn't there is a mistake in its name. */
static bool close_named(const char *state_dir)
{
    struct stat st;
    bool there = stat(state_dir, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return close_and_log(state_dir, false);
    log_error("there is no state folder %s: %s; expected the state_dir of an earlier run",
              state_dir, there ? "it is not a folder" : strerror(errno));
    return false;
}

int close_all_run(const struct options *options)
{
    if (options->state_dir)
        return close_named(options->state_dir) ? 0 : 1;
    struct folders folders = find_folders(options->config, !options->config_given);
    if (!folders.named[0] && !folders.noted[0]) {
        log_error("%s can't be read, so its state folder isn't known: name it by --state-dir",
                  options->config);
        return 1;
    }
    bool same = strcmp(folders.named, folders.noted) == 0;
    bool good = !folders.named[0] || close_and_log(folders.named, same);
    if (folders.noted[0] && !same)
        good &= close_and_log(folders.noted, true);
    if (good)
        state_dir_forget(options->config);
    return good ? 0 : 1;
}
