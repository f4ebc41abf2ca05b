/* Elements of sets: commands of ipset that run together end as if each had been alone, though a
 * batch that fails or is killed has done a part; and what is undone in doubt, of nft too. By a
 * program that stands for ipset and nft. */
#include "keeper_help.h"

#include "keeper/runner.h"

enum { TASKS_MAX = 40 };

struct sets_world;

/* One command, "add s 10.0.0.1", or whatever its verb is. */
struct task {
    struct job job;
    struct commands commands;
    struct command item;
    const char *name; /* the end of its address: "0.1" */
    int done;
    bool success;
};

struct sets_world {
    struct bench bench;
    struct runner *runner;
    char program[128];
    struct task tasks[TASKS_MAX];
    unsigned count;
    const char *verb;
};

/*
 * What is in the set stands in the file "set", one a line. Each call writes a line to "out": what
 * it is to do, by the ends of addresses, "10.0.X.Y" being "X.Y", and "1" behind the verb for
 * -exist. Of 10.0.X.Y, 1.Y fails; 2.Y hangs before it is done, and 4.Y kills the process then; 3.Y
 * and 5.Y do so after that, when they aren't alone; 6.Y fails, and doesn't say where; 7.Y hangs
 * where it is looked for. While there is a file "hold", nothing begins.
 */
static const char script[] =
    "#!/bin/bash\n"
    "cd \"${0%/*}\"; exist= at=0 doing=\n"
    "until [ ! -e hold ]; do sleep 0.01; done\n"
    "fail() { case $name in 6.*) echo no ;; *) echo \"ipset v1: Error in line $at: no\" ;; esac >&2; exit 1; }\n"
    "one() {\n"
    "    name=${3#10.0.}; case $1$name in test7.*) sleep 1000 ;; test*) grep -qx $name set || exit 1; return ;;\n"
    "    add1.*|add6.*) fail ;; add2.*) sleep 1000 ;; add4.*) kill -9 $$ ;; esac\n"
    "    exec 9<ipset; flock 9; if [ $1 = add ]; then ! grep -qx $name set || [ $exist ] || fail; grep -qx $name set || echo $name >>set\n"
    "    else grep -qx $name set || [ $exist ] || fail; sed -i \"/^$name$/d\" set; fi; exec 9<&-\n"
    "    [ $at = 0 ] || case $1$name in add3.*|del3.*) sleep 1000 ;; add5.*|del5.*) kill -9 $$ ;; esac\n"
    "}\n"
    "case $1 in -exist) exist=1; shift ;; -q) shift ;; esac\n"
    "if [ $1 = restore ]; then\n"
    "    mapfile -t lines\n"
    "    for line in \"${lines[@]}\"; do\n"
    "        [ \"$line\" = COMMIT ] || { set -- $line; doing=\"$doing ${3#10.0.}\" verb=$1; }\n"
    "    done\n"
    "    echo \"$verb$exist$doing\" >>out\n"
    "    for line in \"${lines[@]}\"; do\n"
    "        at=$((at + 1)); [ \"$line\" = COMMIT ] || one $line\n"
    "    done\n"
    "else\n"
    "    echo \"$1$exist alone ${3#10.0.}\" >>out; one \"$@\"\n"
    "fi\n";

/* What it is asked is written. Of the map m elements can only be deleted, of other sets only after
 * they were added. 10.0.0.4 can be neither, and 10.0.0.5 hangs where it is added. */
static const char nft_script[] =
    "#!/bin/sh\n"
    "cd \"${0%/*}\"; [ \"$1\" != -f ] || set -- \"$(cat)\"; echo \"$*\" >>out\n"
    "case $* in *10.0.0.4*) exit 1 ;; add*10.0.0.5*) sleep 1000 ;; esac\n"
    "case $* in add*' m '*) exit 1 ;; *' m '*) ;; delete*) exit 1 ;; esac\n";

static const char *const made[] = {"out", "hold", "set", "ipset", "nft", NULL};

static void make_world(struct sets_world *w)
{
    char path[128];
    memset(w, 0, sizeof(*w));
    bench_make(&w->bench);
    w->runner = runner_new(w->bench.loop, 2500 * MS, -1);
    assert_non_null(w->runner);
    bench_write(&w->bench, "ipset", script);
    bench_write(&w->bench, "nft", nft_script);
    bench_write(&w->bench, "set", "");
    bench_path(&w->bench, "nft", path);
    bench_path(&w->bench, "ipset", w->program);
    assert_int_equal(chmod(w->program, 0700) | chmod(path, 0700), 0);
}

