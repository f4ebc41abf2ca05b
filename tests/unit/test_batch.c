/* Which commands can be one of a batch, and what iptables-restore is given for them. */
#include "keeper_help.h"

#include "keeper/batch.h"
#include "keeper/set_command.h"
#include "lib/command_words.h"

/* The words of `text`, the first as it is. */
static struct command command_of(const char *text)
{
    static struct command_words split;
    struct command command = {0};
    assert_null(command_words_split(text, &split));
    for (char **word = split.words; *word; word++) {
        size_t size = strlen(*word) + 1;
        command.text = realloc(command.text, command.size + size);
        assert_non_null(command.text);
        memcpy(command.text + command.size, *word, size);
        command.size += size;
        command.words++;
    }
    return command;
}

static void words_that_mean_the_same_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *command, *program, *table, *wait, *line;
    } rows[] = {
        {"/usr/sbin/iptables -w 5 -I INPUT -s 192.0.2.1 -p tcp --dport 22 -j ACCEPT",
         "/usr/sbin/iptables", "filter", "5",
         "-I INPUT -s 192.0.2.1 -p tcp --dport 22 -j ACCEPT\n"},
        {"/usr/sbin/ip6tables -w -t nat -D PREROUTING ! -s 2001:db8::1 -j ACCEPT",
         "/usr/sbin/ip6tables", "nat", "", "-D PREROUTING ! -s 2001:db8::1 -j ACCEPT\n"},
        {"/usr/sbin/iptables-legacy --table raw --append x-y_1 -j DROP",
         "/usr/sbin/iptables-legacy", "raw", "-", "--append x-y_1 -j DROP\n"},
        {"/usr/sbin/iptables -I c -s 192.0.2.1,10.0.0.0/8 ! -d 10.0.0.0/255.0.0.0 -j DROP",
         "/usr/sbin/iptables", "filter", "-",
         "-I c -s 192.0.2.1,10.0.0.0/8 ! -d 10.0.0.0/255.0.0.0 -j DROP\n"},
        {"/usr/sbin/iptables -w 5 -C c -j DROP", "/usr/sbin/iptables", "filter", "5",
         "-C c -j DROP\n"},
        {"/usr/sbin/iptables -A c -m comment --comment 'a # b' -j ACCEPT", "/usr/sbin/iptables",
         "filter", "-", "-A c -m comment --comment \"a # b\" -j ACCEPT\n"},
        {"/usr/sbin/iptables -I c -p tcp --tcp-flags ALL SYN -j LOG --log-prefix [x]",
         "/usr/sbin/iptables", "filter", "-",
         "-I c -p tcp --tcp-flags ALL SYN -j LOG --log-prefix [x]\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct command command = command_of(rows[i].command);
        const struct command *twice[] = {&command, &command};
        struct batch_kind kind;
        char wanted[512];
        size_t size;
        assert_true(batch_kind_of(&command, &kind));
        assert_string_equal(kind.program, rows[i].program);
        assert_string_equal(kind.table, rows[i].table);
        assert_string_equal(kind.wait, rows[i].wait);
        assert_int_equal(kind.checks, strncmp(rows[i].line, "-C", 2) == 0);
        char *text = batch_text(&kind, twice, 2, &size);
        snprintf(wanted, sizeof(wanted), "*%s\n%s%sCOMMIT\n", rows[i].table, rows[i].line,
                 rows[i].line);
        assert_non_null(text);
        assert_string_equal(text, wanted);
        assert_int_equal(size, strlen(wanted));
        free(text);
        free(command.text);
    }
}

