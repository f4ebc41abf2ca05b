/* Many commands at a time: how many run, which come first, and what can still be taken back. */
#include "keeper_help.h"

#include "keeper/runner.h"

enum { TASKS_MAX = 40 };

/* Each task writes its letter to "out" when it starts, then waits for the file "go". */
struct task {
    struct job job;
    struct commands commands;
    struct command item;
    struct runner *runner;
    int done;
};

struct slots_world {
    struct bench bench;
    struct runner *runner;
    struct task tasks[TASKS_MAX];
    unsigned count;
    unsigned wanted; /* letters in "out" to wait for */
};

static void make_world(struct slots_world *w)
{
    memset(w, 0, sizeof(*w));
    bench_make(&w->bench);
    w->runner = runner_new(w->bench.loop, 2 * PATIENCE, -1);
    assert_non_null(w->runner);
}

static void end_world(struct slots_world *w)
{
    static const char *const made[] = {"out", "go", NULL};
    runner_free(w->runner);
    for (unsigned i = 0; i < w->count; i++)
        free(w->tasks[i].item.text);
    bench_end(&w->bench, made);
}

static void on_done(void *arg, bool success)
{
    struct task *task = arg;
    assert_true(success);
    task->done++;
}

static struct task *prepare(struct slots_world *w, enum job_kind kind, char letter)
{
    assert_true(w->count < TASKS_MAX);
    struct task *task = &w->tasks[w->count++];
    task->commands = (struct commands){.count = 1, .items = &task->item};
    command_make(&task->item, "printf %c >>%s/out; until [ -e %s/go ]; do sleep 0.02; done", letter,
                 w->bench.dir, w->bench.dir);
    task->job = (struct job){.kind = kind,
                             .commands = &task->commands,
                             .ok = runner_ok_zero,
                             .label = "test",
                             .done = on_done,
                             .arg = task};
    return task;
}

static struct task *submit(struct slots_world *w, enum job_kind kind, char letter)
{
    struct task *task = prepare(w, kind, letter);
    runner_submit(w->runner, &task->job);
    return task;
}

static struct task *submit_of(struct slots_world *w, const char *group, enum job_kind kind,
                              char letter)
{
    struct task *task = prepare(w, kind, letter);
    task->job.group = group;
    runner_submit(w->runner, &task->job);
    return task;
}

/* The letters so far, those of one kind being alike, so that their order doesn't matter. */
static const char *out(const struct slots_world *w)
{
    static char text[64];
    return bench_read(&w->bench, "out", text, sizeof(text));
}

