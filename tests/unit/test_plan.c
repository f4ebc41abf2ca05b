/* What the doors of a configuration run: derived, chosen by family, checked before any knock. */
#include "config_help.h"

#include <errno.h>
#include <sys/stat.h>

#include "keeper/command.h"
#include "keeper/plan.h"
#include "keeper/program.h"

#define HEAD SOURCE "door d { sequence = { 9000, 7000, 8000 }\n"

/* A list of commands as it would run for `address`: words with | between, commands with ; behind.
 * Of the program only its name is shown, since its folder differs among systems, and so does which
 * iptables it is. */
static const char *show(const struct plan_list *list, const struct config_door *door,
                        const char *address)
{
    static char out[4096];
    struct commands commands;
    struct addr a;
    size_t used = 0;
    assert_true(addr_parse(address, strlen(address), &a));
    struct knock knock = knock_plain(door, NULL, &a, "sequence");
    assert_int_equal(commands_expand(list, &knock, &commands), 0);
    assert_int_equal(commands.count, list->count);
    for (unsigned i = 0; i < commands.count; i++) {
        const char *word = commands.items[i].text;
        assert_int_equal(*word, '/');
        const char *name = strrchr(word, '/') + 1;
        bool iptables = strncmp(name, "iptables-", 9) == 0 || strncmp(name, "ip6tables-", 10) == 0;
        int len = (int)(iptables ? strcspn(name, "-") : strlen(name));
        used += (size_t)sprintf(out + used, "%.*s", len, name);
        for (unsigned j = 1; j < commands.items[i].words; j++) {
            word += strlen(word) + 1;
            used += (size_t)sprintf(out + used, "|%s", word);
        }
        used += (size_t)sprintf(out + used, ";");
    }
    out[used] = '\0';
    commands_free(&commands);
    return out;
}

static void assert_plan(const struct plan *plan, const struct config_door *door,
                        const char *address, const char *const expected[3])
{
    assert_int_equal(plan->usable, expected[0] != NULL);
    if (!plan->usable)
        return;
    assert_string_equal(show(&plan->start, door, address), expected[0]);
    assert_string_equal(show(&plan->stop, door, address), expected[1]);
    assert_string_equal(show(&plan->extend, door, address), expected[2]);
}

struct plan_row {
    const char *door;        /* the keys of the door */
    const char *expected[6]; /* start, stop, extend for IPv4 and for IPv6; start NULL: not usable */
};

static void assert_plans(const struct plan_row *rows, size_t count)
{
    struct told told;
    begin(&told);
    for (size_t i = 0; i < count; i++) {
        char text[2048];
        snprintf(text, sizeof(text), HEAD "%s }\n", rows[i].door);
        struct config *config = load_text(&told, text);
        if (!config)
            fail_msg("%s:\n%s", text, told.lines);
        struct report report = {.say = hear, .arg = &told};
        told.lines[0] = '\0';
        struct plans *plans = plans_make(config, NULL, &report);
        if (!plans || report.warnings)
            fail_msg("%s:\n%s", text, told.lines);
        assert_plan(plans_get(plans, 0, 4), config->doors, "192.0.2.7", rows[i].expected);
        assert_plan(plans_get(plans, 0, 6), config->doors, "2001:DB8::0:7", rows[i].expected + 3);
        plans_free(plans);
        config_free(config);
    }
    end(&told);
}

