/* Commands that wait are run together: how a batch ends decides what each of its commands did, as
 * if it had been alone. By a program that stands for iptables and iptables-restore. */
#include "keeper_help.h"

#include "keeper/runner.h"

/* Enough for batches beyond their first size. */
enum { TASKS_MAX = 8192 };

struct batch_world;

/* One command, "-D x --comment NAME" or "-I x --comment NAME". */
struct task {
    struct batch_world *world;
    struct job job;
    struct commands commands;
    struct command item;
    int done;
    bool success;
};

struct batch_world {
    struct bench bench;
    struct runner *runner;
    char program[128];
    struct task *tasks;
    unsigned count, wanted;
    bool reversed; /* the first was opened last */
    bool checks;   /* the commands are checks from here on */
};

/*
 * Writes one line a call to "out": what is done, by its names. A name that begins with "bad" fails
 * with status 1, and with it a whole batch, "odd" likewise with 2; "brief", "slow" and "long" take
 * their time, "lock" is locked out after a second, as is the whole batch; "hang" never ends; "kill"
 * kills the process. "late" does its work before it hangs. While there is a file "hold", nothing
 * begins. Where there is a file "rules", what is inserted stands there, one a line, and what
 * deletes or looks for one alone that isn't there fails; such a look is written with "?".
 */
static const char script[] =
    "#!/bin/sh\n"
    "cd \"${0%/*}\"\n"
    "until [ ! -e hold ]; do sleep 0.01; done\n"
    "case $0 in\n"
    "*-restore) all=$(cat); echo \"$all\" | tail -n 1 | grep -qx COMMIT || exit 9\n"
    "    names=$(echo \"$all\" | sed -n 's/.*--comment \\([^ ]*\\).*/\\1/p')\n"
    "    action=$(echo \"$all\" | sed -n '2s/ .*//p') ;;\n"
    "*) action=$3; while [ \"$1\" != --comment ]; do shift; done; names=$2 ;;\n"
    "esac\n"
    "set -- $names; mark=; [ ! -e rules ] || [ $action != -C ] || mark='?'\n"
    "echo \"$mark$*\" >>out\n"
    "for name; do case $mark$name in\n"
    "bad*) exit 1 ;; odd*) exit 2 ;; lock*) sleep 1; exit 4 ;;\n"
    "brief*) sleep 0.3 ;; slow*) sleep 0.6 ;; long*) sleep 2.1 ;;\n"
    "hang*|\\?hang*) sleep 1000 ;; kill*) kill -9 $$ ;; \\?mute*) exit 4 ;;\n"
    "esac; done\n"
    "if [ -e rules ]; then for name; do case $action in\n"
    "-I) echo $name >>rules ;;\n"
    "-D) grep -qx $name rules || exit 1; sed -i \"0,/^$name$/{/^$name$/d}\" rules ;;\n"
    "-C) grep -qx $name rules || exit 1 ;;\n"
    "esac; done; fi\n"
    "[ $action = -C ] || for name; do case $name in\n"
    "late*) sleep 1000 ;; mute*) [ $# = 1 ] || sleep 1000 ;;\n"
    "esac; done\n";

static const char *const made[] = {"out", "hold", "rules", "iptables", "iptables-restore", NULL};

static void make_world(struct batch_world *w, int64_t limit)
{
    char path[128];
    memset(w, 0, sizeof(*w));
    bench_make(&w->bench);
    w->runner = runner_new(w->bench.loop, limit, -1);
    w->tasks = calloc(TASKS_MAX, sizeof(*w->tasks));
    assert_true(w->runner && w->tasks);
    bench_write(&w->bench, "iptables", script);
    bench_path(&w->bench, "iptables", w->program);
    bench_path(&w->bench, "iptables-restore", path);
    assert_int_equal(chmod(w->program, 0700) | symlink("iptables", path), 0);
}

static void end_world(struct batch_world *w)
{
    runner_free(w->runner);
    for (unsigned i = 0; i < w->count; i++)
        free(w->tasks[i].item.text);
    free(w->tasks);
    bench_end(&w->bench, made);
}

