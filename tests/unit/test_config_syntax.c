/* What stands in files: comments, quotes, braces, includes, and every trap of libconfuse 3.3. */
#include "config_help.h"

#include <sys/stat.h>

#define ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof(*(rows)))
#define SEQUENCE   " sequence = { 9000, 7000, 8000 } "

static void comments_shift_no_line(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"# a\n# b\n\nuser = ''\n" SOURCE DOOR, "4: user"},
        {"#\n//\n/* a\n * b\n */\nuser = ''\n" SOURCE DOOR, "6: user"},
        {"/**/user/**/=/**/''/**/\n" SOURCE DOOR, "1: user"},
        {"/* # \" ' // */ user = ''\n" SOURCE DOOR, "1: user"},
        {"# /* \" '\nuser = ''\n" SOURCE DOOR, "2: user"},
        {SOURCE "door d { sequence = { 9000, # one\n# two\n7000, /* three\n */ 8000 // four\n}" RULE
                "\nport = x }",
         "7: port"},
        {SOURCE "door d {" SEQUENCE "# a\n# b\n" RULE "# c\n}\nuser = ''", "6: user"},
        {"user = '# no comment' " SOURCE DOOR, "1: user: \"# no comment\""},
        {"user = \"// no /* comment\" " SOURCE DOOR, "1: user: \"// no /* comment\""},
        {"state_dir = /a//b\n" SOURCE DOOR, ""},
        {"state_dir = /a# b\n" SOURCE DOOR, ""},
        {"\xef\xbb\xbf" SOURCE DOOR "user = ''", "3: user"},
        {"user = a\r\nfacility = b\r\n" SOURCE DOOR, "2: facility: \"b\""},
        {SOURCE "\n/* a\n", "3: this /* comment is never closed"},
    };
    ROWS(rows);
}

static void quotes(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"user = \"a\n" SOURCE DOOR, "1: this text has no closing \" on its line"},
        {"\nuser = 'a\n" SOURCE DOOR, "2: this text has no closing ' on its line"},
        {SOURCE "user = \"", "2: this text has no closing \""},
        {SOURCE "user = \"\\", "2: this text has no closing \""},
        {SOURCE "user = 'a\\'", "2: this text has no closing '"},
        {"user = \"a\\\n b\\\nc\"\nfacility = x\n" SOURCE DOOR, "1: \"a bc\"\n4: facility"},
        {"user = \"a\\\"b c\"\n" SOURCE DOOR, "1: user: \"a\"b c\" is"},
        {"user = 'a\\'b \"'\n" SOURCE DOOR, "1: user: \"a'b \"\" is"},
        {"user = \"a\\0b\"\n" SOURCE DOOR, "1: \\0 can't be part of a text"},
        {"user = \"a\\x0\"\n" SOURCE DOOR, "1: \\0 can't be part of a text"},
        {"user = \"\\x41\\101 \\\\\"\n" SOURCE DOOR, "1: user: \"AA \\\" is"},
        {"user = \"\\999\"\n" SOURCE DOOR, "1: \"\\999\" is no character"},
        {"user = \"\\777\"\n" SOURCE DOOR, "1: \"\\777\" is no character"},
        {"user = \"\x01\"\n" SOURCE DOOR, "1: a control character (0x01)"},
        {"user = \"\\\x08\"\n" SOURCE DOOR, "1: a control character (0x08)"},
        {"\x01\n" SOURCE DOOR, "1: a control character (0x01)"},
        {"user = a*b\n" SOURCE DOOR, "1: unexpected *"},
        {"user = a+b\n" SOURCE DOOR, "1: unexpected +"},
    };
    ROWS(rows);
}

static void nothing_comes_from_the_environment(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"user = \"a ${KNOCKD_TEST}\"\n" SOURCE DOOR, "1: user: \"a ${KNOCKD_TEST}\""},
        {"user = \"a ${NOT_THERE:-x}\"\n" SOURCE DOOR, "1: user: \"a ${NOT_THERE:-x}\""},
        {"user = 'a ${KNOCKD_TEST}'\n" SOURCE DOOR, "1: user: \"a ${KNOCKD_TEST}\""},
        {"user = \"a $\\\n{KNOCKD_TEST}\"\n" SOURCE DOOR, "1: user: \"a ${KNOCKD_TEST}\""},
        {"user = \"a \\${KNOCKD_TEST}\"\n" SOURCE DOOR, "1: user: \"a ${KNOCKD_TEST}\""},
        {"user = \"a \\\\${KNOCKD_TEST}\"\n" SOURCE DOOR, "1: user: \"a \\${KNOCKD_TEST}\""},
        {"\nuser = ${KNOCKD_TEST}\n" SOURCE DOOR, "2: ${...} is not expanded"},
        {"\nuser = a${KNOCKD_TEST}\n" SOURCE DOOR, "2: ${...} is not expanded"},
        {"state_dir = /$a\n" SOURCE DOOR, ""},
    };
    assert_int_equal(setenv("KNOCKD_TEST", "expanded", 1), 0);
    ROWS(rows);
}