static void rules_become_commands(void **state)
{
    (void)state;
    static const struct plan_row rows[] = {
        {"port = 22 rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT\"",
         {"iptables|-w|5|-I|INPUT|-s|192.0.2.7|-p|tcp|--dport|22|-j|ACCEPT;",
          "iptables|-w|5|-D|INPUT|-s|192.0.2.7|-p|tcp|--dport|22|-j|ACCEPT;", "",
          "ip6tables|-w|5|-I|INPUT|-s|2001:db8::7|-p|tcp|--dport|22|-j|ACCEPT;",
          "ip6tables|-w|5|-D|INPUT|-s|2001:db8::7|-p|tcp|--dport|22|-j|ACCEPT;", ""}},
        {"rule = \" -t nat PREROUTING -s %IP% -j REDIRECT\"",
         {"iptables|-w|5|-t|nat|-I|PREROUTING|-s|192.0.2.7|-j|REDIRECT;",
          "iptables|-w|5|-t|nat|-D|PREROUTING|-s|192.0.2.7|-j|REDIRECT;", "",
          "ip6tables|-w|5|-t|nat|-I|PREROUTING|-s|2001:db8::7|-j|REDIRECT;",
          "ip6tables|-w|5|-t|nat|-D|PREROUTING|-s|2001:db8::7|-j|REDIRECT;", ""}},
        {"rule = { \"A -j B\", \"-t\traw  C -m comment --comment 'x %DOOR%' -j D\", \"E\" }",
         {"iptables|-w|5|-I|A|-j|B;iptables|-w|5|-t|raw|-I|C|-m|comment|--comment|x d|-j|D;"
          "iptables|-w|5|-I|E;",
          "iptables|-w|5|-D|E;iptables|-w|5|-t|raw|-D|C|-m|comment|--comment|x d|-j|D;"
          "iptables|-w|5|-D|A|-j|B;",
          "",
          "ip6tables|-w|5|-I|A|-j|B;ip6tables|-w|5|-t|raw|-I|C|-m|comment|--comment|x d|-j|D;"
          "ip6tables|-w|5|-I|E;",
          "ip6tables|-w|5|-D|E;ip6tables|-w|5|-t|raw|-D|C|-m|comment|--comment|x d|-j|D;"
          "ip6tables|-w|5|-D|A|-j|B;",
          ""}},
        {"rule = \"INPUT -j ACCEPT\" extend_command = \"\" allow = { 192.0.2.0/24 }",
         {"iptables|-w|5|-I|INPUT|-j|ACCEPT;", "iptables|-w|5|-D|INPUT|-j|ACCEPT;", "", NULL}},
        {"rule = \"INPUT -j ACCEPT\" allow = { \"2001:db8::/32\" }",
         {NULL, NULL, NULL, "ip6tables|-w|5|-I|INPUT|-j|ACCEPT;",
          "ip6tables|-w|5|-D|INPUT|-j|ACCEPT;", ""}},
    };
    char *iptables = program_find("iptables"), *ip6tables = program_find("ip6tables");
    bool both = iptables && ip6tables;
    free(iptables);
    free(ip6tables);
    if (!both)
        skip();
    assert_plans(rows, sizeof(rows) / sizeof(*rows));
}

/* What can run in batches with others of its kind: each command that opens or closes. */
static void doors_run_together_or_alone(void **state)
{
    (void)state;
    static const struct {
        const char *door;
        bool together;
    } rows[] = {
        {"rule = \"INPUT -s %IP% -j ACCEPT\"", true},
        {"rule = { \"INPUT -s %IP% -j ACCEPT\", \"INPUT -s %IP% --unknown -j ACCEPT\" }", false},
        {"start_command = \"iptables -w -I INPUT -s %IP% -j ACCEPT\" "
         "stop_command = \"/bin/true %IP%\" allow = { 192.0.2.0/24 }",
         false},
        {"start_command = \"/bin/true\" stop_command = \"/bin/true\"", false},
    };
    char *iptables = program_find("iptables"), *ip6tables = program_find("ip6tables");
    bool both = iptables && ip6tables;
    free(iptables);
    free(ip6tables);
    if (!both)
        skip();
    struct told told;
    begin(&told);
    struct report report = {.say = hear, .arg = &told};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[2048];
        snprintf(text, sizeof(text), HEAD "%s }\n", rows[i].door);
        struct config *config = load_text(&told, text);
        assert_non_null(config);
        struct plans *plans = plans_make(config, NULL, &report);
        assert_non_null(plans);
        assert_int_equal(plans_get(plans, 0, 4)->together, rows[i].together);
        plans_free(plans);
        config_free(config);
    }
    end(&told);
}

/* What iptables would run for the first door of `door`, when comments work, or (`missing`) don't.
 */