static void elements_of_sets_are_taken(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "add element inet filter knock4 { 192.0.2.1 timeout 30s }",
        "delete element ip6 f k {2001:db8::1}",
        "add element inet f k {192.0.2.1-192.0.2.9 timeout 1h30m,10-20}",
        "delete element inet f k { 192.0.2.1 . tcp . 22, 192.0.2.0/24 }",
        "get element inet f k { 192.0.2.1 }",
        ("add element inet f k { 192.0.2.1 }; delete element inet f k { 192.0.2.1 }; "
         "add element inet f k { 192.0.2.1 timeout 30s }"),
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char text[256], wanted[256];
        size_t size;
        struct batch_kind kind;
        struct command batch;
        snprintf(text, sizeof(text), "/usr/sbin/nft %s", lines[i]);
        struct command command = command_of(text);
        const struct command *twice[] = {&command, &command};
        assert_true(batch_kind_of(&command, &kind));
        assert_string_equal(kind.program, "/usr/sbin/nft");
        assert_int_equal(kind.checks, strncmp(lines[i], "get", 3) == 0);
        assert_false(batch_is_one_by_one(&kind));
        char *input = batch_text(&kind, twice, 2, &size);
        snprintf(wanted, sizeof(wanted), "%s\n%s\n", lines[i], lines[i]);
        assert_string_equal(input, wanted);
        assert_int_equal(batch_command(&kind, &batch), 0);
        assert_string_equal(command_text(&batch, text, sizeof(text)), "/usr/sbin/nft -f -");
        assert_int_equal(batch.words, 3);
        free(batch.text);
        free(input);
        free(command.text);
    }
}

static void elements_of_ipset_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *command, *line, *batch;
        bool checks, exist, adds, repeats;
    } rows[] = {
        {"add knock4 192.0.2.1 timeout 30", "add knock4 192.0.2.1 timeout 30", "restore", false,
         false, true, false},
        {"add k 192.0.2.1,tcp:22 comment 'a # b'", "add k 192.0.2.1,tcp:22 comment \"a # b\"",
         "restore", false, false, true, false},
        {"del a.b-c_d:e 2001:db8::1,22,2001:db8::2", "del a.b-c_d:e 2001:db8::1,22,2001:db8::2",
         "restore", false, false, false, false},
        {"-exist add k 192.0.2.1 nomatch packets 3 bytes 4",
         "add k 192.0.2.1 nomatch packets 3 bytes 4", "-exist restore", false, true, true, true},
        {"del k 192.0.2.1 -!", "del k 192.0.2.1", "-exist restore", false, true, false, true},
        {"test k 192.0.2.1", "test k 192.0.2.1", "-q restore", true, false, false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256], wanted[256];
        size_t size;
        struct batch_kind kind;
        struct command batch;
        snprintf(text, sizeof(text), "/usr/sbin/ipset %s", rows[i].command);
        struct command command = command_of(text);
        const struct command *twice[] = {&command, &command};
        assert_true(batch_kind_of(&command, &kind));
        assert_string_equal(kind.program, "/usr/sbin/ipset");
        assert_int_equal(kind.checks, rows[i].checks);
        assert_int_equal(kind.exist, rows[i].exist);
        assert_int_equal(batch_adds_element(&command), rows[i].adds);
        assert_int_equal(batch_may_repeat(&command), rows[i].repeats);
        assert_true(batch_is_one_by_one(&kind));
        char *input = batch_text(&kind, twice, 2, &size);
        snprintf(wanted, sizeof(wanted), "%s\nCOMMIT\n%s\nCOMMIT\n", rows[i].line, rows[i].line);
        assert_string_equal(input, wanted);
        assert_int_equal(batch_command(&kind, &batch), 0);
        snprintf(wanted, sizeof(wanted), "/usr/sbin/ipset %s", rows[i].batch);
        assert_string_equal(command_text(&batch, text, sizeof(text)), wanted);
        free(batch.text);
        free(input);
        free(command.text);
    }
}

/* The elements of such a batch are looked for by their set and themselves alone. */
static void a_batch_of_ipset_is_looked_at(void **state)
{
    (void)state;
    struct command command = command_of("/usr/sbin/ipset -exist add k 192.0.2.1 timeout 30");
    const struct command *one[] = {&command};
    struct batch_kind kind = {.program = "/usr/sbin/ipset", .checks = true};
    size_t size;
    char *input = batch_text(&kind, one, 1, &size);
    assert_string_equal(input, "test k 192.0.2.1\nCOMMIT\n");
    free(input);
    free(command.text);
}

