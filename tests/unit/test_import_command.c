/*
 * Commands of another knockd as ours: which are plain words, which take a shell, and that both do
 * what the shell did before, tried with the shell itself.
 */
#include "import_help.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "keeper/template.h"
#include "lib/shell_syntax.h"

static const struct import_programs usual = {usual_program, NULL};

static void check_command(const char *old, const char *ours)
{
    struct import_command command;
    assert_true(import_command(old, &usual, false, &command));
    if (!command.text)
        assert_string_equal(command.why, ours);
    else
        assert_string_equal(command.text, ours);
    import_command_free(&command);
}

static void plain_words_stay(void **state)
{
    static const char *const commands[][2] = {
        {"iptables -A INPUT -s %IP% -j ACCEPT", "iptables -A INPUT -s %IP% -j ACCEPT"},
        {"iptables -A INPUT ! -s %IP%/32", "iptables -A INPUT ! -s %IP%/32"},
        {"ufw allow from %IP% to any port 22", "ufw allow from %IP% to any port 22"},
        {"nft add element inet filter k '{ %IP% }'", "nft add element inet filter k '{ %IP% }'"},
        {"nft add element inet filter k { %IP% }", "nft add element inet filter k { %IP% }"},
        {"firewall-cmd --add-rich-rule='rule source address=\"%IP%\" accept'",
         "firewall-cmd --add-rich-rule='rule source address=\"%IP%\" accept'"},
        {"/bin/echo 100% %ip% %PORT%", "/bin/echo 100%% %%ip%% %%PORT%%"},
        {"/bin/echo %%IP%%", "/bin/echo %%%IP%%%"},
        {"/bin/echo a#b # c'd", "/bin/echo a#b"},
        {"/bin/echo '$HOME `x` ; | &'", "/bin/echo '$HOME `x` ; | &'"},
        {"knock_add -i -f %IP%", "/usr/local/sbin/knock_add -i -f %IP%"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        check_command(commands[i][0], commands[i][1]);
}

static void a_shell_gets_the_address(void **state)
{
    static const char *const commands[][2] = {
        {"a %IP% && b %IP%", "/bin/sh -c 'a \"$1\" && b \"$1\"' sh %IP%"},
        {"echo \"it is %IP%\" >>/x", "/bin/sh -c 'echo \"it is $1\" >>/x' sh %IP%"},
        {"echo 'it is %IP%' >>/x", "/bin/sh -c 'echo \"it is $1\" >>/x' sh %IP%"},
        {"echo $HOME 5%", "/bin/sh -c 'echo $HOME 5%%' sh %IP%"},
        {"echo \"$(f %IP%)\"", "/bin/sh -c 'echo \"$(f $1)\"' sh %IP%"},
        {"f() { ipset add k $1; }; f %IP%",
         "/bin/sh -c 'knock_ip=$1; f() { ipset add k $1; }; f \"${knock_ip}\"' sh %IP%"},
        {"bin/printf x", "/bin/sh -c 'bin/printf x' sh %IP%"},
        {"knock_add %IP% && x",
         "/bin/sh -c 'PATH=/usr/local/sbin:/usr/local/bin:$PATH; knock_add \"$1\" && x' sh %IP%"},
        {"/opt/knock_add && x", "/bin/sh -c '/opt/knock_add && x' sh %IP%"},
        {"cd /x", "/bin/sh -c 'cd /x' sh %IP%"},
        {"X=1 /bin/echo", "/bin/sh -c 'X=1 /bin/echo' sh %IP%"},
        {"nowhere %IP%", "/bin/sh -c 'nowhere \"$1\"' sh %IP%"},
        {"sh -c 'echo %IP% 5%; x'", "sh -c 'echo \"$1\" 5%%; x' sh %IP%"},
        {"bash -c \"echo %IP%\"", "bash -c 'echo \"$1\"' sh %IP%"},
        {"sh -c 'echo a & echo b;'", "sh -c 'trap wait EXIT; echo a & echo b;' sh %IP%"},
        {"sh -c 'echo a && echo b'", "sh -c 'echo a && echo b'"},
        {"bash -c '(echo a &>/x)'", "bash -c '(echo a &>/x)'"},
        {"echo a &", "/bin/sh -c 'trap wait EXIT; echo a &' sh %IP%"},
        {"echo a & echo b;", "/bin/sh -c 'trap wait EXIT; echo a & echo b;' sh %IP%"},
        {"echo a &>/x", "/bin/sh -c 'trap wait EXIT; echo a &>/x' sh %IP%"},
        {"bash -c 'echo %IP% &>/x'", "bash -c 'echo \"$1\" &>/x' sh %IP%"},
        {"snmptrap a & find . -exec b %IP% \\;&",
         "/bin/sh -c 'trap wait EXIT; snmptrap a & find . -exec b \"$1\" \\;&' sh %IP%"},
        {"exec 2>/x; echo a & exec >/y",
         "/bin/sh -c 'trap wait EXIT; exec 2>/x; echo a & exec >/y' sh %IP%"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        check_command(commands[i][0], commands[i][1]);
}

static void what_is_unsure_is_refused(void **state)
{
    static const char *const commands[] = {
        "echo \\%IP%", "echo $%IP%", "echo 'x", "echo \"x", "echo $(x", "echo x\\",
        "echo \x01 %IP%", "echo \\\x01", "echo \"`x \"%IP%\"`\"", "# x", "echo ${x:-'%IP%'}",
        "echo $(case x in x) %IP%;; esac)",
        /* what no wait of the shell would wait for */
        "(a &)", "b; (a & c)", "sh -c '(a &)'", "x=$(a & b)", "echo \"`a & b`\"", "a & exec b",
        "exec\tb &>/x", "a & trap b EXIT", "a & {trap b 0; }; trap",
        "a | while read b; do c & done", "{ a & } | b", "f() { a & }; f | b"};
    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        struct import_command command;
        assert_true(import_command(commands[i], &usual, false, &command));
        assert_null(command.text);
        assert_non_null(command.why);
    }
}

static void what_needs_a_look_is_told(void **state)
{
    struct import_command command;
    (void)state;
    assert_true(import_command("nowhere %IP%", &usual, false, &command));
    assert_true(command.missing);
    assert_string_equal(command.name, "nowhere");
    import_command_free(&command);
    assert_true(import_command("\"iptables -A INPUT\"", &usual, false, &command));
    assert_true(command.quoted && command.shell);
    import_command_free(&command);
    assert_true(import_command("a; sleep 2m; b; sleep 30 # c", &usual, false, &command));
    assert_int_equal(command.sleeps, 150);
    assert_true(command.commented);
    import_command_free(&command);
    assert_true(import_command("a 2>&1 && b |& d; c >&2", &usual, false, &command));
    assert_false(command.background || command.both);
    import_command_free(&command);
    assert_true(import_command("a &>x", &usual, false, &command));
    assert_true(command.both && !command.background);
    import_command_free(&command);
    assert_true(import_command("bash -c 'a %IP% &>x'", &usual, false, &command));
    assert_false(command.background || command.both);
    import_command_free(&command);
    assert_true(import_command("a \\>& b", &usual, false, &command));
    assert_true(command.background);
    import_command_free(&command);
    assert_true(import_command("echo \"$1\" $*", &usual, false, &command));
    assert_true(command.arguments);
    import_command_free(&command);
}

/* --- the same as before, by the shell's own judgement --- */

/* Returns the exit status as a shell has it: that of one killed by a signal is 128 and more. */
static int run(char *const argv[], char *out, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(ends[1], 1);
        dup2(null, 2);
        if (chdir("/") == 0)
            execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t got; len < size - 1 && (got = read(ends[0], out + len, size - 1 - len)) > 0;)
        len += (size_t)got;
    out[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define ADDRESS "2001:db8::7"

/* `check`: only asks the shell whether its syntax is right. */
static int run_old(const char *old, bool check, char *out, size_t size)
{
    char text[4096] = "";
    for (const char *p = old; *p;) {
        bool here = strncmp(p, "%IP%", 4) == 0;
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, here ? ADDRESS : "%c", *p);
        p += here ? 4 : 1;
    }
    char *argv[] = {"/bin/sh", check ? "-nc" : "-c", text, NULL};
    return run(argv, out, size);
}

static int run_ours(const char *ours, bool check, char *out, size_t size)
{
    static struct words words;
    struct values values = {.ip = ADDRESS};
    char why[160] = "", path[4100], *argv[WORDS_MAX + 1], *word = words.text;
    assert_true(template_expand(ours, &values, &words, why, sizeof(why)));
    for (unsigned i = 0; i < words.count; i++, word += strlen(word) + 1)
        argv[i] = word;
    argv[words.count] = NULL;
    snprintf(path, sizeof(path), "%s%s", strchr(argv[0], '/') ? "" : "/usr/bin/", argv[0]);
    argv[0] = path;
    if (check)
        argv[1] = "-nc";
    return run(argv, out, size);
}

#define INNER_JOB "; sh -c 'printf k%IP% & exit 7;'"

static const char *const fragments[] = {
    " ",
    " ",
    " ",
    " %IP% ",
    "%IP%",
    "\"%IP%\"",
    "'%IP%'",
    "'a b'",
    "\"a  b\"",
    "'$X %IP%'",
    "\"$X %IP%\"",
    "\"'%IP%'\"",
    "'\"%IP%\"'",
    "; printf '<%s>' y%IP%",
    " && printf z",
    " || printf w",
    " | cat",
    "$(printf '%s' %IP%)",
    "\"$(printf '%s' '%IP%')\"",
    "`printf q`",
    "100%",
    "%%",
    "\\%IP%",
    " # c",
    "{",
    "}",
    "!",
    "~",
    "$((1+2))",
    "${X:-%IP%}",
    " 2>/dev/null",

    "*none*",
    "\xc3\xa9",
    "\"",
    "'",
    "\\",
    "$",
    "x",
    "=",
    "a=1",
    "$1",
    "\t",
    "sh -c 'printf %IP%'",
    "; (printf %IP%; printf b)",
    "\\\"",
    "\"\\$\"",
    "[a]",
    "#",
    "; f() { printf '<%s>' \"$1\" %IP%; }; f 5",
    " &",
    "&",
    " & printf v%IP%",
    "; { printf u & }",
    "; { (exit 5) & };",
    "; (printf s &)",
    " & (exit 4)",
    " & printf '<%s>' ",
    " &>/dev/null",
    ";",
    "; ",
    " ;\t",
    "; false",
    "; ! true",
    "; exit 3",
    "; exec printf e",
    "; exec 2>/dev/null",
    "; trap 'printf t' EXIT",
    "; set -e; false; printf r",
    INNER_JOB,
    "; if false; then printf p & else (exit 6); fi",
};

static int compare_chars(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

/* What runs in the background prints in any order. */
static void sort_text(char *text)
{
    qsort(text, strlen(text), 1, compare_chars);
}

static void compare_runs(const char *old, const struct import_command *command)
{
    char before[8192], now[8192];
    int status_before = run_old(old, false, before, sizeof(before));
    int status_now = run_ours(command->text, false, now, sizeof(now));
    if (command->background || command->both || strstr(old, INNER_JOB)) {
        sort_text(before);
        sort_text(now);
    }
    if (strcmp(before, now) != 0 || status_now != status_before)
        print_message("# %s\n# %s\n", old, command->text);
    assert_string_equal(now, before);
    assert_int_equal(status_now, status_before);
}

static void compare_syntax(const char *old, const struct import_command *command)
{
    char out[8192];
    if (run_old(old, true, out, sizeof(out)) != 0)
        return;
    if (command->shell && run_ours(command->text, true, out, sizeof(out)) != 0)
        fail_msg("its syntax became wrong: %s\n%s", old, command->text);
}

static void random_commands_do_the_same(void **state)
{
    enum { RUNS = 800, COUNT = sizeof(fragments) / sizeof(*fragments) };
    unsigned compared = 0, plain = 0, background = 0;
    (void)state;
    draw_seed();
    for (int i = 0; i < RUNS; i++) {
        char old[2048] = "printf <%s> ";
        struct import_command command;
        struct command_word word;
        if (draw(2))
            strcpy(old, "printf '<%s>' ");
        for (unsigned n = 1 + draw(6); n > 0; n--)
            strcat(old, fragments[draw(COUNT)]);
        assert_true(import_command(old, &usual, draw(4) == 0, &command));
        if (!command.text)
            continue;
        assert_int_equal(shell_syntax_find(command.text, &word), SHELL_NOTHING);
        compare_syntax(old, &command);
        if (!command.arguments && !strstr(old, "$$")) {
            compare_runs(old, &command);
            compared++;
            plain += !command.shell;
            background += command.background;
        }
        import_command_free(&command);
    }
    print_message("# %u compared, %u of them plain, %u in the background\n", compared, plain,
                  background);
    assert_in_range(compared, RUNS / 4, RUNS);
    assert_in_range(plain, 10, RUNS);
    assert_in_range(background, 10, RUNS);
}

/* Runs `end` behind a job in the background: the same status as before, and the job is waited for,
 * which writes to a file, since a pipe would have the test wait for it. */
static void check_waits(const char *path, const char *end)
{
    char old[512], out[64], late[8] = "";
    struct import_command command;
    snprintf(old, sizeof(old), "(sleep 0.2; echo late) >%s & %s", path, end);
    int before = run_old(old, false, out, sizeof(out));
    struct stat about = {0};
    for (int i = 0; i < 3000 && about.st_size == 0; i++, usleep(10000))
        assert_int_equal(stat(path, &about), 0);
    assert_true(about.st_size > 0);
    assert_int_equal(truncate(path, 0), 0);
    assert_true(import_command(old, &usual, false, &command));
    assert_non_null(command.text);
    compare_syntax(old, &command);
    int now = run_ours(command.text, false, out, sizeof(out));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    if (!fgets(late, sizeof(late), file) || now != before)
        fail_msg("%s: status %d became %d, \"%s\"", command.text, before, now, late);
    fclose(file);
    import_command_free(&command);
}

static void jobs_are_waited_for(void **state)
{
    static const char *const ends[] = {"",
                                       "true",
                                       "false",
                                       "false;",
                                       "false; ",
                                       "{ false; };",
                                       "(exit 3)",
                                       "exit 4",
                                       "exit 5;",
                                       "false &",
                                       "false; true &",
                                       "/bin/sh -c 'exit 6'",
                                       "/bin/sh -c 'kill -9 $$'",
                                       "/nowhere/x",
                                       "set -e; false; true",
                                       "false || exit",
                                       "f() { return 7; }; f",
                                       "if false; then true & else false; fi",
                                       "false &>/dev/null",
                                       "false # c"};
    char path[] = "/tmp/test_import_command.XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        check_waits(path, ends[i]);
    unlink(path);
}

/* --- rules --- */

static void check_rule(const char *start, const char *stop, const char *rule)
{
    struct import_command a, b;
    struct import_rule out;
    assert_true(import_command(start, &usual, false, &a));
    assert_true(import_command(stop, &usual, false, &b));
    assert_true(import_rule(&a, &b, &out));
    if (rule && !out.text)
        print_message("# %s\n", start);
    if (rule)
        assert_string_equal(out.text, rule);
    else
        assert_null(out.text);
    free(out.text);
    import_command_free(&a);
    import_command_free(&b);
}

static void pairs_become_rules(void **state)
{
    static const char *const words[][2] = {
        {"INPUT -s %IP% -j ACCEPT", "INPUT -s %IP% -j ACCEPT"},
        {"INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", "INPUT -s %IP% -p tcp --dport 22 -j ACCEPT"},
        {"INPUT -s %IP% -p tcp --syn -j ACCEPT", "INPUT -s %IP% -p tcp --syn -j ACCEPT"},
        {"INPUT -i eth0 -s %IP%/32 -p udp -m udp --dport 1194 -j ACCEPT",
         "INPUT -i eth0 -s %IP%/32 -p udp -m udp --dport 1194 -j ACCEPT"},
        {"INPUT -s %IP% -p tcp -m multiport --dports 22,80 -m comment --comment \"my door\" -j ACCEPT",
         "INPUT -s %IP% -p tcp -m multiport --dports 22,80 -m comment --comment 'my door' -j "
         "ACCEPT"},
        {"INPUT -s %IP% -m state --state NEW,ESTABLISHED -j ACCEPT",
         "INPUT -s %IP% -m state --state NEW,ESTABLISHED -j ACCEPT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        char start[256], stop[256];
        snprintf(start, sizeof(start), "iptables -I %s", words[i][0]);
        snprintf(stop, sizeof(stop), "iptables -w 5 -D %s", words[i][0]);
        check_rule(start, stop, words[i][1]);
        snprintf(start, sizeof(start), "/sbin/iptables -w -A %s", words[i][0]);
        check_rule(start, stop, words[i][1]);
    }
    check_rule("iptables -I INPUT 1 -s %IP% -j ACCEPT", "iptables -D INPUT -s %IP% -j ACCEPT",
               "INPUT -s %IP% -j ACCEPT");
    check_rule("iptables -t nat -A PREROUTING -s %IP% -p tcp --dport 2222 -j DNAT "
               "--to-destination 10.0.0.5:22",
               "iptables -t nat -D PREROUTING -s %IP% -p tcp --dport 2222 -j DNAT "
               "--to-destination 10.0.0.5:22",
               "-t nat PREROUTING -s %IP% -p tcp --dport 2222 -j DNAT --to-destination "
               "10.0.0.5:22");
}

static void others_stay_commands(void **state)
{
    static const char *const pairs[][2] = {
        {"iptables -A INPUT -s %IP% -j ACCEPT", "iptables -D INPUT -s %IP% -j DROP"},
        {"iptables -A INPUT -s %IP% -j ACCEPT", "ip6tables -D INPUT -s %IP% -j ACCEPT"},
        {"iptables -I INPUT 5 -s %IP% -j ACCEPT", "iptables -D INPUT -s %IP% -j ACCEPT"},
        {"iptables -I INPUT 5 -s %IP% -j ACCEPT", "iptables -D INPUT 5"},
        {"iptables -A INPUT -p tcp --dport 22 -j ACCEPT",
         "iptables -D INPUT -p tcp --dport 22 -j ACCEPT"},
        /* what iptables itself refuses */
        {"iptables -A INPUT -s %IP% --dport 22 -j ACCEPT",
         "iptables -D INPUT -s %IP% --dport 22 -j ACCEPT"},
        {"iptables -A INPUT -s %IP% -p tcp --dport 0 -j ACCEPT",
         "iptables -D INPUT -s %IP% -p tcp --dport 0 -j ACCEPT"},
        {"iptables -A INPUT -s %IP% -p tcp -m multiport -j ACCEPT",
         "iptables -D INPUT -s %IP% -p tcp -m multiport -j ACCEPT"},
        {"iptables -A INPUT -s %IP%", "iptables -D INPUT -s %IP%"},
        {"iptables -A INPUT -s %IP% -s %IP% -j ACCEPT",
         "iptables -D INPUT -s %IP% -s %IP% -j ACCEPT"},
        {"iptables -A OUTPUT -i eth0 -s %IP% -j ACCEPT",
         "iptables -D OUTPUT -i eth0 -s %IP% -j ACCEPT"},
        {"iptables -A INPUT -s %IP% -j ACCEPT && x", "iptables -D INPUT -s %IP% -j ACCEPT"},
        {"iptables -D INPUT -s %IP% -j DROP", "iptables -A INPUT -s %IP% -j DROP"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        check_rule(pairs[i][0], pairs[i][1], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_words_stay),
        cmocka_unit_test(a_shell_gets_the_address),
        cmocka_unit_test(what_is_unsure_is_refused),
        cmocka_unit_test(what_needs_a_look_is_told),
        cmocka_unit_test(random_commands_do_the_same),
        cmocka_unit_test(jobs_are_waited_for),
        cmocka_unit_test(pairs_become_rules),
        cmocka_unit_test(others_stay_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