static void assert_commented(const char *door, bool missing, const char *expected)
{
    struct told told;
    begin(&told);
    char text[2048];
    struct rule_comments comments = {{missing ? RULE_COMMENTS_MISSING : RULE_COMMENTS_WORK, 0}};
    snprintf(text, sizeof(text), SOURCE "%s", door);
    struct config *config = load_text(&told, text);
    if (!config)
        fail_msg("%s:\n%s", text, told.lines);
    struct report report = {.say = hear, .arg = &told};
    struct plans *plans = plans_make(config, &comments, &report);
    assert_non_null(plans);
    const struct plan *plan = plans_get(plans, 0, 4);
    assert_string_equal(show(&plan->start, config->doors, "192.0.2.7"), expected);
    /* It is undone and looked for by the same words. */
    char other[512];
    snprintf(other, sizeof(other), "%s", show(&plan->stop, config->doors, "192.0.2.7"));
    char *action = strstr(other, "|-D|");
    assert_non_null(action);
    action[2] = 'I';
    assert_string_equal(other, expected);
    assert_int_equal(plan->check.count, 1);
    plans_free(plans);
    config_free(config);
    end(&told);
}

static void rules_get_a_comment(void **state)
{
    (void)state;
#define KNOCKED " { sequence = { 9000, 7000, 8000 } rule = "
    static const char plain[] = "iptables|-w|5|-I|A|-s|192.0.2.7|-j|B;";
    static const struct {
        const char *door;
        bool missing;
        const char *expected;
    } rows[] = {
        {"door a.b-c_1" KNOCKED "'A -s %IP% -j B' }", false,
         "iptables|-w|5|-I|A|-s|192.0.2.7|-j|B|-m|comment|--comment|knockd a.b-c_1;"},
        {"door a" KNOCKED "'A -s %IP% -j B' }", true, plain},
        {"door a" KNOCKED "'A -s %IP% -j B' comment = no }", false, plain},
        {"door a" KNOCKED "'A -s %IP% -j B' }\ncomment = no", false, plain},
        {"comment = no\ndoor a" KNOCKED "'A -s %IP% -j B' comment = yes }", false,
         "iptables|-w|5|-I|A|-s|192.0.2.7|-j|B|-m|comment|--comment|knockd a;"},
        {"door a" KNOCKED "'A -s %IP% -m comment --comment \"my own\" -j B' }", false,
         "iptables|-w|5|-I|A|-s|192.0.2.7|-m|comment|--comment|my own|-j|B;"},
        {"door a" KNOCKED "'A -s %IP% -j B --match comment --comment=x' }", false,
         "iptables|-w|5|-I|A|-s|192.0.2.7|-j|B|--match|comment|--comment=x;"},
        {"door a" KNOCKED "'A -s %IP% -j B -m \"comment\" \"--comm\" x' }", false,
         "iptables|-w|5|-I|A|-s|192.0.2.7|-j|B|-m|comment|--comm|x;"},
        {"door a" KNOCKED "'A -s %IP% -j B --mat=comment --comm=x' }", false,
         "iptables|-w|5|-I|A|-s|192.0.2.7|-j|B|--mat=comment|--comm=x;"},
        {"door a" KNOCKED "'A -j LOG --log-prefix \"a --comment b\"' }", false,
         "iptables|-w|5|-I|A|-j|LOG|--log-prefix|a --comment b|-m|comment|--comment|knockd a;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_commented(rows[i].door, rows[i].missing, rows[i].expected);
}

static void families_have_their_commands(void **state)
{
    (void)state;
    static const struct plan_row rows[] = {
        {"start_command = \"echo %FAMILY% %IP%\" stop_command = \"true\"",
         {"echo|4|192.0.2.7;", "true;", "", "echo|6|2001:db8::7;", "true;", ""}},
        {"start_command = \"echo a\" stop_command = \"echo b\" extend_command = \"echo c\"",
         {"echo|a;", "echo|b;", "echo|c;", "echo|a;", "echo|b;", "echo|c;"}},
        {"start_command = { \"echo a\", \"/bin/echo 'b c' %TIMEOUT%\" } cmd_timeout = 90\n"
         "stop_command = { 'true', 'echo x' }",
         {"echo|a;echo|b c|90;", "true;echo|x;", "", "echo|a;echo|b c|90;", "true;echo|x;", ""}},
        {"start_command = \"echo a\" stop_command = \"echo b\" extend_command = \"echo c\"\n"
         "start_command_6 = \"echo A\" stop_command_6 = \"echo B\" extend_command_6 = \"echo C\"",
         {"echo|a;", "echo|b;", "echo|c;", "echo|A;", "echo|B;", "echo|C;"}},
        {"start_command = \"echo a\" stop_command = \"echo b\" start_command_6 = \"echo A\"",
         {"echo|a;", "echo|b;", "", "echo|A;", "echo|b;", ""}},
        {"start_command = \"echo a\" stop_command = \"echo b\" extend_command = \"echo c\"\n"
         "stop_command_6 = \"echo B\" extend_command_6 = \"\"",
         {"echo|a;", "echo|b;", "echo|c;", "echo|a;", "echo|B;", ""}},
        {"start_command = \"echo a\" stop_command = \"echo b\" start_command_6 = \"\"",
         {"echo|a;", "echo|b;", "", NULL}},
        {"start_command_6 = \"echo A\" stop_command_6 = \"echo B\"",
         {NULL, NULL, NULL, "echo|A;", "echo|B;", ""}},
        {"start_command = \"echo a\" stop_command = \"\"", {"echo|a;", "", "", "echo|a;", "", ""}},
        {"start_command = \"echo %PORT%/%PROTO%\" stop_command = true port = \"53:udp\"",
         {"echo|53/udp;", "true;", "", "echo|53/udp;", "true;", ""}},
    };
    assert_plans(rows, sizeof(rows) / sizeof(*rows));
}

/* Loads `text`, which config_load takes, and plans it; then compares what plans_make told of. */
static void assert_refused(struct told *told, const char *text, const char *expected)
{
    struct config *config = load_text(told, text);
    if (!config)
        fail_msg("%s:\n%s", text, told->lines);
    struct report report = {.say = hear, .arg = told};
    told->lines[0] = '\0';
    struct plans *plans = plans_make(config, NULL, &report);
    if (plans)
        fail_msg("%s\nwas planned", text);
    assert_told(text, told, expected);
    config_free(config);
}

static void assert_all_refused(const struct told_row *rows, size_t count)
{
    struct told told;
    begin(&told);
    for (size_t i = 0; i < count; i++) {
        char text[1024];
        snprintf(text, sizeof(text), HEAD "%s }\n", rows[i].text);
        assert_refused(&told, text, rows[i].expected);
    }
    end(&told);
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"start_command = \"no-such-program %IP%\"", "3: door \"d\": no-such-program: no such"},
        {"start_command = \"/no/such\"", "3: door \"d\": /no/such: No such file"},
        {"start_command = \"/bin\"", "3: door \"d\": /bin: Permission denied"},
        {"start_command = \"/etc/passwd\"", "3: door \"d\": /etc/passwd: Permission denied"},
        {"\nstart_command = \"echo %HOST%\"", "4: door \"d\": unknown placeholder %HOST%"},
        {"start_command = \"echo %PORT%\"", "3: door \"d\": nothing here gives a value to the"},
        {"start_command = \"echo %PROTO%\"", "3: placeholder %PROTO%"},
        {"start_command = \"echo %KEY%\"", "3: placeholder %KEY%"},
        {"start_command = \"echo 'a\"", "3: the quote ' isn't closed"},
        {"start_command = \"'' a\"", "3: the command is empty"},
        {"start_command = true stop_command = \"no-such\"", "3: no-such: no such"},
        {"start_command = true extend_command = \"no-such\"", "3: no-such: no such"},
        {"start_command = true\nstop_command_6 = \"no-such\"", "4: no-such: no such"},
        {"start_command = \"no-such\"\nstop_command = { \"true\",\n\"nor-this\", \"echo %X%\" }\n"
         "extend_command = \"echo '\"",
         "3: no-such: no such\n5: nor-this: no such\n5: unknown placeholder %X%\n"
         "6: the quote ' isn't closed"},
        {"rule = \"-I INPUT -j ACCEPT\"", "3: a rule is [-t TABLE] CHAIN"},
        {"rule = \"-t nat -A INPUT -j ACCEPT\"", "3: a rule is [-t TABLE] CHAIN"},
        {"rule = \"iptables -I INPUT -j ACCEPT\"", "3: a rule begins with its chain"},
        {"rule = \"-t nat\"", "3: a rule is [-t TABLE] CHAIN"},
        {"rule = \"-tnat INPUT\"", "3: a rule is [-t TABLE] CHAIN"},
        {"rule = \"INPUT -tnat -j ACCEPT\"", "3: a rule holds matches and a target"},
        {"rule = \"INPUT --table=nat -j ACCEPT\"", "3: a rule holds matches and a target"},
        {"rule = \"INPUT --tab nat -j ACCEPT\"", "3: a rule holds matches and a target"},
        {"rule = \"INPUT --set-c 1 2 -j ACCEPT\"", "3: a rule holds matches and a target"},
        {"rule = \"! -s %IP%\"", "3: a rule is [-t TABLE] CHAIN"},
        {"rule = {\n\"INPUT --dport %PORT%\" }", "4: placeholder %PORT%"},
        {"start_command_6 = \"true\" allow = { 192.0.2.0/24 }",
         "2: opens for neither IPv4 nor IPv6"},
    };
    assert_all_refused(rows, sizeof(rows) / sizeof(*rows));
}