static void on_done(void *arg, bool success)
{
    struct task *task = arg;
    task->done++;
    task->success = success;
}

static void make_command(struct command *command, const char *program, const char *action,
                         const char *name)
{
    char words[256];
    int len = snprintf(words, sizeof(words), "%s%c-w%c1%c%s%cx%c-m%ccomment%c--comment%c%s",
                       program, 0, 0, 0, action, 0, 0, 0, 0, 0, name);
    *command =
        (struct command){.words = 9, .size = (size_t)len + 1, .text = malloc((size_t)len + 1)};
    assert_non_null(command->text);
    memcpy(command->text, words, command->size);
}

static const char *action_of(const struct batch_world *w, enum job_kind kind)
{
    return w->checks ? "-C" : kind == JOB_DO ? "-I" : "-D";
}

static struct task *prepare(struct batch_world *w, enum job_kind kind, const char *name)
{
    assert_true(w->count < TASKS_MAX);
    struct task *task = &w->tasks[w->count++];
    task->world = w;
    make_command(&task->item, w->program, action_of(w, kind), name);
    task->commands = (struct commands){.count = 1, .items = &task->item};
    task->job = (struct job){.kind = kind,
                             .commands = &task->commands,
                             .ok = runner_ok_zero,
                             .label = "test",
                             .quiet = w->checks,
                             .group = "door",
                             .order = w->reversed ? -(int64_t)w->count : w->count,
                             .done = on_done,
                             .arg = task};
    return task;
}

static void submit(struct batch_world *w, enum job_kind kind, const char *name)
{
    runner_submit(w->runner, &prepare(w, kind, name)->job);
}

static bool enough_done(void *arg)
{
    const struct batch_world *w = arg;
    unsigned done = 0;
    for (unsigned i = 0; i < w->count; i++)
        done += w->tasks[i].done > 0;
    return done >= w->wanted;
}

static void finish(struct batch_world *w)
{
    w->wanted = w->count;
    bench_until(&w->bench, enough_done, w);
    for (unsigned i = 0; i < w->count; i++)
        assert_int_equal(w->tasks[i].done, 1);
}

/* Space-separated names are submitted while one runs. Then that one ends. */
static void submit_all(struct batch_world *w, enum job_kind kind, const char *names)
{
    char text[256], *rest = text, *name;
    snprintf(text, sizeof(text), "%s", names);
    while ((name = strsep(&rest, " ")))
        submit(w, kind, name);
    bench_remove(&w->bench, "hold");
}

static const struct task *task_of(const struct batch_world *w, const char *name)
{
    for (unsigned i = 0; i < w->count; i++)
        if (strcmp(w->tasks[i].item.text + w->tasks[i].item.size - strlen(name) - 1, name) == 0)
            return &w->tasks[i];
    fail_msg("no %s", name);
    return NULL;
}

static bool busy_runs(void *arg)
{
    const struct batch_world *w = arg;
    return w->tasks[w->count - 1].job.started > 0;
}

static bool first_runs(void *arg)
{
    const struct batch_world *w = arg;
    return w->tasks[0].job.started > 0;
}

/* At a door that has opened and closed before, while a command of that kind runs. Returns what was
 * run. */
static const char *run_batch(struct batch_world *w, int64_t limit, enum job_kind kind,
                             const char *names)
{
    static char out[4096];
    make_world(w, limit);
    submit(w, JOB_DO, "warm");
    submit(w, JOB_UNDO, "warm");
    finish(w);
    bench_remove(&w->bench, "out");
    bench_write(&w->bench, "hold", "");
    submit(w, kind, "first");
    bench_until(&w->bench, busy_runs, w);
    submit_all(w, kind, names);
    finish(w);
    return bench_read(&w->bench, "out", out, sizeof(out));
}

struct row {
    enum job_kind kind;
    const char *names;
    const char *out;    /* after "first"; NULL: in any order */
    const char *failed; /* of the names */
};

