/* Commands as real processes: how they end decides, and nothing of them outlives its time. */
#include "keeper_help.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "keeper/runner.h"

enum { COMMANDS_MAX = 4 };
struct runner_world {
    struct bench bench;
    struct runner *runner;
};

/* A job, its commands, and how it ended. */
struct task {
    struct job job;
    struct commands commands;
    struct command items[COMMANDS_MAX];
    int done; /* calls of done() */
    bool success;
};

static const char *const made[] = {"out", "pid", "go", NULL};

static void make_world(struct runner_world *w, int64_t limit)
{
    bench_make(&w->bench);
    w->runner = runner_new(w->bench.loop, limit, -1);
    assert_non_null(w->runner);
}

static void end_world(struct runner_world *w)
{
    runner_free(w->runner);
    bench_end(&w->bench, made);
}

static void on_done(void *arg, bool success)
{
    struct task *task = arg;
    task->done++;
    task->success = success;
}

static void task_make(struct task *task, enum job_kind kind)
{
    memset(task, 0, sizeof(*task));
    task->commands.items = task->items;
    task->job = (struct job){.kind = kind,
                             .commands = &task->commands,
                             .ok = runner_ok_zero,
                             .label = "test",
                             .done = on_done,
                             .arg = task};
}

/* Appends `sh -c script` to the task. */
#define ADD(task, ...) command_make(&(task)->items[(task)->commands.count++], __VA_ARGS__)

static void task_free(struct task *task)
{
    for (unsigned i = 0; i < task->commands.count; i++)
        free(task->items[i].text);
}

static bool is_done(void *arg)
{
    return ((struct task *)arg)->done > 0;
}

static void finish(struct runner_world *w, struct task *task)
{
    bench_until(&w->bench, is_done, task);
    assert_int_equal(task->done, 1);
    task_free(task);
}

/* A command of `words`, each with its NUL: a program without a shell round it. */
static void add_program(struct task *task, const char *words, unsigned count)
{
    const char *end = words;
    for (unsigned i = 0; i < count; i++)
        end += strlen(end) + 1;
    struct command *c = &task->items[task->commands.count++];
    *c = (struct command){.words = count, .size = (size_t)(end - words)};
    c->text = malloc(c->size);
    assert_non_null(c->text);
    memcpy(c->text, words, c->size);
}

static void the_exit_status_decides(void **state)
{
    (void)state;
    static const uint64_t zero_one[4] = {3}, odd[4] = {[1] = 1, [3] = UINT64_C(1) << 63};
    static const struct {
        const char *script;
        const uint64_t *ok;
        bool success;
    } rows[] = {
        {"exit 0", runner_ok_zero, true},
        {"exit 1", runner_ok_zero, false},
        {"exit 255", runner_ok_zero, false},
        {"exit 64", runner_ok_zero, false},
        {"exit 0", zero_one, true},
        {"exit 1", zero_one, true},
        {"exit 2", zero_one, false},
        {"exit 65", zero_one, false},
        {"exit 64", odd, true},
        {"exit 255", odd, true},
        {"exit 0", odd, false},
        {"kill -9 $$", zero_one, false},
        {"kill -1 $$", zero_one, false},
    };
    struct runner_world w;
    make_world(&w, PATIENCE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct task task;
        task_make(&task, JOB_DO);
        task.job.ok = rows[i].ok;
        ADD(&task, "%s", rows[i].script);
        runner_submit(w.runner, &task.job);
        assert_int_equal(task.done, 0);
        finish(&w, &task);
        if (task.success == rows[i].success)
            continue;
        bench_speak(&w.bench);
        fail_msg("%s: %d", rows[i].script, task.success);
    }
    end_world(&w);
}

static void programs_that_cannot_be_executed_fail(void **state)
{
    (void)state;
    static const char *const paths[] = {"/no/such/program", "/etc/passwd", "/tmp", "/bin/false"};
    struct runner_world w;
    make_world(&w, PATIENCE);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct task task;
        task_make(&task, JOB_DO);
        add_program(&task, paths[i], 1);
        runner_submit(w.runner, &task.job);
        finish(&w, &task);
        assert_false(task.success);
    }
    assert_int_equal(bench_count(&w.bench, "log", "cannot execute /no/such/program"), 1);
    struct task task;
    task_make(&task, JOB_DO);
    add_program(&task, "/bin/true", 1);
    runner_submit(w.runner, &task.job);
    finish(&w, &task);
    assert_true(task.success);
    end_world(&w);
}