/* The unit's sandbox hides folders from the service, which a shell beside it sees. */
static void a_program_that_the_service_hides(void **state)
{
    (void)state;
    static const struct told_row hidden[] = {
        {"start_command = \"/home/no/such\"", "3: /home/no/such: not seen inside of the service"},
        {"start_command = \"/tmp/no/such\"", "3: (ProtectHome, PrivateTmp); put it elsewhere"},
        {"start_command = \"/no/such\"", "3: door \"d\": /no/such: No such file"},
    };
    static const struct told_row seen[] = {
        {"start_command = \"/home/no/such\"", "3: door \"d\": /home/no/such: No such file"},
    };
    char *before = getenv("INVOCATION_ID");
    before = before ? strdup(before) : NULL;
    setenv("INVOCATION_ID", "1", 1);
    assert_all_refused(hidden, sizeof(hidden) / sizeof(*hidden));
    unsetenv("INVOCATION_ID");
    assert_all_refused(seen, sizeof(seen) / sizeof(*seen));
    if (before)
        setenv("INVOCATION_ID", before, 1);
    free(before);
}

/* However it is written: what a knock brings has no part in which program runs. */
static void the_program_is_known_before_any_knock(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"start_command = \"/bin/echo%IP%\"", "3: the name of the program can't hold %IP%"},
        {"start_command = \" /bin/echo%IP%\"", "3: the name of the program can't hold %IP%"},
        {"start_command = \"'/x y%IP%'\"", "3: the name of the program can't hold %IP%"},
        {"start_command = \"%KEY%\"", "3: placeholder %KEY%"},
    };
    assert_all_refused(rows, sizeof(rows) / sizeof(*rows));
}