static void unknown_keys(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"# a\n\nusr = x\n", "3: unknown key \"usr\" outside of any section; did you mean user?"},
        {"dor x { }\n", "1: unknown key \"dor\" outside of any section; did you mean door?"},
        {SOURCE "# a\ndoor ssh {\n# b\nsequnce = 1 }",
         "5: unknown key \"sequnce\" in door \"ssh\"; did you mean sequence?"},
        {"source s {\n tpye = kmsg }", "2: \"tpye\" in source \"s\"; did you mean type?"},
        {"wholly_unknown = 3", "1: expected one of user state_dir"},
        {"foo = bar", "1: unknown key \"foo\" outside of any section: expected one of"},
        {"dooor x { }\n", "1: did you mean door?"},
        {"odor x { }\n", "1: did you mean door?"},
        {"wholly_unknown = 3", "1: exit_command source door sealed"},
        {"wholly_unknown = 3", "1: run_timeout batch max_sources max_open init_command"},
        {"source s { wholly_unknown = 3 }",
         "1: expected one of type path prefix format group interface command"},
        {"penalt = 3", "1: unknown key \"penalt\" outside of any section: expected one of"},
        {"source s { grup = 3 }", "1: unknown key \"grup\" in source \"s\"; did you mean group?"},
        {"door d { wholly_unknown = 3 }", "1: unknown key \"wholly_unknown\" in door \"d\""},
        {"'' = 3", "1: the syntax is wrong here"},
        {"\"a\\nb\" = 3", "1: unknown key \"a?b\""},
        {"# of old\n\n[options]\n\tUseSyslog\n\n[openSSH]\n",
         "3: this is the configuration of another knockd: `knockctl import"},
        {"[open ssh]\nsequence = 7000,8000\n",
         "1: this is the configuration of another knockd: `knockctl import"},
        {"[Definition]\nfailregex = door .*\nnosequence = 1\n",
         "1: a [section] begins here, so this is no configuration of knockd"},
        {"[Service]\n  Start_Command=x", "1: this is the configuration of another knockd"},
        {"UseSyslog\n",
         "1: UseSyslog can't stand outside of any section: remove it: knockd always"},
        {"logfile = /var/log/knockd.log\n",
         "1: logfile can't stand outside of any section: remove"},
        {"PidFile = /run/x.pid\n", "1: a lock in state_dir decides that knockd runs once"},
        {"Interface = eth0\n",
         "1: give it to a source, source \"wire\" { type = pcap interface = eth0 }, or to a door"},
        {"door d {\ncommand = x }", "2: command can't stand in door \"d\": write start_command"},
        {"door d {\ncommand_6 = x }",
         "2: command_6 can't stand in door \"d\": write start_command_6"},
        {"door d {\ntimeout = 5 }", "2: timeout can't stand in door \"d\": write seq_timeout"},
        {"door d {\nstart_command = iptables -I INPUT -s x\n}",
         "2: the value of start_command holds blanks: put all of it in quotes"},
        {"door d { strict = no rule = INPUT -s %IP% -j ACCEPT }",
         "1: the value of rule holds blanks: put all of it in quotes"},
        {"door d {\nstart_command = nft add element x { y }\n}",
         "2: the value of start_command holds blanks"},
        {"door d { strict = no wholly_unknown = 3 }", "1: unknown key \"wholly_unknown\" in door"},
        {"door d { strict = no\nwholly_unknown }", "2: unknown key \"wholly_unknown\" in door"},
        {"strict = x y = 3", "1: strict can't stand outside of any section"},
        {"port = 22", "1: port can't stand outside of any section: it belongs into a section door"},
        {"door d { user = x }", "1: user can't stand in door \"d\": it belongs outside of any"},
        {"door d {\nrule = x\n\ndoor e {\nrule = y\n}\n",
         "4: a section door can't begin in door \"d\": is the } of that missing?"},
        {SOURCE DOOR "'door|port' = 3", "3: a key can't hold | or ="},
        {SOURCE DOOR "'door=e|port' = 3", "3: a key can't hold | or ="},
        {SOURCE DOOR "'user|x' = 3", "3: a key can't hold | or ="},
        {"s|urce log { }", "1: a key can't hold | or ="},
    };
    ROWS(rows);
}