static bool is_among(const char *name, const char *names)
{
    char text[256], *rest = text, *next;
    snprintf(text, sizeof(text), "%s", names);
    while ((next = strsep(&rest, " ")))
        if (strcmp(next, name) == 0)
            return true;
    return false;
}

static void check_row(const struct row *row)
{
    struct batch_world w;
    char wanted[4096], names[256], *rest = names, *name;
    const char *out = run_batch(&w, PATIENCE, row->kind, row->names);
    snprintf(wanted, sizeof(wanted), "first\n%s", row->out ? row->out : "");
    if (row->out && strcmp(out, wanted) != 0) {
        bench_speak(&w.bench);
        fail_msg("%s:\n%s", row->names, out);
    }
    snprintf(names, sizeof(names), "%s", row->names);
    while ((name = strsep(&rest, " "))) {
        const struct task *task = task_of(&w, name);
        if (task->success == is_among(name, row->failed)) {
            bench_speak(&w.bench);
            fail_msg("%s: %s: %d", row->names, name, task->success);
        }
        assert_int_equal(task->job.started, 1);
    }
    end_world(&w);
}

static void each_ends_as_it_would_alone(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* All at once: what undoes backwards, the first one of the queue at the end. */
        {JOB_DO, "a b c", "a b c\n", ""},
        {JOB_UNDO, "a b c", "c b a\n", ""},
        {JOB_DO, "a", "a\n", ""},
        /* A small batch that fails: each alone, at the same time. */
        {JOB_DO, "bad", "bad\n", "bad"},
        {JOB_DO, "bad odd", NULL, "bad odd"},
        {JOB_DO, "lock a b", "lock a b\n", "lock a b"},
        {JOB_UNDO, "a lock b", "b lock a\n", "lock a b"},
        /* Nine or more are halved. */
        {JOB_DO, "a b c d e f g h i j", "a b c d e f g h i j\n", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_row(&rows[i]);
}

/* Lines of "out" with that many names. */
static unsigned count_lines(const char *out, unsigned names)
{
    unsigned lines = 0, gaps = 0;
    for (; *out; out++) {
        gaps += *out == ' ';
        if (*out != '\n')
            continue;
        lines += gaps + 1 == names;
        gaps = 0;
    }
    return lines;
}

static void the_culprits_stand_alone(void **state)
{
    (void)state;
    for (int kind = JOB_DO; kind <= JOB_UNDO; kind++) {
        struct batch_world w;
        const char *out =
            run_batch(&w, PATIENCE, kind, "a b c d e bad g h i j k l m n o p q r s t");
        for (unsigned i = 0; i < w.count; i++)
            assert_int_equal(w.tasks[i].success, &w.tasks[i] != task_of(&w, "bad"));
        /* 20, then 10 and 10, of which one is halved: 5, and then singly, and 5. */
        assert_int_equal(count_lines(out, 20), 1);
        assert_int_equal(count_lines(out, 10), 2);
        assert_int_equal(count_lines(out, 5), 2);
        assert_int_equal(count_lines(out, 1), 1 + 5);
        assert_true(task_of(&w, "bad")->job.alone);
        assert_false(task_of(&w, "t")->job.alone);
        end_world(&w);
    }
}

static void what_undoes_and_hangs_is_run_again_alone(void **state)
{
    (void)state;
    struct batch_world w;
    int64_t begin = clock_now();
    const char *out = run_batch(&w, 800 * MS, JOB_UNDO, "a hang b");
    assert_true(clock_now() - begin < 20 * CLOCK_SECOND);
    assert_true(task_of(&w, "a")->success && task_of(&w, "b")->success);
    assert_false(task_of(&w, "hang")->success);
    assert_true(task_of(&w, "hang")->job.hung);
    assert_false(task_of(&w, "a")->job.hung);
    assert_int_equal(count_lines(out, 3), 1);
    end_world(&w);
}

/* What a batch that opens and was killed has done. */
struct killed_row {
    const char *before; /* rules that are there */
    const char *names;  /* of a batch */
    const char *out;    /* what is run first, after "first" */
    const char *failed; /* of the names */
    const char *rules;  /* that are there after all, sorted */
};

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines of "rules" in their order, with a blank behind each, but for "first" and "warm". */
static void read_rules(const struct batch_world *w, char *out, size_t size)
{
    char text[1024], *rest = text, *line, *lines[64];
    size_t count = 0, used = 0;
    bench_read(&w->bench, "rules", text, sizeof(text));
    while ((line = strsep(&rest, "\n")))
        if (*line && strcmp(line, "first") != 0 && strcmp(line, "warm") != 0)
            lines[count++] = line;
    qsort(lines, count, sizeof(*lines), compare_lines);
    *out = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, size - used, "%s ", lines[i]);
}