#define KEYED SOURCE "door d { key = alice\n"

/* Nor has what a sealed knock chooses; and whose key it was is known only where keys alone open. */
static void sealed_knocks_choose_texts_alone(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {KEYED "port = 22 ports = { 80 } start_command = '/bin/echo%PORT%' }",
         "3: can't hold %IP%, nor"},
        {KEYED "ports = { 80 } start_command = '/bin/echo%PORT%' }", "3: can't hold %IP%, nor"},
        {KEYED "ports = { 80 } start_command = '/bin/echo%PROTO%' }", "3: can't hold %IP%, nor"},
        {KEYED "start_command = '/bin/echo%TIMEOUT%' }", "3: can't hold %IP%, nor"},
        {KEYED "cmd_timeout = 1 max_timeout = 2 start_command = '/bin/echo%TIMEOUT%' }",
         "3: can't hold %IP%, nor"},
        {KEYED "start_command = '/bin/echo%KEY%' }", "3: can't hold %IP%, nor"},
        {KEYED "start_command = 'echo %PORT%' }", "3: placeholder %PORT%"},
        {KEYED "sequence = { 90, 70, 80 } start_command = 'echo %KEY%' }", "3: placeholder %KEY%"},
        {KEYED "one_time_sequences = /x start_command = 'echo %KEY%' }", "3: placeholder %KEY%"},
    };
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_refused(&told, rows[i].text, rows[i].expected);
    end(&told);
}