static void end_world(struct sets_world *w)
{
    runner_free(w->runner);
    for (unsigned i = 0; i < w->count; i++)
        free(w->tasks[i].item.text);
    bench_end(&w->bench, made);
}

static void on_done(void *arg, bool success)
{
    struct task *task = arg;
    task->done++;
    task->success = success;
}

/* The words of `text`, which blanks part. */
static void make_command(struct command *command, const char *text)
{
    *command = (struct command){.words = 1, .size = strlen(text) + 1, .text = strdup(text)};
    assert_non_null(command->text);
    for (char *at = command->text; (at = strchr(at, ' ')); command->words++)
        *at++ = '\0';
}

static struct task *submit(struct sets_world *w, enum job_kind kind, const char *name)
{
    char text[256];
    assert_true(w->count < TASKS_MAX);
    struct task *task = &w->tasks[w->count++];
    snprintf(text, sizeof(text), "%s %s s 10.0.%s", w->program, w->verb, name);
    make_command(&task->item, text);
    task->name = task->item.text + task->item.size - strlen(name) - 1;
    task->commands = (struct commands){.count = 1, .items = &task->item};
    task->job = (struct job){.kind = kind,
                             .commands = &task->commands,
                             .ok = runner_ok_zero,
                             .label = "test",
                             .group = "door",
                             .order = -(int64_t)w->count,
                             .done = on_done,
                             .arg = task};
    runner_submit(w->runner, &task->job);
    return task;
}

static bool all_done(void *arg)
{
    const struct sets_world *w = arg;
    for (unsigned i = 0; i < w->count; i++)
        if (w->tasks[i].done == 0)
            return false;
    return true;
}

static void finish(struct sets_world *w)
{
    bench_until(&w->bench, all_done, w);
    for (unsigned i = 0; i < w->count; i++)
        assert_int_equal(w->tasks[i].done, 1);
}

static bool last_runs(void *arg)
{
    const struct sets_world *w = arg;
    return w->tasks[w->count - 1].job.started > 0;
}