static void a_do_stops_where_it_fails_an_undo_goes_on(void **state)
{
    (void)state;
    static const struct {
        enum job_kind kind;
        const char *out;
    } rows[] = {{JOB_DO, "1\n2\n"}, {JOB_UNDO, "1\n2\n3\n4\n"}};
    for (size_t i = 0; i < 2; i++) {
        struct runner_world w;
        struct task task;
        char text[64];
        make_world(&w, PATIENCE);
        task_make(&task, rows[i].kind);
        for (int n = 1; n <= 4; n++)
            ADD(&task, "echo %d >>%s/out; exit %d", n, w.bench.dir, n == 2);
        runner_submit(w.runner, &task.job);
        finish(&w, &task);
        assert_false(task.success);
        assert_string_equal(bench_read(&w.bench, "out", text, sizeof(text)), rows[i].out);
        end_world(&w);
    }
}

/* Processes of `pid` and its like: a zombie that its new parent didn't reap yet is gone, too. */
static bool is_gone(void *arg)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", *(int *)arg);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[got] = '\0';
    const char *paren = strrchr(text, ')');
    return !paren || paren[2] == 'Z' || paren[2] == 'X';
}

static int read_pid(const struct runner_world *w)
{
    char text[32];
    int pid = atoi(bench_read(&w->bench, "pid", text, sizeof(text)));
    assert_true(pid > 1);
    return pid;
}

static void the_limit_kills_the_whole_group(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    make_world(&w, 400 * MS);
    task_make(&task, JOB_DO);
    ADD(&task, "trap '' TERM INT HUP; sh -c 'echo $$ >%s/pid; exec sleep 1000' & wait; sleep 1000",
        w.bench.dir);
    ADD(&task, "echo never >>%s/out", w.bench.dir);
    int64_t begin = clock_now();
    runner_submit(w.runner, &task.job);
    finish(&w, &task);
    assert_false(task.success);
    assert_true(clock_now() - begin >= 400 * MS);
    int pid = read_pid(&w);
    bench_until(&w.bench, is_gone, &pid);
    assert_false(bench_exists(&w.bench, "out"));
    assert_int_equal(bench_count(&w.bench, "log", "took longer than"), 1);
    end_world(&w);
}

/* A command ends; what it left behind holds its output open, and is killed with it. */
static void what_is_left_behind_delays_nothing(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_DO);
    ADD(&task, "sleep 1000 & echo $! >%s/pid; echo said", w.bench.dir);
    runner_submit(w.runner, &task.job);
    finish(&w, &task);
    assert_true(task.success);
    int pid = read_pid(&w);
    bench_until(&w.bench, is_gone, &pid);
    assert_int_equal(bench_count(&w.bench, "log", "test: output: said"), 1);
    end_world(&w);
}

static void run_again(struct runner_world *w, struct task *task)
{
    task->done = 0;
    runner_submit(w->runner, &task->job);
    bench_until(&w->bench, is_done, task);
    assert_false(task->success);
}

/* What runs again and again tells the same but once, for those who don't debug, and what is new at
 * once. */
static void what_was_told_is_not_repeated(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    struct runner_told *told = NULL;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_UNDO);
    task.job.told = &told;
    ADD(&task, "echo same; [ -e %s/go ] && echo new; echo twice; echo twice; exit 3", w.bench.dir);
    ADD(&task, "echo same; exit 4");
    for (unsigned run = 1; run <= 4; run++) {
        if (run == 3)
            bench_write(&w.bench, "go", "");
        run_again(&w, &task);
        assert_int_equal(bench_count(&w.bench, "log", "knockd: test: output: new\n"), run >= 3);
        assert_int_equal(bench_count(&w.bench, "log", "knockd: test: output: same\n"), 2);
        assert_int_equal(bench_count(&w.bench, "log", "knockd: test: output: twice\n"), 1);
        assert_int_equal(bench_count(&w.bench, "log", "command exited with status 3"), run);
        assert_int_equal(bench_count(&w.bench, "log", "warning: test: command exited"), 2);
    }
    free(told);
    task_free(&task);
    end_world(&w);
}