static void sealed_knocks_have_texts(void **state)
{
    (void)state;
    struct told told;
    begin(&told);
    struct report report = {.say = hear, .arg = &told};
    struct config *config = load_text(
        &told,
        KEYED "ports = { 80, 443:udp } start_command = 'echo %KEY% %PORT%/%PROTO% %TIMEOUT%' }");
    assert_non_null(config);
    struct plans *plans = plans_make(config, NULL, &report);
    assert_non_null(plans);
    const struct plan *plan = plans_get(plans, 0, 4);
    struct addr a = {.family = 4, .bytes = {192, 0, 2, 1}};
    struct knock knock = knock_plain(config->doors, plan, &a, "knockctl");
    struct commands commands;
    for (int sealed = 0; sealed < 2; sealed++) {
        static const char *const expected[] = {"-|80/tcp|10|", "alice|443/udp|2|"};
        if (sealed) {
            knock.key = "alice";
            knock.port = config->doors[0].ports[1];
            knock.length = 1500000000;
        }
        assert_int_equal(commands_expand(&plan->start, &knock, &commands), 0);
        char *text = commands.items[0].text;
        for (size_t i = 0; i < commands.items[0].size; i++)
            text[i] = text[i] ? text[i] : '|';
        assert_memory_equal(strchr(text, '|') + 1, expected[sealed], strlen(expected[sealed]));
        commands_free(&commands);
    }
    plans_free(plans);
    config_free(config);
    end(&told);
}

static void all_doors_are_looked_at(void **state)
{
    (void)state;
    struct told told;
    begin(&told);
    assert_refused(&told,
                   SOURCE "door a { sequence = { 9000, 7000, 8000 }\nstart_command = \"nope-a\" }\n"
                          "door b { sequence = { 1, 7, 4 }\nstart_command = true }\n"
                          "door c { sequence = { 9, 7, 2 }\nstart_command = \"nope-c\" }\n",
                   "3: door \"a\": nope-a\n7: door \"c\": nope-c");
    end(&told);
}

/* A program that is there for one family only, found by its name as that family makes it. */
static void each_family_is_tried(void **state)
{
    (void)state;
    struct told told;
    char path[64], text[512], expected[256];
    begin(&told);
    write_file(told.dir, "prog4", "#!/bin/sh\n", 10);
    snprintf(path, sizeof(path), "%s/prog4", told.dir);
    assert_int_equal(chmod(path, 0700), 0);
    snprintf(text, sizeof(text), HEAD "start_command = \"%s/prog%%FAMILY%% %%IP%%\" }\n", told.dir);
    snprintf(expected, sizeof(expected), "3: door \"d\": %s/prog6: No such file", told.dir);
    assert_refused(&told, text, expected);
    remove_file(told.dir, "prog4");
    end(&told);
}

static void finds_programs(void **state)
{
    (void)state;
    char *sh = program_find("sh"), *full = program_find("/bin/sh");
    assert_non_null(sh);
    assert_int_equal(*sh, '/');
    assert_string_equal(full, "/bin/sh");
    free(sh);
    free(full);
    static const char *const bad[] = {"",        "no-such-program", "/bin/", "/etc/passwd",
                                      "./tests", "/no/such"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        errno = 0;
        assert_null(program_find(bad[i]));
        assert_int_not_equal(errno, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_become_commands),
        cmocka_unit_test(doors_run_together_or_alone),
        cmocka_unit_test(rules_get_a_comment),
        cmocka_unit_test(families_have_their_commands),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(a_program_that_the_service_hides),
        cmocka_unit_test(the_program_is_known_before_any_knock),
        cmocka_unit_test(sealed_knocks_choose_texts_alone),
        cmocka_unit_test(sealed_knocks_have_texts),
        cmocka_unit_test(all_doors_are_looked_at),
        cmocka_unit_test(each_family_is_tried),
        cmocka_unit_test(finds_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