static void wrong_syntax(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"user\nfacility = cron\n", "1: user has no value: expected user = VALUE"},
        {"user knockd\n", "1: user has no value: expected user = VALUE"},
        {"\nuser = = x", "2: unexpected \"=\""},
        {"\nuser = a, b",
         "2: unexpected \",\" outside of any section: expected a list as { a, b }"},
        {"\nuser =", "2: the file ends in the middle of a setting"},
        {"\nuser =\n\n", "2: the file ends in the middle of a setting: expected user = VALUE"},
        {"user =\nfacility = cron\n", "1: user has no value: expected user = VALUE"},
        {"user = # me\n\nsealed {\n}", "1: user has no value: expected user = VALUE"},
        {"user =\ndoor d {\n}", "1: user has no value: expected user = VALUE"},
        {"door d {\ncmd_timeout =\n}\n",
         "2: cmd_timeout has no value: expected cmd_timeout = VALUE"},
        {"door d {\nrule += # %IP%\nport = 22\n}\n", "2: rule has no value: expected rule = VALUE"},
        {"wrong = 1\nuser =\nfacility = cron\n", "1: unknown key \"wrong\""},
        {"wrong =\nuser = a\n", "1: unknown key \"wrong\""},
        {"user = wrong =\nfacility = cron\n", "1: unexpected \"=\""},
        {SOURCE DOOR "user =\n\nknocker", ""},
        {"door d { rule = { a\"$b\" } }", "1: unexpected \"$b\" in door \"d\""},
        {"door d { rule = { a b } }", "1: unexpected \"b\" in door \"d\""},
        {"user = a }\ndor d { }", "1: this } closes nothing"},
        {SOURCE DOOR "door d { }\ndoor e { usr = 1 }",
         "3: the name \"d\" stands further up already\n4: unknown key \"usr\" in door \"e\""},
        {"door {\n}", "1: expected door \"NAME\" { ... }"},
        {"door d\nuser = x", "1: expected door \"NAME\" { ... }"},
        {"sealed x { }", "1: expected sealed { ... }"},
        {"sealed { }\nsealed { }", "2: a second section sealed: put its keys into the first"},
        {"user = x }", "1: this } closes nothing"},
        {SOURCE "\ndoor d {\nrule = x\n", "3: this { is never closed"},
        {SOURCE "\ndoor d\n{\nrule = x\n", "3: this { is never closed"},
        {"door d { rule = { a, b\nport = 3 }", "2: unexpected \"port\" in door \"d\""},
        {"user = (x)", "1: unexpected \"(\""},
        {SOURCE DOOR "door d {\n}", "3: the name \"d\" stands further up already"},
        {SOURCE DOOR "door e {" SEQUENCE RULE "}\ndoor d {" SEQUENCE RULE "}\nfoo = 1",
         "4: the name \"d\" stands further up already\n5: unknown key \"foo\""},
        {SOURCE DOOR "door e {" SEQUENCE RULE "}\ndoor d { }\nfoo = 1",
         "4: the name \"d\" stands further up already\n5: unknown key \"foo\""},
        {SOURCE "\n\nsource s\n{\n}", "4: the name \"s\" stands further up already"},
        {"user = a\nuser = b\n" SOURCE DOOR, "2: user is set twice, here and in "},
        {SOURCE "door d {" SEQUENCE RULE "\n" RULE "}", "3: write a list: rule = { ..., ... }"},
        {SOURCE "door d {" SEQUENCE RULE "\nrule += %IP% }", ""},
        {"source s { type = journal prefix = x max_age = 5\nmax_age = 6 }\n" DOOR,
         "2: max_age is set twice, here and in"},
        {SOURCE "door d { port = 22" SEQUENCE RULE "\nport += 23 }", "3: port takes one value"},
    };
    ROWS(rows);
}