/* Each name's door is that of its first letter, all of which have opened before. */
static void run_doors(struct batch_world *w, const struct killed_row *row)
{
    static const char *const doors[] = {"a", "b", "h", "k", "l", "m"};
    char names[256], *rest = names, *name;
    make_world(w, 800 * MS);
    bench_write(&w->bench, "rules", row->before);
    for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++) {
        struct task *task = prepare(w, JOB_DO, "warm");
        task->job.group = doors[i];
        runner_submit(w->runner, &task->job);
    }
    finish(w);
    bench_remove(&w->bench, "out");
    bench_write(&w->bench, "hold", "");
    struct task *first = prepare(w, JOB_DO, "first");
    first->job.group = "a";
    runner_submit(w->runner, &first->job);
    bench_until(&w->bench, busy_runs, w);
    snprintf(names, sizeof(names), "%s", row->names);
    while ((name = strsep(&rest, " "))) {
        struct task *task = prepare(w, JOB_DO, name);
        for (size_t i = 0; i < sizeof(doors) / sizeof(*doors); i++)
            if (doors[i][0] == name[0])
                task->job.group = doors[i];
        runner_submit(w->runner, &task->job);
    }
    bench_remove(&w->bench, "hold");
    finish(w);
}

static void check_killed(const struct killed_row *row)
{
    struct batch_world w;
    char out[4096], wanted[512], rules[512];
    run_doors(&w, row);
    bench_read(&w.bench, "out", out, sizeof(out));
    snprintf(wanted, sizeof(wanted), "first\n%s\n%s", row->names, row->out);
    read_rules(&w, rules, sizeof(rules));
    bool right = strncmp(out, wanted, strlen(wanted)) == 0 && strcmp(rules, row->rules) == 0;
    for (unsigned i = w.count - 1; right; i--) {
        const struct command *command = &w.tasks[i].item;
        const char *name = (const char *)memrchr(command->text, 0, command->size - 1) + 1;
        if (strcmp(name, "first") == 0)
            break;
        right = w.tasks[i].success != is_among(name, row->failed);
        if (!right)
            print_message("%s: %d\n", name, w.tasks[i].success);
        assert_int_equal(w.tasks[i].job.started, 1);
        /* A killed one is in doubt, and nobody else. */
        assert_int_equal(w.tasks[i].job.doubtful, !w.tasks[i].success);
        assert_int_equal(w.tasks[i].job.hung, !w.tasks[i].success && name[0] != 'k');
    }
    if (!right) {
        bench_speak(&w.bench);
        fail_msg("%s:\n%s\nrules: %s", row->names, out, rules);
    }
    end_world(&w);
}