static bool have_started(void *arg)
{
    const struct slots_world *w = arg;
    return strlen(out(w)) >= w->wanted;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static bool all_done(void *arg)
{
    const struct slots_world *w = arg;
    for (unsigned i = 0; i < w->count; i++)
        if (!w->tasks[i].done)
            return false;
    return true;
}

/* Waits for `count` starts, then a little for those that mustn't come. */
static void assert_started(struct slots_world *w, const char *letters)
{
    w->wanted = (unsigned)strlen(letters);
    bench_until(&w->bench, have_started, w);
    bench_within(&w->bench, 60 * MS, never, NULL);
    assert_string_equal(out(w), letters);
}

static void assert_all_done_once(struct slots_world *w)
{
    bench_until(&w->bench, all_done, w);
    for (unsigned i = 0; i < w->count; i++)
        assert_int_equal(w->tasks[i].done, 1);
}

static void two_places_are_kept_for_undos(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    for (int i = 0; i < 10; i++)
        submit(&w, JOB_DO, 'd');
    assert_started(&w, "dddddd");
    for (int i = 0; i < 3; i++)
        submit(&w, JOB_UNDO, 'u');
    assert_started(&w, "dddddduu");
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    assert_int_equal(strlen(out(&w)), 13);
    end_world(&w);
}

static void eight_run_at_a_time(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    for (int i = 0; i < 12; i++)
        submit(&w, JOB_UNDO, 'u');
    for (int i = 0; i < 3; i++)
        submit(&w, JOB_DO, 'd');
    assert_started(&w, "uuuuuuuu");
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    assert_int_equal(strlen(out(&w)), 15);
    end_world(&w);
}

/* Those that wait go in the order in which they came; an undo goes before all that open. */
static void undos_go_first(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    for (int i = 0; i < 8; i++)
        submit(&w, JOB_UNDO, 'x');
    assert_started(&w, "xxxxxxxx");
    for (int i = 0; i < 3; i++)
        submit(&w, JOB_DO, 'd');
    for (int i = 0; i < 3; i++)
        submit(&w, JOB_UNDO, 'u');
    w.wanted = 14;
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    /* They start at nearly the same time, so the log, written at each start, is the witness. */
    char text[1 << 14], order[32] = "";
    bench_read(&w.bench, "log", text, sizeof(text));
    for (const char *p = text; (p = strstr(p, "running /bin/sh -c printf ")); p++)
        strncat(order, p + strlen("running /bin/sh -c printf "), 1);
    assert_string_equal(order, "xxxxxxxxuuuddd");
    end_world(&w);
}

static void what_waits_can_be_taken_back(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    for (int i = 0; i < 6; i++)
        submit(&w, JOB_DO, 'd');
    struct task *waits[4];
    static const char letters[] = "abcz";
    for (int i = 0; i < 4; i++)
        waits[i] = submit(&w, JOB_DO, letters[i]);
    assert_started(&w, "dddddd");
    assert_false(runner_withdraw(w.runner, &w.tasks[0].job));
    /* The middle, the last, then one behind it, so that the queue's end must be right. */
    assert_true(runner_withdraw(w.runner, &waits[1]->job));
    assert_true(runner_withdraw(w.runner, &waits[3]->job));
    assert_false(runner_withdraw(w.runner, &waits[3]->job));
    waits[1]->done = waits[3]->done = 1;
    submit(&w, JOB_DO, 'e');
    assert_true(runner_withdraw(w.runner, &waits[0]->job));
    waits[0]->done = 1;
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    const char *got = out(&w);
    assert_int_equal(strlen(got), 8);
    assert_true(strcmp(got, "ddddddce") == 0 || strcmp(got, "ddddddec") == 0);
    end_world(&w);
}

/* Nothing was started yet, not even by the loop: all can be taken back, and the queue is good. */
static void all_can_be_taken_back(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    struct task *a = submit(&w, JOB_DO, 'a'), *b = submit(&w, JOB_DO, 'b');
    assert_true(runner_withdraw(w.runner, &a->job));
    assert_true(runner_withdraw(w.runner, &b->job));
    a->done = b->done = 1;
    submit(&w, JOB_DO, 'c');
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    assert_string_equal(out(&w), "c");
    end_world(&w);
}

/* From done() the same job may be submitted again. */
static void on_done_again(void *arg, bool success)
{
    struct task *task = arg;
    assert_true(success);
    if (++task->done < 5)
        runner_submit(task->runner, &task->job);
}

static bool is_done_five_times(void *arg)
{
    return ((struct task *)arg)->done == 5;
}

static void a_job_can_be_submitted_again(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    bench_write(&w.bench, "go", "");
    struct task *task = submit(&w, JOB_DO, 'a');
    task->job.done = on_done_again;
    task->runner = w.runner;
    bench_until(&w.bench, is_done_five_times, task);
    assert_string_equal(out(&w), "aaaaa");
    end_world(&w);
}

/* Freed while commands run: they are killed, and nobody is told. */
static void freeing_kills_what_runs(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    int before = open_count();
    for (int i = 0; i < 12; i++)
        submit(&w, JOB_DO, 'd');
    assert_started(&w, "dddddd");
    runner_free(w.runner);
    assert_int_equal(open_count(), before);
    for (unsigned i = 0; i < w.count; i++)
        assert_int_equal(w.tasks[i].done, 0);
    w.runner = NULL;
    end_world(&w);
}

static bool is_done_once(void *arg)
{
    return ((struct task *)arg)->done == 1;
}

/* Its undo ends by itself once. */
static void prove(struct slots_world *w, const char *group)
{
    bench_write(&w->bench, "go", "");
    bench_until(&w->bench, is_done_once, submit_of(w, group, JOB_UNDO, 'p'));
    bench_remove(&w->bench, "go");
    bench_remove(&w->bench, "out");
}

static void on_killed(void *arg, bool success)
{
    struct task *task = arg;
    assert_false(success);
    assert_true(task->job.hung);
    task->done++;
    runner_set_limit(task->runner, 2 * PATIENCE);
}

/* Its undo hangs once. */
static void hang(struct slots_world *w, const char *group)
{
    runner_set_limit(w->runner, 50 * MS);
    struct task *task = submit_of(w, group, JOB_UNDO, 'h');
    task->job.done = on_killed;
    task->runner = w->runner;
    bench_until(&w->bench, is_done_once, task);
    bench_remove(&w->bench, "out");
}

static void untried_groups_leave_places(void **state)
{
    (void)state;
    static const char *const groups[] = {"a", "b", "c", "d", "e", "f"};
    struct slots_world w;
    make_world(&w);
    prove(&w, "good");
    for (int i = 0; i < 12; i++)
        submit_of(&w, groups[i / 2], JOB_UNDO, 'u');
    assert_started(&w, "uuuu");
    for (int i = 0; i < 6; i++)
        submit(&w, JOB_DO, 'd');
    assert_started(&w, "uuuuddd");
    submit_of(&w, "good", JOB_UNDO, 'g');
    assert_started(&w, "uuuudddg");
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    end_world(&w);
}

static void what_hung_leaves_places(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    hang(&w, "bad");
    for (int i = 0; i < 6; i++)
        submit_of(&w, "bad", JOB_UNDO, 's');
    assert_started(&w, "ss");
    for (int i = 0; i < 6; i++)
        submit(&w, JOB_DO, 'd');
    assert_started(&w, "ssdddd");
    submit_of(&w, "new", JOB_UNDO, 'n');
    assert_started(&w, "ssddddn");
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    end_world(&w);
}

/* Groups that ended before and hang now, all at once: the first three leave a place. */
static void a_group_takes_no_more_than_it_leaves(void **state)
{
    (void)state;
    static const char *const groups[] = {"a", "b", "c", "d"};
    struct slots_world w;
    make_world(&w);
    for (int i = 0; i < 4; i++)
        prove(&w, groups[i]);
    static const char *const started[] = {"aaaa", "aaaabb", "aaaabbc", "aaaabbcd"};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 5; j++)
            submit_of(&w, groups[i], JOB_UNDO, (char)('a' + i));
        assert_started(&w, started[i]);
    }
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    end_world(&w);
}

