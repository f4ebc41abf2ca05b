/* The command line, and what a service manager is told through the environment's socket. */
#include "keeper_help.h"

#include <getopt.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "knockd/notify.h"
#include "knockd/options.h"

/* Splits `line` at blanks and reads it; optind 0 makes getopt begin anew. */
static bool parse(const char *line, struct options *out)
{
    static char copy[256], *argv[16];
    int argc = 0;
    snprintf(copy, sizeof(copy), "knockd %s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0;
    return options_parse(argc, argv, out);
}

static void reads_the_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        struct options want;
    } rows[] = {
        {"", {.mode = MODE_RUN, .config = DEFAULT_CONFIG}},
        {"-f", {.mode = MODE_RUN, .config = DEFAULT_CONFIG}},
        {"-d", {.mode = MODE_RUN, .config = DEFAULT_CONFIG, .background = true}},
        {"-d -f", {.mode = MODE_RUN, .config = DEFAULT_CONFIG}},
        {"--daemon", {.mode = MODE_RUN, .config = DEFAULT_CONFIG, .background = true}},
        {"-v", {.mode = MODE_RUN, .config = DEFAULT_CONFIG, .debug = true}},
        {"-D", {.mode = MODE_RUN, .config = DEFAULT_CONFIG, .debug = true}},
        {"--verbose", {.mode = MODE_RUN, .config = DEFAULT_CONFIG, .debug = true}},
        {"--debug --foreground", {.mode = MODE_RUN, .config = DEFAULT_CONFIG, .debug = true}},
        {"-c x.conf", {.mode = MODE_RUN, .config = "x.conf", .config_given = true}},
        {"-cx.conf -c y.conf", {.mode = MODE_RUN, .config = "y.conf", .config_given = true}},
        {"--config=x.conf", {.mode = MODE_RUN, .config = "x.conf", .config_given = true}},
        {"--config x.conf --test", {.mode = MODE_TEST, .config = "x.conf", .config_given = true}},
        {"-tdvc x.conf",
         {.mode = MODE_TEST,
          .config = "x.conf",
          .config_given = true,
          .background = true,
          .debug = true}},
        {"-V", {.mode = MODE_VERSION, .config = DEFAULT_CONFIG}},
        {"--version", {.mode = MODE_VERSION, .config = DEFAULT_CONFIG}},
        {"-h", {.mode = MODE_HELP, .config = DEFAULT_CONFIG}},
        {"--help", {.mode = MODE_HELP, .config = DEFAULT_CONFIG}},
        {"-r log", {.mode = MODE_REPLAY, .config = DEFAULT_CONFIG, .log = "log"}},
        {"-r - -c x.conf",
         {.mode = MODE_REPLAY, .config = "x.conf", .config_given = true, .log = "-"}},
        {"--packets --replay=log",
         {.mode = MODE_REPLAY, .config = DEFAULT_CONFIG, .log = "log", .packets = true}},
        {"--close-all", {.mode = MODE_CLOSE_ALL, .config = DEFAULT_CONFIG}},
        {"--close-all -c x.conf",
         {.mode = MODE_CLOSE_ALL, .config = "x.conf", .config_given = true}},
        {"--close-all --state-dir /x",
         {.mode = MODE_CLOSE_ALL, .config = DEFAULT_CONFIG, .state_dir = "/x"}},
        {"--", {.mode = MODE_RUN, .config = DEFAULT_CONFIG}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct options got;
        if (!parse(rows[i].line, &got))
            fail_msg("'%s' was refused", rows[i].line);
        assert_string_equal(got.config, rows[i].want.config);
        assert_string_equal(got.log ? got.log : "", rows[i].want.log ? rows[i].want.log : "");
        assert_string_equal(got.state_dir ? got.state_dir : "",
                            rows[i].want.state_dir ? rows[i].want.state_dir : "");
        if (got.mode != rows[i].want.mode || got.config_given != rows[i].want.config_given ||
            got.packets != rows[i].want.packets || got.background != rows[i].want.background ||
            got.debug != rows[i].want.debug)
            fail_msg("'%s' was read as something else", rows[i].line);
    }
}

