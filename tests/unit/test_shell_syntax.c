/* Shell syntax in commands that no shell runs: found where a shell would act, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/shell_syntax.h"

struct row {
    const char *command;
    enum shell_finding finding;
    const char *word; /* NULL: none is to blame */
};

static void assert_found(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct command_word word;
        enum shell_finding finding = shell_syntax_find(rows[i].command, &word);
        if (finding != rows[i].finding)
            fail_msg("%s: found %d", rows[i].command, finding);
        if (rows[i].word &&
            (strlen(rows[i].word) != word.len || memcmp(rows[i].word, word.text, word.len) != 0))
            fail_msg("%s: found in \"%.*s\"", rows[i].command, (int)word.len, word.text);
    }
}

#define FOUND(rows) assert_found(rows, sizeof(rows) / sizeof(*(rows)))

static void operators_are_found(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a ; b", SHELL_OPERATOR, ";"},
        {"a; b", SHELL_OPERATOR, "a;"},
        {"a && b", SHELL_OPERATOR, "&&"},
        {"a || true", SHELL_OPERATOR, "||"},
        {"a | b", SHELL_OPERATOR, "|"},
        {"a &", SHELL_OPERATOR, "&"},
        {"a < /x", SHELL_OPERATOR, "<"},
        {"a > /x", SHELL_OPERATOR, ">"},
        {"a >> /x", SHELL_OPERATOR, ">>"},
        {"a >/dev/null", SHELL_OPERATOR, ">/dev/null"},
        {"a b 2>&1", SHELL_OPERATOR, "2>&1"},
        {"a &>/dev/null", SHELL_OPERATOR, "&>/dev/null"},
        {"a\t'b'; c", SHELL_OPERATOR, "'b';"},
        {"a 'b;'\"c\"; d", SHELL_OPERATOR, "'b;'\"c\";"},
        {"find / -exec x {} \\;", SHELL_OPERATOR, "\\;"},
    };
    FOUND(rows);
}

static void expansions_are_found(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a `id`", SHELL_EXPANSION, "`id`"},
        {"a $(id -u)", SHELL_EXPANSION, "$(id"},
        {"a $NAME", SHELL_EXPANSION, "$NAME"},
        {"a x${NAME}y", SHELL_EXPANSION, "x${NAME}y"},
        {"a $_x", SHELL_EXPANSION, "$_x"},
        {"a $1", SHELL_EXPANSION, "$1"},
        {"a $$", SHELL_EXPANSION, "$$"},
        {"a \"knock by $USER\"", SHELL_EXPANSION, "\"knock by $USER\""},
        {"a \"it's `id`\"", SHELL_EXPANSION, "\"it's `id`\""},
    };
    FOUND(rows);
}

static void what_a_program_gets_is_left_alone(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", SHELL_NOTHING, NULL},
        {"nft add element inet filter knock%FAMILY% { %IP% timeout %TIMEOUT%s }", SHELL_NOTHING,
         NULL},
        {"nft 'add element inet f k { %IP% }; delete element inet f k { %IP% }'", SHELL_NOTHING,
         NULL},
        {"nft \"add element inet f k { %IP% }; delete element inet f k { %IP% }\"", SHELL_NOTHING,
         NULL},
        {"awk '{ print $1 | \"sort\" }' /x", SHELL_NOTHING, NULL},
        {"logger '$HOME `id` > ; & |'", SHELL_NOTHING, NULL},
        {"grep -E '^a|b$' /x", SHELL_NOTHING, NULL},
        {"grep ^a$ /x", SHELL_NOTHING, NULL},
        {"echo 5$ $, %% * ? ~ # ! (x) [y] \\", SHELL_NOTHING, NULL},
        {"curl 'https://x/?a=%IP%&b=2'", SHELL_NOTHING, NULL},
        /* An open quote is told of by others. */
        {"echo 'a", SHELL_NOTHING, NULL},
    };
    FOUND(rows);
}

static void an_explicit_shell_has_its_script(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/bin/sh -c 'echo $0 >>/run/knocks' %IP%", SHELL_NOTHING, NULL},
        {"/bin/sh -c \"a | b; echo `id` $1\" sh %IP%", SHELL_NOTHING, NULL},
        {"sh -ec 'a && b'", SHELL_NOTHING, NULL},
        {"bash -euo pipefail -c 'a | b' bash %IP%", SHELL_NOTHING, NULL},
        {"bash --norc -c 'a | b'", SHELL_NOTHING, NULL},
        {"env X=1 dash -c 'a | b'", SHELL_NOTHING, NULL},
        {"busybox ash -c 'a | b'", SHELL_NOTHING, NULL},
        {"sh -c -- 'a | b'", SHELL_NOTHING, NULL},
        {"sh -c 'echo %DOOR% %FAMILY% %IPTABLES% %% %%IP%%'", SHELL_NOTHING, NULL},
        /* Its further words are no script. */
        {"/bin/sh -c 'a' sh ; b", SHELL_OPERATOR, ";"},
        {"/bin/sh -c echo $1", SHELL_EXPANSION, "$1"},
        {"/bin/sh /etc/open %IP% >/dev/null", SHELL_OPERATOR, ">/dev/null"},
        {"/bin/sh -e /etc/open; x", SHELL_OPERATOR, "/etc/open;"},
        {"/opt/flash -c a;b", SHELL_OPERATOR, "a;b"},
    };
    FOUND(rows);
}

static void no_value_of_a_knock_is_put_into_a_script(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/bin/sh -c 'echo %IP%'", SHELL_PLACEHOLDER, "'echo %IP%'"},
        {"/bin/sh -c 'echo %%%IP%'", SHELL_PLACEHOLDER, "'echo %%%IP%'"},
        {"bash -c \"x %PORT%\"", SHELL_PLACEHOLDER, "\"x %PORT%\""},
        {"sh -c 'x %PROTO%'", SHELL_PLACEHOLDER, NULL},
        {"sh -c 'x %TIMEOUT%'", SHELL_PLACEHOLDER, NULL},
        {"sh -c 'x %KEY%'", SHELL_PLACEHOLDER, NULL},
        {"sh -c %IP%", SHELL_PLACEHOLDER, NULL},
    };
    FOUND(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_are_found),
        cmocka_unit_test(expansions_are_found),
        cmocka_unit_test(what_a_program_gets_is_left_alone),
        cmocka_unit_test(an_explicit_shell_has_its_script),
        cmocka_unit_test(no_value_of_a_knock_is_put_into_a_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