/* A file named a: the included one of the rows. */
static void includes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *included, *expected;
    } rows[] = {
        {SOURCE "include(\"a\")\n", DOOR, ""},
        {SOURCE "include ( 'a' ) # here\nuser = ''", DOOR, "3: user"},
        {SOURCE "include(\"a\") user = ''", "\n" DOOR "facility = x", "a:3: facility\n2: user"},
        {SOURCE "include('a')", "# a\ndoor d {}", "a:2: has no sequence\na:2: opens nothing"},
        {SOURCE "include('a')", "\ndor d {}", "a:2: unknown key \"dor\""},
        {SOURCE "include('a')", "\nuser = \"x\n", "a:2: this text has no closing"},
        {SOURCE "include('a')", "\ndoor d {\n", "a:2: this { is never closed"},
        {SOURCE "door d {\ninclude('a')\n" RULE " port = x }", SEQUENCE, "4: port"},
        {SOURCE "include('a')", "\ninclude('a')", "a:2: it includes itself"},
        {SOURCE "include('a')", "\n\ninclude('./c')", "a:3: it includes itself"},
        {"\ninclude('b')", "", "2: No such file or directory"},
        {"\ninclude('/')", "", "2: can't include /: it is not a regular file"},
        {"\ninclude('')", "", "2: expected include(\"FILE\")"},
        {"\ninclude(a)", "", "2: expected include(\"FILE\")"},
        {"\ninclude = a", "", "2: expected include(\"FILE\")"},
        {"\ninclude", "", "2: expected include(\"FILE\")"},
        {"\ninclude('a'", "", "2: expected include(\"FILE\")"},
        {"\ninclude('a', 'b')", "", "2: expected include(\"FILE\")"},
        {"\ninclude()", "", "2: expected include(\"FILE\")"},
        {"\ninclude(\"a\\x01\")", "", "2: expected include(\"FILE\")"},
        {SOURCE "include('a')\n}", DOOR, "3: this } closes nothing"},
        {SOURCE "door d {\ninclude('a')\n", SEQUENCE RULE, "2: this { is never closed"},
        {SOURCE "include('a')\n", "door d {\n" RULE "\n}\n}\n", "a:4: this } closes nothing"},
        {SOURCE "\ndoor d\n{\ninclude('a')\n}\n", "\n\n" SEQUENCE, "3: opens nothing"},
        {SOURCE "\ndoor d\n{\ninclude('a')\n}\n", "\n\nport =\nrule = x", "a:3: port has no value"},
        {SOURCE "door d { rule = { include('a') } }", "", "2: unexpected \"(\" in door \"d\""},
        {SOURCE DOOR "user = include\nfacility = x", "", "4: facility"},
    };
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        write_file(told.dir, "a", rows[i].included, strlen(rows[i].included));
        config_free(load_text(&told, rows[i].text));
        assert_told(rows[i].text, &told, rows[i].expected);
    }
    remove_file(told.dir, "a");
    end(&told);
}

static void include_files(struct told *told, unsigned count, const char *last)
{
    for (unsigned i = 0; i < count; i++) {
        char name[16], text[64];
        snprintf(name, sizeof(name), "f%u", i);
        snprintf(text, sizeof(text), "include('f%u')\n", i + 1);
        write_file(told->dir, name, i + 1 < count ? text : last,
                   strlen(i + 1 < count ? text : last));
    }
    config_free(load_text(told, SOURCE "include('f0')\n"));
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%u", i);
        remove_file(told->dir, name);
    }
}

static void includes_have_limits(void **state)
{
    (void)state;
    struct told told;
    char many[300 * 13 + 1] = "";
    begin(&told);
    include_files(&told, 10, DOOR);
    assert_told("10 deep", &told, "");
    include_files(&told, 11, DOOR);
    assert_told("11 deep", &told, "f9:1: includes nest deeper than 10 files");
    for (int i = 0; i < 300; i++)
        strcat(many, "include('a')\n");
    write_file(told.dir, "a", "", 0);
    config_free(load_text(&told, many));
    assert_told("300 files", &told, "256: more than 256 files are included");
    remove_file(told.dir, "a");
    end(&told);
}

static void refuses_what_is_no_text_file(void **state)
{
    (void)state;
    struct told told;
    char path[64];
    begin(&told);
    assert_null(load(&told));
    assert_told("no file", &told, "c: can't read the configuration: No such file or directory");
    snprintf(path, sizeof(path), "%s/c", told.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(load(&told));
    assert_told("a FIFO", &told, "c: it is not a regular file; name a file with -c FILE");
    assert_int_equal(unlink(path), 0);
    write_file(told.dir, "c", "a\nb\0c", 5);
    assert_null(load(&told));
    assert_told("a NUL", &told, "2: a NUL byte");
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_null(load(&told));
    assert_told("1 MiB + 1", &told,
                "c: it is larger than 1 MiB; split it into files, and name those by include");
    end(&told);
}

static void holds_at_most_so_many_sections(void **state)
{
    (void)state;
    struct told told;
    char *text = calloc(1, 1 << 20), *p = text;
    assert_non_null(text);
    begin(&told);
    for (int i = 0; i <= CONFIG_DOORS_MAX; i++)
        p += sprintf(p, "door d%d {}\n", i);
    config_free(load_text(&told, text));
    assert_told("4097 doors", &told, "4097: more than 4096 sections door");
    p = text;
    for (int i = 0; i <= CONFIG_SOURCES_MAX; i++)
        p += sprintf(p, "source s%d {}\n", i);
    config_free(load_text(&told, text));
    assert_told("65 sources", &told, "65: more than 64 sections source");
    free(text);
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_shift_no_line),
        cmocka_unit_test(quotes),
        cmocka_unit_test(nothing_comes_from_the_environment),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(wrong_syntax),
        cmocka_unit_test(includes),
        cmocka_unit_test(includes_have_limits),
        cmocka_unit_test(refuses_what_is_no_text_file),
        cmocka_unit_test(holds_at_most_so_many_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