/* All of it, however: who reads the log of that day alone is to know. */
static void what_was_told_is_told_again_rarely(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    struct runner_told *told = NULL;
    unsigned times = 0;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_UNDO);
    task.job.told = &told;
    ADD(&task, "i=0; while [ $i -lt 12 ]; do echo line $i; i=$((i+1)); done; exit 3");
    for (unsigned run = 1; run <= 2 * RUNNER_TOLD_AGAIN; run++) {
        times += run == 1 || run == RUNNER_TOLD_AGAIN || run == 2 * RUNNER_TOLD_AGAIN;
        run_again(&w, &task);
        assert_int_equal(bench_count(&w.bench, "log", "knockd: test: output: line 9\n"), times);
        assert_int_equal(bench_count(&w.bench, "log", "knockd: test: output: line 10\n"), 0);
        assert_int_equal(bench_count(&w.bench, "log",
                                     "knockd: test: output: more was written and is left out"),
                         times);
        assert_int_equal(
            bench_count(&w.bench, "log", "warning: test: command exited with status 3"), times);
    }
    free(told);
    task_free(&task);
    end_world(&w);
}

/* Nor what a check tells that can't tell. */
static void a_check_that_cannot_tell_says_so_once(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    struct runner_told *told = NULL;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_DO);
    task.job.quiet = true;
    task.job.told = &told;
    ADD(&task, "exit 2");
    run_again(&w, &task);
    run_again(&w, &task);
    assert_int_equal(bench_count(&w.bench, "log", "warning: test: command exited with status 2"),
                     1);
    free(told);
    task_free(&task);
    end_world(&w);
}

/* Nor that a command can't be started: a thousand doors that try each second would fill the disk.
 */
static void what_cannot_start_says_so_once(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    struct runner_told *told = NULL;
    struct rlimit usual, none;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_UNDO);
    task.job.told = &told;
    ADD(&task, "exit 0");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (unsigned run = 1; run <= 3; run++)
        run_again(&w, &task);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(bench_count(&w.bench, "log", "error: test: can't start "), 1);
    free(told);
    task_free(&task);
    end_world(&w);
}

/* A command that closes its output still runs; one that leaves its group holds nobody up. */
static void output_and_life_are_apart(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_DO);
    ADD(&task,
        "exec >/dev/null 2>&1; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; "
        "echo late >%s/out",
        w.bench.dir);
    ADD(&task,
        "setsid sh -c 'echo $$ >%s/pid; exec sleep 1000' & "
        "until [ -s %s/pid ]; do :; done",
        w.bench.dir, w.bench.dir);
    runner_submit(w.runner, &task.job);
    finish(&w, &task);
    assert_true(task.success);
    assert_true(bench_exists(&w.bench, "out"));
    kill(read_pid(&w), SIGKILL);
    end_world(&w);
}

/* Has `command` run `program` in place of its own. */
static void use_program(struct command *command, const char *program)
{
    size_t first = strlen(command->text) + 1, rest = command->size - first;
    char *text = malloc(strlen(program) + 1 + rest);
    assert_non_null(text);
    strcpy(text, program);
    memcpy(text + strlen(program) + 1, command->text + first, rest);
    free(command->text);
    *command = (struct command){command->words, strlen(program) + 1 + rest, text};
}

/* What the caller is stays its own, however it starts its child. */
static void assert_world_is_as_before(int leak, const char *cwd)
{
    char now[256];
    struct sigaction action;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigaction(SIGPIPE, NULL, &action);
    assert_true(sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGTERM));
    assert_true(action.sa_handler == SIG_IGN);
    assert_int_equal(fcntl(leak, F_GETFD), 0);
    assert_string_equal(getcwd(now, sizeof(now)), cwd);
    assert_non_null(getenv("LD_TEST"));
}