static void what_opens_and_was_killed_is_looked_for(void **state)
{
    (void)state;
    static const struct killed_row rows[] = {
        /* Killed before it did anything: only the culprit has failed. */
        {"", "a1 hang b1", "?a1\n", "hang", "a1 b1 "},
        {"", "a1 kill b1", "?a1\n", "kill", "a1 b1 "},
        /* The look hangs, too; no other of its door is tried. */
        {"", "hang1 hang2 b1", "?hang1\n?b1\n", "hang1 hang2", "b1 "},
        /* Killed when it was done: nothing is run twice. */
        {"", "a1 late b1", "?a1\n?late\n?b1\n", "", "a1 b1 late "},
        {"", "a1 late b1 b2 b3 b4", "?a1\n?late\n?b1\n?b2\n", "", "a1 b1 b2 b3 b4 late "},
        /* A rule that another door had inserted before tells nothing. */
        {"a1\n", "a1 hang b1", "?a1\n?hang\n?b1\n", "hang", "a1 a1 b1 "},
        /* Two of one rule. */
        {"", "a1 a1 hang", "?a1\n", "hang", "a1 a1 "},
        {"", "a1 a1 late", "?a1\n?a1\n?late\n", "", "a1 a1 late "},
        /* Nothing can tell: none is run again, and all are in doubt. */
        {"", "mute1 mute2", "?mute1\n?mute2\n", "mute1 mute2", "mute1 mute2 "},
        /* A bigger one is run again in parts. */
        {"", "a1 a2 a3 a4 a5 a6 hang1 hang2 hang3 hang4 hang5 hang6", "?a1\n",
         "hang1 hang2 hang3 hang4 hang5 hang6", "a1 a2 a3 a4 a5 a6 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_killed(&rows[i]);
}

/* What undoes and was killed may have been done, and then no rule is found. */
static void what_undoes_and_was_killed_may_have_been_done(void **state)
{
    (void)state;
    for (int doubtful = 0; doubtful < 2; doubtful++) {
        struct batch_world w;
        char rules[256];
        make_world(&w, 800 * MS);
        bench_write(&w.bench, "rules", "warm\na\nb\nlate\nother\n");
        submit(&w, JOB_UNDO, "warm");
        finish(&w);
        bench_write(&w.bench, "hold", "");
        submit(&w, JOB_UNDO, "a");
        bench_until(&w.bench, busy_runs, &w);
        submit_all(&w, JOB_UNDO, "b late");
        finish(&w);
        read_rules(&w, rules, sizeof(rules));
        assert_string_equal(rules, "other ");
        assert_true(task_of(&w, "a")->success && task_of(&w, "b")->success);
        assert_true(task_of(&w, "late")->success);
        /* Without a doubt, what isn't there wasn't deleted. */
        struct task *task = prepare(&w, JOB_UNDO, "gone");
        task->job.doubtful = doubtful;
        runner_submit(w.runner, &task->job);
        finish(&w);
        assert_int_equal(task->success, doubtful);
        end_world(&w);
    }
}

/* One that takes long keeps those of its kind waiting for half a second, not for its whole time. */
static void gathering_ends(void **state)
{
    (void)state;
    struct batch_world w;
    char out[256];
    make_world(&w, PATIENCE);
    submit(&w, JOB_UNDO, "warm");
    finish(&w);
    submit(&w, JOB_UNDO, "hang");
    w.wanted = 3;
    bench_within(&w.bench, 50 * MS, enough_done, &w);
    submit(&w, JOB_UNDO, "a");
    submit(&w, JOB_UNDO, "b");
    int64_t begin = clock_now();
    bench_until(&w.bench, enough_done, &w);
    assert_true(clock_now() - begin >= 300 * MS);
    bench_read(&w.bench, "out", out, sizeof(out));
    assert_string_equal(out, "warm\nhang\nb a\n");
    end_world(&w);
}

static void of_kinds_and_tries_each_goes_apart(void **state)
{
    (void)state;
    struct batch_world w;
    char out[256];
    make_world(&w, PATIENCE);
    runner_set_batch(w.runner, false);
    submit(&w, JOB_DO, "warm");
    finish(&w);
    for (int i = 0; i < 5; i++)
        submit(&w, JOB_DO, "alone");
    finish(&w);
    bench_read(&w.bench, "out", out, sizeof(out));
    assert_int_equal(count_lines(out, 1), 6);
    runner_set_batch(w.runner, true);
    for (int i = 0; i < 5; i++)
        submit(&w, i % 2 ? JOB_DO : JOB_UNDO, i % 2 ? "in" : "out");
    finish(&w);
    bench_read(&w.bench, "out", out, sizeof(out));
    assert_null(strstr(out, "in out"));
    assert_null(strstr(out, "out in"));
    end_world(&w);
}

/* How many names are in the second line of "out", which follows "first". */
static unsigned read_size(const struct batch_world *w)
{
    static char text[1 << 16];
    char *rest = text, *line;
    unsigned size = 1;
    bench_read(&w->bench, "out", text, sizeof(text));
    strsep(&rest, "\n");
    for (line = strsep(&rest, "\n"); line && *line; line++)
        size += *line == ' ';
    return size;
}

/* As many wait while one runs, the first of them by that name, which is of the first batch. Returns
 * the size of that. */
static unsigned run_many(struct batch_world *w, enum job_kind kind, const char *name,
                         unsigned count)
{
    bench_remove(&w->bench, "out");
    bench_write(&w->bench, "hold", "");
    submit(w, kind, "first");
    bench_until(&w->bench, busy_runs, w);
    submit(w, kind, name);
    for (unsigned i = 1; i < count; i++)
        submit(w, kind, "a");
    bench_remove(&w->bench, "hold");
    finish(w);
    return read_size(w);
}

/*
 * Rules take iptables much longer to find than to insert: of batches that are as large as those
 * which open can be, the ones that undo are killed at their limit, and the doors stay open.
 */
static void sizes_are_fitted_to_what_their_own_kind_takes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned most; /* in the batch after a full one with it */
    } rows[] = {
        {"a", RUNNER_BATCH_FIRST * RUNNER_BATCH_GROWTH},
        /* Six times as many would take 1.8 s, of 2 s that a batch may take. */
        {"brief", RUNNER_BATCH_FIRST * 6},
        {"slow", RUNNER_BATCH_FIRST},
        {"long", RUNNER_BATCH_FIRST / RUNNER_BATCH_FACTOR},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        enum job_kind kind = i % 2 ? JOB_UNDO : JOB_DO, other = i % 2 ? JOB_DO : JOB_UNDO;
        struct batch_world w;
        make_world(&w, PATIENCE);
        submit(&w, JOB_DO, "warm");
        submit(&w, JOB_UNDO, "warm");
        finish(&w);
        unsigned first = run_many(&w, kind, rows[i / 2].name, RUNNER_BATCH_FIRST);
        unsigned next = run_many(&w, kind, "a", RUNNER_BATCH_FIRST * 8);
        unsigned others = run_many(&w, other, "a", 2 * RUNNER_BATCH_FIRST);
        if (first != RUNNER_BATCH_FIRST || next > rows[i / 2].most ||
            others != RUNNER_BATCH_FIRST) {
            bench_speak(&w.bench);
            fail_msg("%s, kind %d: %u, then %u; of the other kind %u", rows[i / 2].name, (int)kind,
                     first, next, others);
        }
        end_world(&w);
    }
}