static void ipset_says_which_failed(void **state)
{
    (void)state;
    static const struct {
        const char *program, *output;
        unsigned failed;
    } rows[] = {
        {"/usr/sbin/ipset", "ipset v7.17: Error in line 1: it's already added", 1},
        {"/usr/sbin/ipset", "ipset v7.17: Error in line 2: x", 1},
        {"/usr/sbin/ipset", "ipset v7.17: Error in line 4711: x", 2356},
        {"/usr/sbin/ipset", "ipset v7.17: Error in line 0: x", 0},
        {"/usr/sbin/ipset", "ipset v7.17: Error in line -1: x", 0},
        {"/usr/sbin/ipset", "ipset v7.17: Error in line 99999999999999999999: x", 0},
        {"/usr/sbin/ipset", "ipset v7.17: Error in line 5", 0},
        {"/usr/sbin/ipset", "ipset v7.17: The set with the given name does not exist", 0},
        {"/usr/sbin/iptables", "ipset v7.17: Error in line 1: x", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct batch_kind kind = {0};
        strcpy(kind.program, rows[i].program);
        assert_int_equal(batch_failed_at(&kind, rows[i].output), rows[i].failed);
    }
}

/* What is run in doubt, and its words. */
static void what_forgives(void **state)
{
    (void)state;
    static const struct {
        const char *command, *forgiving; /* NULL: none */
        unsigned words;
    } rows[] = {
        {"/x/nft delete element ip f k { 192.0.2.1 }",
         "/x/nft add element ip f k { 192.0.2.1 }; delete element ip f k { 192.0.2.1 }", 2},
        {"/x/nft 'delete element ip f k { 192.0.2.1 : accept }'",
         "/x/nft add element ip f k { 192.0.2.1 : accept }; "
         "delete element ip f k { 192.0.2.1 : accept }",
         2},
        {"/x/nft add element ip f k { 192.0.2.1 }", NULL, 0},
        {"/x/nft 'delete element ip f k { 1.1.1.1 }; delete element ip f k { 1.1.1.2 }'", NULL, 0},
        {"/x/nft 'delete element ip f k { 192.0.2.1 } # web'", NULL, 0},
        {"/x/nft delete rule ip f k handle 3", NULL, 0},
        {"/x/nft", NULL, 0},
        {"/x/ipset del k 192.0.2.1", "/x/ipset -exist del k 192.0.2.1", 5},
        {"/x/ipset add k 192.0.2.1 timeout 3", "/x/ipset -exist add k 192.0.2.1 timeout 3", 7},
        {"/x/ipset -exist del k 192.0.2.1", NULL, 0},
        {"/x/ipset flush k", NULL, 0},
        {"/x/ipset", NULL, 0},
        {"/x/iptables -D c -j DROP", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct command command = command_of(rows[i].command), forgiving;
        char text[256];
        int rc = set_command_forgiving(&command, &forgiving);
        assert_int_equal(rc, rows[i].forgiving ? 0 : -1);
        if (rc == 0) {
            assert_string_equal(command_text(&forgiving, text, sizeof(text)), rows[i].forgiving);
            assert_int_equal(forgiving.words, rows[i].words);
            assert_int_equal(forgiving.size, strlen(rows[i].forgiving) + 1);
        }
        free(forgiving.text);
        free(command.text);
    }
}

static void what_may_mean_something_else_stays_alone(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "/usr/sbin/iptables",
        "/usr/sbin/iptables -w",
        "/usr/sbin/iptables -w 5",
        "/usr/sbin/iptables -t",
        "/usr/sbin/iptables -t nat",
        "/usr/sbin/iptables -I",
        "/usr/sbin/iptables -I INPUT",
        "/usr/sbin/iptables -I INPUT 3 -j ACCEPT",
        "/usr/sbin/iptables -D INPUT 3",
        "/usr/sbin/iptables -C INPUT 3",
        "/usr/sbin/iptables -F INPUT",
        "/usr/sbin/iptables -w5 -I INPUT -j ACCEPT",
        "/usr/sbin/iptables -4 -I INPUT -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -4 -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --ipv6 -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -t nat -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --tab nat -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --t nat -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --t=nat -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --mo=/x -j ACCEPT",
        "/usr/sbin/iptables -tnat -I INPUT -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -tnat -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -w -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -nt nat -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -c 1 2 -j ACCEPT",
        "/usr/sbin/iptables -I INPUT - -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --modprobe=/x -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -m comment --comment 'say \"x\"' -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -m comment --comment 'a\\b' -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -m comment --comment 'a\nCOMMIT' -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -m comment --comment '' -j ACCEPT",
        "/usr/sbin/iptables -I 'IN PUT' -j ACCEPT",
        "/usr/sbin/iptables -t 'na t' -I INPUT -j ACCEPT",
        "/usr/sbin/iptables -t \"nat\n*raw\" -I INPUT -j ACCEPT",
        "/usr/sbin/nft add rule -I INPUT -j ACCEPT",
        "/usr/sbin/nft",
        "/usr/sbin/nft add",
        "/usr/sbin/nft add rule inet filter input accept",
        "/usr/sbin/nft flush set inet filter knock",
        "/usr/sbin/nft -a add element inet f k { 192.0.2.1 }",
        "/usr/sbin/nft add element inet f k { 192.0.2.1 } -c",
        "/usr/sbin/nft add element inet f k '{ 192.0.2.1 }; flush ruleset'",
        "/usr/sbin/nft add element inet f k { 192.0.2.1 } ; flush ruleset",
        "/usr/sbin/nft add element inet f k { 192.0.2.1 comment '\"x\"' }",
        "/usr/sbin/nft add element inet f k { 192.0.2.1 } # x",
        "/usr/sbin/nft add element inet f k { $x }",
        "/usr/sbin/nft add element inet f k { @x }",
        "/usr/sbin/nft add element inet f k ''",
        "/usr/sbin/iptables -I INPUT -s 192.0.2.1 -d slow.example -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s 192.0.2.1,slow.example -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s 192.0.2.1, -j ACCEPT",
        "/usr/sbin/iptables -I INPUT ! --src slow/24 -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s 192.0.2.1/x -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s 192.0.2.1/ -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s 192.0.2 -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s ! -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -s 2001:db8::1 -j ACCEPT",
        "/usr/sbin/ip6tables -I INPUT -s 192.0.2.1 -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --sour slow.example -j ACCEPT",
        "/usr/sbin/iptables -I INPUT --source=slow.example -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -m conntrack --ctorigsrc slow.example -j ACCEPT",
        "/usr/sbin/iptables -I INPUT -j TEE --gateway slow.example",
        "/usr/sbin/iptables -I INPUT -m owner --uid-owner alice -j ACCEPT",
        "/usr/sbin/nft add element inet f k { slow.example }",
        "/usr/sbin/nft add element inet f k {192.0.2.1,slow.example}",
        "/usr/sbin/nft add element inet f k { 192.0.2.1-slow.example }",
        "/usr/sbin/nft add element inet f k { 30s }",
        "/usr/sbin/nft add element inet f k { 192.0.2.1 timeout slow }",
        "/usr/sbin/nft add element inet f k { 192.0.2.1/ }",
        "/usr/sbin/nft 'get element inet f k { 192.0.2.1 }; add element inet f k { 192.0.2.1 }'",
        "/usr/sbin/nft 'add element inet f k { 192.0.2.1 };'",
        "/usr/sbin/nft 'add element inet f k { 192.0.2.1 }\nflush ruleset'",
        "/usr/sbin/nft create element inet f k { 192.0.2.1 }",
        "/usr/sbin/nft add element inet f k",
        "/usr/sbin/ipset",
        "/usr/sbin/ipset add",
        "/usr/sbin/ipset add k",
        "/usr/sbin/ipset flush k",
        "/usr/sbin/ipset create k hash:ip",
        "/usr/sbin/ipset -A k 192.0.2.1",
        "/usr/sbin/ipset -q add k 192.0.2.1",
        "/usr/sbin/ipset add k -exist 192.0.2.1",
        "/usr/sbin/ipset -exist test k 192.0.2.1",
        "/usr/sbin/ipset test k 192.0.2.1 timeout 3",
        "/usr/sbin/ipset add -k 192.0.2.1",
        "/usr/sbin/ipset add 'k k' 192.0.2.1",
        "/usr/sbin/ipset add k slow.example",
        "/usr/sbin/ipset add k 192.0.2.1,slow.example",
        "/usr/sbin/ipset add k 192.0.2.1,",
        "/usr/sbin/ipset add k 192.0.2.0/24",
        "/usr/sbin/ipset add k 192.0.2.1-192.0.2.9",
        "/usr/sbin/ipset add k 192.0.2.1,http",
        "/usr/sbin/ipset add k 192.0.2.1,tcp:http",
        "/usr/sbin/ipset add k 192.0.2.1,tcp:1-2",
        "/usr/sbin/ipset add k 192.0.2.1 timeout",
        "/usr/sbin/ipset add k 192.0.2.1 timeout 3s",
        "/usr/sbin/ipset add k 192.0.2.1 comment 'a \"b\"'",
        "/usr/sbin/ipset add k 192.0.2.1 comment 'a\nCOMMIT'",
        "/usr/sbin/ipset add k '192.0.2.1\nflush'",
        "/usr/sbin/ipset add kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk 192.0.2.1",
        "/usr/sbin/ipset -f /x restore",
        "/bin/sh -c -I INPUT -j ACCEPT",
        "/usr/local/bin/iptables-wrapper -I INPUT -j ACCEPT",
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        struct command command = command_of(commands[i]);
        struct batch_kind kind;
        if (batch_kind_of(&command, &kind))
            fail_msg("%s", commands[i]);
        free(command.text);
    }
}

static void what_looks_for_a_rule(void **state)
{
    (void)state;
    static const struct {
        const char *command, *look; /* NULL: none */
        bool deletes, may_repeat;
    } rows[] = {
        {"/usr/sbin/iptables -w 5 -I c -s 192.0.2.1 -j DROP",
         "/usr/sbin/iptables -w 5 -C c -s 192.0.2.1 -j DROP", false, false},
        {"/x/ip6tables -t nat --append c -j DROP", "/x/ip6tables -t nat -C c -j DROP", false,
         false},
        {"/x/iptables --delete c -j DROP", "/x/iptables -C c -j DROP", true, false},
        {"/x/nft add element ip f k { 192.0.2.1 }", NULL, false, true},
        {"/x/nft delete element ip f k { 192.0.2.1 }", NULL, false, false},
        {"/x/nft get element ip f k { 192.0.2.1 }", NULL, false, true},
        {"/x/nft 'add element ip f k { 1.1.1.1 }; delete element ip f k { 1.1.1.1 }'", NULL, false,
         true},
        {"/x/nft 'add element ip f k { 1.1.1.1 }; delete element ip f k { 1.1.1.2 }'", NULL, false,
         false},
        {"/x/nft 'delete element ip f k { 1.1.1.1 }; add element ip f k { 1.1.1.1 }'", NULL, false,
         false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct command command = command_of(rows[i].command), look = {0};
        bool deletes = false;
        char text[256];
        int rc = batch_look(&command, &look, &deletes);
        assert_int_equal(rc, rows[i].look ? 0 : -1);
        assert_int_equal(batch_may_repeat(&command), rows[i].may_repeat);
        if (rc == 0) {
            assert_string_equal(command_text(&look, text, sizeof(text)), rows[i].look);
            assert_int_equal(look.words, command.words);
            assert_int_equal(look.size, strlen(rows[i].look) + 1);
            assert_int_equal(deletes, rows[i].deletes);
        }
        free(look.text);
        free(command.text);
    }
}

static void no_line_is_long(void **state)
{
    (void)state;
    char text[2000] = "/usr/sbin/iptables -I INPUT -j ACCEPT -m comment --comment ";
    size_t before = strlen(text);
    struct batch_kind kind;
    for (size_t len = 1; len < 400; len++) {
        memset(text + before, 'a', len);
        struct command command = command_of(text);
        assert_int_equal(batch_kind_of(&command, &kind), len <= 200);
        free(command.text);
    }
    strcpy(text, "/usr/sbin/iptables -I INPUT");
    for (int i = 0; i < 50; i++)
        strcat(text, " --x 1234567890123456");
    struct command command = command_of(text);
    assert_false(batch_kind_of(&command, &kind));
    free(command.text);
}

/* One file by two names is sure to change the same rules; a second file isn't. */
static void the_program_is_the_same_file(void **state)
{
    (void)state;
    static const char *const made[] = {"iptables", "iptables-restore", NULL};
    static const struct {
        const char *wait, *words;
        unsigned count;
    } rows[] = {{"-", "--noflush", 2}, {"", "--noflush -w", 3}, {"17", "--noflush -w 17", 4}};
    struct bench b;
    struct batch_kind kind = {.table = "filter"};
    struct command command;
    char path[128], text[256], wanted[256];
    bench_make(&b);
    bench_path(&b, "iptables", path);
    strcpy(kind.program, path);
    bench_path(&b, "iptables-restore", path);
    assert_int_equal(batch_command(&kind, &command), -1);
    bench_write(&b, "iptables", "x");
    assert_int_equal(batch_command(&kind, &command), -1);
    bench_write(&b, "iptables-restore", "x");
    assert_int_equal(batch_command(&kind, &command), -1);
    unlink(path);
    assert_int_equal(symlink("iptables", path), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        strcpy(kind.wait, rows[i].wait);
        assert_int_equal(batch_command(&kind, &command), 0);
        snprintf(wanted, sizeof(wanted), "%s %s", path, rows[i].words);
        assert_string_equal(command_text(&command, text, sizeof(text)), wanted);
        assert_int_equal(command.words, rows[i].count);
        free(command.text);
    }
    bench_end(&b, made);
}

static void a_lock_that_was_waited_for_says_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *wait;
        int status;
        int64_t ns;
        bool locked_out;
    } rows[] = {
        {"5", 4, 5 * CLOCK_SECOND, true},   {"5", 4, CLOCK_SECOND, false},
        {"5", 1, 5 * CLOCK_SECOND, false},  {"", 4, 50 * CLOCK_SECOND, false},
        {"-", 4, 50 * CLOCK_SECOND, false}, {"0", 4, CLOCK_SECOND, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct batch_kind kind = {.table = "filter"};
        strcpy(kind.wait, rows[i].wait);
        assert_int_equal(batch_was_locked_out(&kind, rows[i].status, rows[i].ns),
                         rows[i].locked_out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_mean_the_same_are_taken),
        cmocka_unit_test(elements_of_sets_are_taken),
        cmocka_unit_test(elements_of_ipset_are_taken),
        cmocka_unit_test(a_batch_of_ipset_is_looked_at),
        cmocka_unit_test(ipset_says_which_failed),
        cmocka_unit_test(what_forgives),
        cmocka_unit_test(what_may_mean_something_else_stays_alone),
        cmocka_unit_test(what_looks_for_a_rule),
        cmocka_unit_test(no_line_is_long),
        cmocka_unit_test(the_program_is_the_same_file),
        cmocka_unit_test(a_lock_that_was_waited_for_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