/* `far`: by programs outside of the system's folders. */
static void check_world(bool far)
{
    struct runner_world w;
    struct task task;
    char text[1024], cwd[256], shell[128], grep[160];
    make_world(&w, PATIENCE);
    /* What mustn't be inherited: a descriptor, variables, a handler, a mask, a place. */
    int leak = fcntl(STDIN_FILENO, F_DUPFD, 40);
    sigset_t mask, old;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, &old);
    signal(SIGPIPE, SIG_IGN);
    setenv("LD_TEST", "1", 1);
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    task_make(&task, JOB_DO);
    ADD(&task,
        "exec >>%s/out; tr '\\0' '\\n' </proc/$$/environ; ls /proc/$$/fd; "
        "readlink /proc/$$/fd/0; readlink /proc/$$/cwd; tty; true",
        w.bench.dir);
    /* Asked without a shell, which sets its own mask; 32 and 33 are the C library's own. */
    add_program(&task, "/bin/grep\0-E\0^Sig(Blk|Ign)\0/proc/self/status", 4);
    bench_path(&w.bench, "sh", shell);
    bench_path(&w.bench, "grep", grep);
    if (far) {
        assert_int_equal(symlink("/bin/sh", shell) | symlink("/bin/grep", grep), 0);
        use_program(&task.items[0], shell);
        use_program(&task.items[1], grep);
    }
    runner_submit(w.runner, &task.job);
    bench_until(&w.bench, is_done, &task);
    assert_world_is_as_before(leak, cwd);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    unsetenv("LD_TEST");
    close(leak);
    unlink(shell);
    unlink(grep);
    bench_read(&w.bench, "out", text, sizeof(text));
    unsigned masks = bench_count(&w.bench, "log", "SigBlk:\\x090000000000000000\n") +
                     bench_count(&w.bench, "log", "SigIgn:\\x090000000000000000\n") +
                     bench_count(&w.bench, "log", "SigIgn:\\x090000000180000000\n");
    finish(&w, &task);
    end_world(&w);
    assert_string_equal(text, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n0\n1\n2\n"
                              "/dev/null\n/\nnot a tty\n");
    assert_int_equal(masks, 2);
}

/* A child shares our memory until it executes a program of the system's; of another it doesn't. */
static void the_world_is_built_for_it(void **state)
{
    (void)state;
    check_world(false);
    check_world(true);
}

/* Lines of a command come to the log encoded, some of them, none too long; NULs don't hide any. */
static void output_is_logged_in_part(void **state)
{
    (void)state;
    struct runner_world w;
    struct task task;
    make_world(&w, PATIENCE);
    task_make(&task, JOB_DO);
    ADD(&task, "printf 'one\\ntwo\\033[2J\\n\\n'; echo three >&2; printf 'a\\000b'");
    ADD(&task, "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line; done");
    ADD(&task, "head -c 100000 /dev/zero | tr '\\0' x");
    runner_submit(w.runner, &task.job);
    finish(&w, &task);
    assert_true(task.success);
    static const struct {
        const char *part;
        unsigned count;
    } rows[] = {{"test: output: one\n", 1},   {"test: output: two\\x1b[2J\n", 1},
                {"test: output: three\n", 1}, {"test: output: ab\n", 1},
                {"test: output: \n", 0},      {"test: output: line\n", 10},
                {"more was written", 1},      {"test: output: xxxxxxxx", 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        unsigned count = bench_count(&w.bench, "log", rows[i].part);
        if (count == rows[i].count)
            continue;
        bench_speak(&w.bench);
        fail_msg("%s: %u times", rows[i].part, count);
    }
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_decides),
        cmocka_unit_test(what_was_told_is_not_repeated),
        cmocka_unit_test(what_was_told_is_told_again_rarely),
        cmocka_unit_test(what_cannot_start_says_so_once),
        cmocka_unit_test(a_check_that_cannot_tell_says_so_once),
        cmocka_unit_test(programs_that_cannot_be_executed_fail),
        cmocka_unit_test(a_do_stops_where_it_fails_an_undo_goes_on),
        cmocka_unit_test(the_limit_kills_the_whole_group),
        cmocka_unit_test(what_is_left_behind_delays_nothing),
        cmocka_unit_test(output_and_life_are_apart),
        cmocka_unit_test(the_world_is_built_for_it),
        cmocka_unit_test(output_is_logged_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