/* Those of one group came first; one of the other is second all the same, and then it is tried. */
static void slow_groups_take_turns(void **state)
{
    (void)state;
    struct slots_world w;
    make_world(&w);
    hang(&w, "a");
    hang(&w, "b");
    for (int i = 0; i < 5; i++)
        submit_of(&w, "a", JOB_UNDO, 'x');
    submit_of(&w, "b", JOB_UNDO, 'y');
    w.wanted = 2;
    bench_until(&w.bench, have_started, &w);
    bench_within(&w.bench, 60 * MS, never, NULL);
    assert_int_equal(strlen(out(&w)), 2);
    assert_non_null(strchr(out(&w), 'y'));
    bench_write(&w.bench, "go", "");
    assert_all_done_once(&w);
    assert_int_equal(strlen(out(&w)), 6);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_places_are_kept_for_undos),
        cmocka_unit_test(eight_run_at_a_time),
        cmocka_unit_test(undos_go_first),
        cmocka_unit_test(what_waits_can_be_taken_back),
        cmocka_unit_test(all_can_be_taken_back),
        cmocka_unit_test(a_job_can_be_submitted_again),
        cmocka_unit_test(untried_groups_leave_places),
        cmocka_unit_test(what_hung_leaves_places),
        cmocka_unit_test(a_group_takes_no_more_than_it_leaves),
        cmocka_unit_test(slow_groups_take_turns),
        cmocka_unit_test(freeing_kills_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