static void refuses_in_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"-x", "knockd: no such option: -x; see knockd --help"},
        {"-tx", "no such option: -x;"},
        {"--nonsense", "no such option: --nonsense; see knockd --help"},
        {"--tset", "knockd: no such option: --tset; did you mean --test?"},
        {"--confg=x", "no such option: --confg; did you mean --config?"},
        {"--ver", "2 options begin with --ver: write it out"},
        {"-c", "knockd: --config lacks its argument: --config FILE"},
        {"--config", "knockd: --config lacks its argument: --config FILE"},
        {"--test=yes", "--test takes no argument"},
        {"start", "unexpected argument 'start'"},
        {"-t knockd.conf", "unexpected argument 'knockd.conf'"},
        {"-r", "--replay lacks its argument: --replay FILE"},
        {"--packets", "say which: -r LOG"},
        {"--state-dir /x", "--state-dir goes with --close-all"},
        {"-t --state-dir /x", "--state-dir goes with --close-all"},
        {"--close-all -t", "-t, -r and --close-all exclude each other"},
        {"-t -r -", "-t, -r and --close-all exclude each other"},
        {"-r - --close-all", "-t, -r and --close-all exclude each other"},
        {"--close-all --state-dir x", "expected an absolute path"},
        {"--close-all --state-dir", "--state-dir lacks its argument"},
        {"-- -t", "unexpected argument '-t'"},
        {"-i eth0", "knockd: -i, --interface: "},
        {"-i", "`interface` of a door"},
        {"-ieth0", "`source`"},
        {"--interface=eth0", "knockd.conf(5)"},
        {"--interface eth0", "`interface` of a door"},
        {"-d -i eth0 -c x.conf", "knockd: -i, "},
        {"-l", "knockd: -l, --lookup: names are never looked up"},
        {"-vl", "knockd: -l, "},
        {"--lookup", "getent hosts"},
        {"-p /run/knockd.pid", "knockd: -p, --pidfile: no pid file is written"},
        {"--pidfile=/run/knockd.pid", "`state_dir`"},
        {"-g /var/log/knockd.log", "knockd: -g, --logfile: "},
        {"--logfile /var/log/knockd.log", "`facility`"},
        {"-4", "knockd: -4, --only-ip-v4: "},
        {"--only-ip-v4", "`allow = { \"0.0.0.0/0\" }`"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct bench b;
        struct options got;
        char text[512];
        const char *none[] = {NULL};
        bench_make(&b);
        bool ok = parse(rows[i].line, &got);
        fflush(stderr);
        bench_read(&b, "log", text, sizeof(text));
        bench_end(&b, none);
        assert_false(ok);
        const char *end = strchr(text, '\n');
        if (!strstr(text, rows[i].why) || !end || end[1] != '\0')
            fail_msg("'%s': %s", rows[i].line, text);
    }
}

static void usage_names_every_option(void **state)
{
    (void)state;
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof(text) - 1, "w");
    assert_non_null(out);
    options_usage(out);
    fclose(out);
    static const char *const names[] = {"-c, --config",  "-d, --daemon",  "-f, --foreground",
                                        "-t, --test",    "-v, --verbose", "-D, --debug",
                                        "-V, --version", "-h, --help",    DEFAULT_CONFIG,
                                        "-r, --replay",  "--packets",     "--close-all",
                                        "--state-dir"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_non_null(strstr(text, names[i]));
}

/* Binds a socket to `name`, "@..." being abstract, and points $NOTIFY_SOCKET to it. */
static int manager(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    memcpy(a.sun_path, name, len);
    if (*name == '@')
        a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void tells_the_manager(void **state)
{
    (void)state;
    struct bench b;
    char names[2][128], text[64];
    const char *made[] = {"notify", NULL};
    bench_make(&b);
    bench_path(&b, "notify", names[0]);
    snprintf(names[1], sizeof(names[1]), "@%s", b.dir);
    for (int i = 0; i < 2; i++) {
        int fd = manager(names[i]);
        notify_send("READY=1");
        notify_send("MAINPID=%d", 42);
        assert_int_equal(recv(fd, text, sizeof(text), 0), 7);
        assert_memory_equal(text, "READY=1", 7);
        assert_int_equal(recv(fd, text, sizeof(text), 0), 10);
        assert_memory_equal(text, "MAINPID=42", 10);
        close(fd);
        /* Nobody listens any more: nothing happens. */
        notify_send("STOPPING=1");
    }
    bench_end(&b, made);
}

/* A message longer than there is room for is cut, and what follows it in memory isn't sent. */
static void a_long_message_is_cut(void **state)
{
    (void)state;
    struct bench b;
    char name[128], status[1000], text[2000];
    const char *made[] = {"notify", NULL};
    bench_make(&b);
    bench_path(&b, "notify", name);
    int fd = manager(name);
    memset(status, 'x', sizeof(status));
    status[sizeof(status) - 1] = '\0';
    notify_send("STATUS=%s", status);
    ssize_t got = recv(fd, text, sizeof(text), 0);
    close(fd);
    bench_end(&b, made);
    assert_true(got > 0 && got < 300);
    for (ssize_t i = 7; i < got; i++)
        assert_int_equal(text[i], 'x');
}

static void nothing_without_a_socket(void **state)
{
    (void)state;
    static const char *const names[] = {"", "relative", "/no/such/folder/socket", "@", "/"};
    int before = open_count();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_send("READY=1");
    }
    char longest[300];
    memset(longest, '/', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_send("READY=1");
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    assert_int_equal(open_count(), before);
}

static void watchdog_intervals(void **state)
{
    (void)state;
    char own[16], other[16];
    snprintf(own, sizeof(own), "%d", (int)getpid());
    snprintf(other, sizeof(other), "%d", (int)getpid() + 1);
    const struct {
        const char *usec, *pid;
        int64_t interval;
    } rows[] = {
        {NULL, NULL, 0},
        {"30000000", NULL, 15 * CLOCK_SECOND},
        {"30000000", own, 15 * CLOCK_SECOND},
        {"30000000", other, 0},
        {"2", NULL, 1000},
        {"0", NULL, 0},
        {"-5", NULL, 0},
        {"", NULL, 0},
        {"soon", NULL, 0},
        {"9223372036854775807", NULL, 0},
        {"99999999999999999999", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (rows[i].usec)
            setenv("WATCHDOG_USEC", rows[i].usec, 1);
        if (rows[i].pid)
            setenv("WATCHDOG_PID", rows[i].pid, 1);
        assert_int_equal(notify_watchdog(), rows[i].interval);
    }
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_command_line),   cmocka_unit_test(refuses_in_one_line),
        cmocka_unit_test(usage_names_every_option), cmocka_unit_test(tells_the_manager),
        cmocka_unit_test(a_long_message_is_cut),    cmocka_unit_test(nothing_without_a_socket),
        cmocka_unit_test(watchdog_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