static void checks_go_apart_from_what_they_check(void **state)
{
    (void)state;
    struct batch_world w;
    char out[512];
    make_world(&w, 800 * MS);
    submit(&w, JOB_DO, "warm");
    submit(&w, JOB_UNDO, "warm");
    finish(&w);
    w.checks = true;
    bench_remove(&w.bench, "out");
    submit(&w, JOB_DO, "a");
    submit(&w, JOB_DO, "bad");
    w.checks = false;
    submit(&w, JOB_DO, "in1");
    submit(&w, JOB_DO, "in2");
    w.checks = true;
    /* Those that most likely say no are each alone. */
    submit(&w, JOB_UNDO, "bad1");
    submit(&w, JOB_UNDO, "bad2");
    finish(&w);
    bench_read(&w.bench, "out", out, sizeof(out));
    assert_int_equal(bench_count(&w.bench, "out", "a bad\n"), 1);
    assert_int_equal(bench_count(&w.bench, "out", "in1 in2\n"), 1);
    assert_int_equal(count_lines(out, 1), 2 + 2);
    assert_int_equal(task_of(&w, "bad")->job.said_no, 1);
    assert_true(task_of(&w, "bad")->job.alone && !task_of(&w, "a")->job.alone);
    /* One that hangs has opened nothing: the others are run again. */
    submit(&w, JOB_DO, "b");
    submit(&w, JOB_DO, "hang");
    submit(&w, JOB_DO, "c");
    finish(&w);
    assert_true(task_of(&w, "b")->success && task_of(&w, "c")->success);
    assert_false(task_of(&w, "hang")->success);
    end_world(&w);
}

