/* Doors with commands that leave a trace, for the tests of keeper/doors.h. */
#ifndef TEST_DOORS_HELP_H
#define TEST_DOORS_HELP_H

#include "keeper_help.h"

#include "keeper/doors.h"

/* What a command does between its "(" and its ")". */
#define AT_ONCE  ":"
#define FAILS    "false"
#define TILL_GO  "until [ -e go ]; do sleep 0.02; done"
#define NEEDS_OK "[ -e ok ]"

struct doors_world {
    struct bench bench;
    struct runner *runner;
    struct doors *doors;
    char name[8];
    struct config_door door;
    struct plan plan;
    int closed;         /* calls of done() of doors_close_all */
    const char *wanted; /* what is waited for */
};

static inline void list_free(struct plan_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        free(list->items[i].program);
        free(list->items[i].template);
    }
    free(list->items);
    *list = (struct plan_list){0};
}

/* Appends a command that writes "(", its letter, and when `body` is over ")" to the file "out". */
static inline void add(struct doors_world *w, struct plan_list *list, char letter, const char *body)
{
    struct plan_command command = {.program = strdup("/bin/sh")};
    assert_true(asprintf(&command.template,
                         "sh -c \"cd %s; printf '(%c' >>out; %s; rc=$?; printf ')' >>out; "
                         "exit $rc\"",
                         w->bench.dir, letter, body) > 0);
    list->items = realloc(list->items, (list->count + 1) * sizeof(*list->items));
    assert_non_null(list->items);
    list->items[list->count++] = command;
}

/* The commands of the door from here on; NULL: none. */
static inline void set_commands(struct doors_world *w, const char *letters, const char *start,
                                const char *stop, const char *extend)
{
    list_free(&w->plan.start);
    list_free(&w->plan.stop);
    list_free(&w->plan.extend);
    w->plan.usable = true;
    add(w, &w->plan.start, letters[0], start);
    if (stop)
        add(w, &w->plan.stop, letters[1], stop);
    if (extend)
        add(w, &w->plan.extend, letters[2], extend);
}

/* A door that stays open for `length` ns; commands "s" to start, "t" to stop, "e" to extend. */
static inline void make_world(struct doors_world *w, int64_t length, const char *start,
                              const char *stop, const char *extend)
{
    memset(w, 0, sizeof(*w));
    bench_make(&w->bench);
    w->runner = runner_new(w->bench.loop, 2 * PATIENCE, -1);
    assert_non_null(w->runner);
    w->doors = doors_new(w->bench.loop, w->runner, NULL);
    assert_non_null(w->doors);
    strcpy(w->name, "ssh");
    w->door = (struct config_door){.name = w->name, .cmd_timeout = length, .stop_ok = {1}};
    set_commands(w, "ste", start, stop, extend);
}

static inline void end_world(struct doors_world *w)
{
    static const char *const made[] = {"out", "go", "ok", NULL};
    doors_free(w->doors);
    runner_free(w->runner);
    list_free(&w->plan.start);
    list_free(&w->plan.stop);
    list_free(&w->plan.extend);
    bench_end(&w->bench, made);
}

static inline void knock_as(struct doors_world *w, const struct addr *address)
{
    struct knock knock = knock_plain(&w->door, &w->plan, address, "sequence");
    doors_knock(w->doors, &knock);
}

static inline void knock_from(struct doors_world *w, const char *address)
{
    struct addr a = address_of(address);
    knock_as(w, &a);
}

static inline void knock(struct doors_world *w)
{
    knock_from(w, "192.0.2.1");
}

static inline bool out_is_wanted(void *arg)
{
    const struct doors_world *w = arg;
    char text[4096];
    return strcmp(bench_read(&w->bench, "out", text, sizeof(text)), w->wanted) == 0;
}

/* Waits until the commands have left exactly this trace. */
static inline void wait_out(struct doors_world *w, const char *trace)
{
    char text[4096];
    w->wanted = trace;
    if (bench_within(&w->bench, PATIENCE, out_is_wanted, w))
        return;
    bench_speak(&w->bench);
    fail_msg("waited for %s in vain, there is %s", trace,
             bench_read(&w->bench, "out", text, sizeof(text)));
}

static inline bool log_has_wanted(void *arg)
{
    const struct doors_world *w = arg;
    return bench_count(&w->bench, "log", w->wanted) > 0;
}

/* Waits until the log says `part`. */
static inline void wait_log(struct doors_world *w, const char *part)
{
    w->wanted = part;
    bench_until(&w->bench, log_has_wanted, w);
}

static inline bool all_gone(void *arg)
{
    const struct doors_world *w = arg;
    return doors_count(w->doors) == 0;
}

/* Waits until nothing is open, and compares the whole trace. */
static inline void wait_gone(struct doors_world *w, const char *trace)
{
    char text[4096];
    bench_until(&w->bench, all_gone, w);
    assert_string_equal(bench_read(&w->bench, "out", text, sizeof(text)), trace);
}

static inline bool never(void *arg)
{
    (void)arg;
    return false;
}

/* Serves the loop for `ns`, to see that something does not happen. */
static inline void serve(struct doors_world *w, int64_t ns)
{
    bench_within(&w->bench, ns, never, NULL);
}

static inline void on_closed(void *arg)
{
    struct doors_world *w = arg;
    w->closed++;
}

static inline bool is_closed(void *arg)
{
    return ((struct doors_world *)arg)->closed > 0;
}

#endif