/* What a batch makes of the set, and of its commands. */
struct row {
    enum job_kind kind;
    const char *verb;
    const char *before; /* what is in the set, one a line */
    const char *names;  /* what the commands are about */
    const char *out;    /* what is run, without what runs alone */
    const char *failed; /* of the names */
    const char *after;  /* what is in the set then, sorted */
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

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines of a file but those with `without`, in their order or sorted, with a blank behind each.
 */
static void read_lines(const struct sets_world *w, const char *name, const char *without, char *out)
{
    char text[4096], *rest = text, *line, *lines[128];
    size_t count = 0;
    bench_read(&w->bench, name, text, sizeof(text));
    while ((line = strsep(&rest, "\n")))
        if (*line && !(without && strstr(line, without)))
            lines[count++] = line;
    if (!without)
        qsort(lines, count, sizeof(*lines), compare_lines);
    *out = '\0';
    for (size_t i = 0; i < count; i++)
        strcat(strcat(out, lines[i]), without ? "\n" : " ");
}

static void begin(struct sets_world *w, const struct row *row)
{
    make_world(w);
    w->verb = "test";
    bench_write(&w->bench, "set", "0.0\n");
    submit(w, JOB_DO, "0.0");
    submit(w, JOB_UNDO, "0.0");
    finish(w);
    bench_remove(&w->bench, "set");
    bench_write(&w->bench, "set", row->before);
    bench_write(&w->bench, "hold", "");
    w->verb = row->verb;
    /* Before those of the row, which gather behind it. */
    submit(w, row->kind, strstr(row->verb, "del") ? "9.9" : "0.0");
    bench_until(&w->bench, last_runs, w);
}

static void check_row(const struct row *row)
{
    struct sets_world w;
    char out[4096], set[4096], names[256], *rest = names, *name;
    begin(&w, row);
    unsigned first = w.count;
    bool right = true;
    snprintf(names, sizeof(names), "%s", row->names);
    while ((name = strsep(&rest, " ")))
        submit(&w, row->kind, name);
    bench_remove(&w.bench, "hold");
    finish(&w);
    for (unsigned i = first; i < w.count; i++) {
        right &= w.tasks[i].success != is_among(w.tasks[i].name, row->failed);
        right &= w.tasks[i].job.started == 1;
    }
    read_lines(&w, "out", "alone", out);
    read_lines(&w, "set", NULL, set);
    if (!right || strcmp(out, row->out) != 0 || strcmp(set, row->after) != 0) {
        bench_speak(&w.bench);
        fail_msg("%s %s:\n%s\nset: %s", row->verb, row->names, out, set);
    }
    end_world(&w);
}

static void each_ends_as_it_would_alone(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {JOB_DO, "add", "", "0.1 0.2 0.3", "add 0.1 0.2 0.3\n", "", "0.0 0.1 0.2 0.3 "},
        /* What is there already, or fails otherwise: those before it are done, once. */
        {JOB_DO, "add", "0.2\n", "0.1 0.2 0.3", "add 0.1 0.2 0.3\n", "0.2", "0.0 0.1 0.2 0.3 "},
        {JOB_DO, "add", "", "1.1 0.1", "add 1.1 0.1\n", "1.1", "0.0 0.1 "},
        {JOB_DO, "add", "", "0.1 1.1", "add 0.1 1.1\n", "1.1", "0.0 0.1 "},
        /* Many are halved. */
        {JOB_DO, "add", "", "0.1 0.2 0.3 0.4 1.1 0.5 0.6 0.7 0.8 0.9 0.10 0.11 0.12 0.13 0.14",
         "add 0.1 0.2 0.3 0.4 1.1 0.5 0.6 0.7 0.8 0.9 0.10 0.11 0.12 0.13 0.14\n"
         "add 0.5 0.6 0.7 0.8 0.9 0.10\nadd 0.11 0.12 0.13 0.14\n",
         "1.1", "0.0 0.1 0.10 0.11 0.12 0.13 0.14 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 "},
        {JOB_DO, "-exist add", "0.2\n", "0.1 0.2 0.3", "add1 0.1 0.2 0.3\n", "",
         "0.0 0.1 0.2 0.3 "},
        {JOB_UNDO, "del", "9.9\n0.1\n0.2\n0.3\n", "0.1 0.2 0.3", "del 0.2 0.3 0.1\n", "", ""},
        {JOB_UNDO, "del", "9.9\n0.1\n0.3\n", "0.1 0.2 0.3", "del 0.2 0.3 0.1\n", "0.2", ""},
        {JOB_UNDO, "del", "9.9\n0.1\n0.2\n", "0.1 0.2 0.3", "del 0.2 0.3 0.1\n", "0.3", ""},
        {JOB_UNDO, "-exist del", "", "0.1 0.2", "del1 0.2 0.1\n", "", ""},
        {JOB_DO, "test", "0.0\n0.1\n0.3\n", "0.1 0.2 0.3", "test 0.1 0.2 0.3\n", "0.2",
         "0.0 0.1 0.3 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_row(&rows[i]);
}

static void a_part_that_was_done_is_found(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* Killed before, in the middle, after all: the first of them are looked at. */
        {JOB_DO, "add", "", "4.1 0.1", "add 4.1 0.1\ntest 4.1 0.1\ntest 4.1\n", "4.1", "0.0 0.1 "},
        {JOB_DO, "add", "", "0.1 4.1 0.2",
         "add 0.1 4.1 0.2\ntest 0.1 4.1 0.2\ntest 0.1\ntest 0.1 4.1\n", "4.1", "0.0 0.1 0.2 "},
        {JOB_DO, "add", "", "0.1 0.2 5.1", "add 0.1 0.2 5.1\ntest 0.1 0.2 5.1\n", "",
         "0.0 0.1 0.2 5.1 "},
        {JOB_DO, "add", "", "0.1 2.1 0.2",
         "add 0.1 2.1 0.2\ntest 0.1 2.1 0.2\ntest 0.1\ntest 0.1 2.1\n", "2.1", "0.0 0.1 0.2 "},
        {JOB_DO, "add", "", "0.1 3.1 0.2",
         "add 0.1 3.1 0.2\ntest 0.1 3.1 0.2\ntest 0.1\ntest 0.1 3.1\n", "", "0.0 0.1 0.2 3.1 "},
        /* Another one's, behind the part that was done, fails as it would have. */
        {JOB_DO, "add", "0.2\n", "0.1 4.1 0.2",
         "add 0.1 4.1 0.2\ntest 0.1 4.1 0.2\ntest 0.1\ntest 0.1 4.1\n", "4.1 0.2", "0.0 0.1 0.2 "},
        /* It failed, and didn't say where. */
        {JOB_DO, "add", "", "0.1 6.1 0.2",
         "add 0.1 6.1 0.2\ntest 0.1 6.1 0.2\ntest 0.1\ntest 0.1 6.1\n", "6.1", "0.0 0.1 0.2 "},
        /* Nothing can tell. */
        {JOB_DO, "add", "", "7.1 4.1 0.2", "add 7.1 4.1 0.2\ntest 7.1 4.1 0.2\n", "7.1 4.1 0.2",
         "0.0 7.1 "},
        /* What is an error the second time isn't known to be one. */
        {JOB_DO, "-exist add", "", "0.1 4.1 0.2", "add1 0.1 4.1 0.2\n", "4.1", "0.0 0.1 0.2 "},
        /* What undoes, and may have been done. */
        {JOB_UNDO, "del", "9.9\n0.1\n5.1\n0.2\n", "0.1 0.2 5.1", "del 0.2 5.1 0.1\n", "", ""},
        {JOB_UNDO, "del", "9.9\n0.1\n3.1\n0.2\n", "0.1 0.2 3.1", "del 0.2 3.1 0.1\n", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_row(&rows[i]);
}

/* Many that were killed, of which half is done: few looks find the place. */
static void few_looks_find_the_place(void **state)
{
    (void)state;
    struct sets_world w;
    char out[4096], name[16];
    begin(&w, &(struct row){.kind = JOB_DO, .verb = "add", .before = ""});
    for (int i = 1; i <= 31; i++) {
        snprintf(name, sizeof(name), "%d.%d", i == 17 ? 4 : 0, i);
        submit(&w, JOB_DO, name);
    }
    bench_remove(&w.bench, "hold");
    finish(&w);
    read_lines(&w, "out", "alone", out);
    unsigned looks = 0;
    for (const char *at = out; (at = strstr(at, "test ")); at++)
        looks++;
    assert_true(looks <= 12);
    for (unsigned i = 0; i < w.count; i++)
        assert_int_equal(w.tasks[i].success, strcmp(w.tasks[i].name, "4.17") != 0);
    end_world(&w);
}

/* In doubt, what isn't there is undone; else it isn't known to be. So for one alone, too. */
static void what_is_in_doubt_is_settled(void **state)
{
    (void)state;
    static const struct {
        const char *program, *command, *out;
    } rows[] = {
        {"ipset", "del s 10.0.0.1", "del%s alone 0.1\n"},
        {"nft", "delete element ip f s { 10.0.0.1 }", "%sdelete element ip f s { 10.0.0.1 }\n"},
    };
    static const char *const differs[2][2] = {{"", "1"}, {"", "add element ip f s { 10.0.0.1 }; "}};
    for (int i = 0; i < 4; i++) {
        struct sets_world w;
        char path[128], text[256], wanted[256], out[256];
        bool doubtful = i % 2;
        make_world(&w);
        struct task *task = &w.tasks[w.count++];
        bench_path(&w.bench, rows[i / 2].program, path);
        snprintf(text, sizeof(text), "%s %s", path, rows[i / 2].command);
        make_command(&task->item, text);
        task->commands = (struct commands){.count = 1, .items = &task->item};
        task->job = (struct job){.kind = JOB_UNDO,
                                 .commands = &task->commands,
                                 .ok = runner_ok_zero,
                                 .label = "test",
                                 .done = on_done,
                                 .arg = task,
                                 .doubtful = doubtful};
        runner_submit(w.runner, &task->job);
        finish(&w);
        assert_int_equal(task->success, doubtful);
        snprintf(wanted, sizeof(wanted), rows[i / 2].out, differs[i / 2][doubtful]);
        assert_string_equal(bench_read(&w.bench, "out", out, sizeof(out)), wanted);
        end_world(&w);
    }
}

/* A command of nft that deletes, whose status may be 0 or 1, in doubt. */
static void submit_doubtful(struct sets_world *w, const char *words, uint64_t ok)
{
    static uint64_t statuses[4];
    char path[128];
    assert_true(w->count < TASKS_MAX);
    struct task *task = &w->tasks[w->count++];
    statuses[0] = ok;
    bench_path(&w->bench, "nft", path);
    task->item = (struct command){.words = 2};
    int len = asprintf(&task->item.text, "%s%c%s", path, 0, words);
    assert_true(len > 0);
    task->item.size = (size_t)len + 1;
    task->commands = (struct commands){.count = 1, .items = &task->item};
    task->job = (struct job){.kind = JOB_UNDO,
                             .commands = &task->commands,
                             .ok = statuses,
                             .label = "test",
                             .group = "door",
                             .order = -(int64_t)w->count,
                             .done = on_done,
                             .arg = task,
                             .doubtful = true};
    runner_submit(w->runner, &task->job);
}

#define DELETES(set, n)  "delete element ip f " set " { 10.0.0." n " }"
#define FORGIVES(set, n) "add element ip f " set " { 10.0.0." n " }; " DELETES(set, n)

/* The forgiving form closes what is gone already; where it fails, the command itself decides. */
static void the_command_itself_decides_at_last(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint64_t ok;
        bool success;
        const char *out, *says; /* NULL: no warning */
    } rows[] = {
        {DELETES("s", "1"), 1, true, FORGIVES("s", "1") "\n", NULL},
        {DELETES("m", "1"), 1, true, FORGIVES("m", "1") "\n" DELETES("m", "1") "\n", NULL},
        {DELETES("s", "4"), 1, false, FORGIVES("s", "4") "\n" DELETES("s", "4") "\n",
         "status 1: %s " DELETES("s", "4")},
        /* What the command's other statuses mean isn't what those of the forgiving form do. */
        {DELETES("m", "2"), 3, true, FORGIVES("m", "2") "\n" DELETES("m", "2") "\n", NULL},
        /* What was killed is named as it was run. */
        {DELETES("s", "5"), 1, false, FORGIVES("s", "5") "\n", "killed: %s " FORGIVES("s", "5")},
        /* What nft might read in another way is run as it is. */
        {DELETES("s", "1") " # web", 1, false, DELETES("s", "1") " # web\n", "# web"},
        {DELETES("m", "1") " # web", 1, true, DELETES("m", "1") " # web\n", NULL},
        {DELETES("s", "1") "; # web", 1, false, DELETES("s", "1") "; # web\n", "# web"},
        {DELETES("s", "1") "\n# web", 1, false, DELETES("s", "1") "\n# web\n", "# web"},
        {DELETES("s", "1") " \\", 1, false, DELETES("s", "1") " \\\n", "\\"},
        {"delete element ip f \"s\" { 10.0.0.1 }", 1, false,
         "delete element ip f \"s\" { 10.0.0.1 }\n", "\"s\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sets_world w;
        char out[512], log[4096], path[128], says[512] = "";
        make_world(&w);
        submit_doubtful(&w, rows[i].words, rows[i].ok);
        finish(&w);
        bench_read(&w.bench, "out", out, sizeof(out));
        bench_read(&w.bench, "log", log, sizeof(log));
        bench_path(&w.bench, "nft", path);
        if (rows[i].says)
            snprintf(says, sizeof(says), rows[i].says, path);
        const char *warning = strstr(log, "warning: ");
        if (w.tasks[0].success != rows[i].success || strcmp(out, rows[i].out) != 0 ||
            (rows[i].says ? !warning || !strstr(warning, says) : warning != NULL)) {
            bench_speak(&w.bench);
            fail_msg("%s: %d\n%s\n%s", rows[i].words, w.tasks[0].success, out, log);
        }
        assert_int_equal(w.tasks[0].job.started, 1);
        end_world(&w);
    }
}

/* Elements of maps, in numbers: few programs. */
static void maps_close_together(void **state)
{
    (void)state;
    struct sets_world w;
    char words[64], out[16384];
    make_world(&w);
    submit_doubtful(&w, DELETES("m", "1"), 1);
    finish(&w);
    bench_remove(&w.bench, "out");
    for (int i = 0; i < 32; i++) {
        snprintf(words, sizeof(words), "delete element ip f m { 10.0.1.%d }", i);
        submit_doubtful(&w, words, 1);
    }
    finish(&w);
    unsigned deleted = 0, lines = 0;
    for (unsigned i = 0; i < w.count; i++)
        assert_true(w.tasks[i].success);
    bench_read(&w.bench, "out", out, sizeof(out));
    for (const char *at = out; (at = strchr(at, '\n')); at++)
        lines++;
    for (const char *at = out; (at = strstr(at, "delete ")); at++)
        deleted++;
    /* All in the forgiving form, then all as they are. */
    assert_int_equal(lines, 64);
    assert_int_equal(deleted, 64);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_as_it_would_alone),
        cmocka_unit_test(a_part_that_was_done_is_found),
        cmocka_unit_test(few_looks_find_the_place),
        cmocka_unit_test(what_is_in_doubt_is_settled),
        cmocka_unit_test(the_command_itself_decides_at_last),
        cmocka_unit_test(maps_close_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