/* After a restart with many open doors: what opens one waits neither for a check that runs nor for
 * those that wait, and these go together though none of their door has been opened yet. */
static void nothing_waits_for_checks(void **state)
{
    (void)state;
    struct batch_world w;
    make_world(&w, PATIENCE);
    bench_write(&w.bench, "hold", "");
    w.checks = true;
    submit(&w, JOB_DO, "c1");
    submit(&w, JOB_DO, "c2");
    submit(&w, JOB_DO, "c3");
    bench_until(&w.bench, first_runs, &w);
    w.checks = false;
    submit(&w, JOB_DO, "in");
    bench_until(&w.bench, busy_runs, &w);
    assert_int_equal(task_of(&w, "c2")->job.started, 0);
    bench_remove(&w.bench, "hold");
    finish(&w);
    assert_int_equal(bench_count(&w.bench, "out", "c2 c3\n"), 1);
    assert_int_equal(bench_count(&w.bench, "out", "in\n"), 1);
    end_world(&w);
}

/* Whatever order they wait in: what was opened last is undone first. */
static void undos_go_backwards(void **state)
{
    (void)state;
    for (int reversed = 0; reversed < 2; reversed++) {
        struct batch_world w;
        char out[256];
        make_world(&w, PATIENCE);
        submit(&w, JOB_UNDO, "warm");
        finish(&w);
        w.reversed = reversed;
        bench_write(&w.bench, "hold", "");
        submit(&w, JOB_UNDO, "first");
        bench_until(&w.bench, busy_runs, &w);
        submit_all(&w, JOB_UNDO, "a b c d");
        finish(&w);
        bench_read(&w.bench, "out", out, sizeof(out));
        /* The first of the queue is never left behind: it is the last of the batch. */
        assert_string_equal(out, reversed ? "warm\nfirst\nb c d a\n" : "warm\nfirst\nd c b a\n");
        end_world(&w);
    }
}

/* One of a batch is given up: the others aren't killed for it. */
static void one_is_given_up(void **state)
{
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        struct batch_world w;
        char out[256];
        make_world(&w, PATIENCE);
        submit(&w, JOB_UNDO, "warm");
        finish(&w);
        bench_write(&w.bench, "hold", "");
        for (int i = 0; i < 3; i++)
            submit(&w, JOB_UNDO, bad && i == 2 ? "bad" : "x");
        bench_until(&w.bench, busy_runs, &w);
        runner_kill(w.runner, &w.tasks[2].job);
        bench_remove(&w.bench, "hold");
        finish(&w);
        assert_true(w.tasks[1].success);
        assert_int_equal(w.tasks[3].success, !bad);
        assert_int_equal(w.tasks[2].success, !bad);
        bench_read(&w.bench, "out", out, sizeof(out));
        /* Given up, it isn't run again. */
        assert_int_equal(count_lines(out, 1), bad ? 3 : 1);
        end_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_as_it_would_alone),
        cmocka_unit_test(the_culprits_stand_alone),
        cmocka_unit_test(what_undoes_and_hangs_is_run_again_alone),
        cmocka_unit_test(what_opens_and_was_killed_is_looked_for),
        cmocka_unit_test(what_undoes_and_was_killed_may_have_been_done),
        cmocka_unit_test(gathering_ends),
        cmocka_unit_test(of_kinds_and_tries_each_goes_apart),
        cmocka_unit_test(sizes_are_fitted_to_what_their_own_kind_takes),
        cmocka_unit_test(checks_go_apart_from_what_they_check),
        cmocka_unit_test(nothing_waits_for_checks),
        cmocka_unit_test(undos_go_backwards),
        cmocka_unit_test(one_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
