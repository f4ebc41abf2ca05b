/* Commands that undo others, known by their words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/command.h"
#include "lib/inverse.h"

static void pairs(void **state)
{
    (void)state;
    static const struct {
        const char *start, *undo;
        bool inverse;
    } rows[] = {
        {"iptables -I INPUT -s a -j ACCEPT", "iptables -D INPUT -s a -j ACCEPT", true},
        {"iptables -A INPUT -s a -j ACCEPT", "iptables -D INPUT -s a -j ACCEPT", true},
        {"iptables -w 5 -t nat -I X -j Y", "iptables -w 5 -t nat -D X -j Y", true},
        {"/usr/sbin/iptables -I INPUT -j X", "iptables  -D INPUT\t-j X", true},
        {"iptables --insert INPUT -j X", "iptables --delete INPUT -j X", true},
        {"iptables -I INPUT 1 -j X", "iptables -D INPUT -j X", true},
        {"ipset add s %IP%", "ipset del s %IP%", true},
        {"nft add element inet f s { %IP% }", "nft delete element inet f s { %IP% }", true},
        {"nft add element inet f s { %IP% timeout 9s }", "nft delete element inet f s { %IP% }",
         true},
        {"iptables -I INPUT -s a -j ACCEPT", "iptables -D INPUT -s b -j ACCEPT", false},
        {"iptables -I INPUT -s a -j ACCEPT", "iptables -D INPUT -s a", false},
        {"iptables -I INPUT -s a", "iptables -D INPUT -s a -j ACCEPT", false},
        {"iptables -I INPUT -j X", "ip6tables -D INPUT -j X", false},
        {"iptables -I INPUT -j X", "iptables -I INPUT -j X", false},
        {"iptables -D INPUT -j X", "iptables -I INPUT -j X", false},
        {"iptables -I A -j -I", "iptables -D A -j -D", false},
        {"iptables -A INPUT 1 -j X", "iptables -D INPUT -j X", false},
        {"open %IP%", "close %IP%", false},
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool got =
            inverse_texts(rows[i].undo, strlen(rows[i].undo), rows[i].start, strlen(rows[i].start));
        if (got != rows[i].inverse)
            fail_msg("%s | %s", rows[i].start, rows[i].undo);
    }
}

static void insertions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool inserts;
    } rows[] = {
        {"/usr/sbin/iptables -w 5 -I INPUT -j X", true},
        {"%IPTABLES% -t nat -A X -j Y", true},
        {"iptables -D INPUT -j X", false},
        {"nft add element inet f s { a }", false},
        {"wakeonlan -I 00:11", false},
        {"iptables", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (inverse_inserts(rows[i].text, strlen(rows[i].text)) != rows[i].inserts)
            fail_msg("%s", rows[i].text);
}

static void what_a_status_says(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        int status;
        bool misused, nothing;
    } rows[] = {
        {"/usr/sbin/iptables", 2, true, true},
        {"/usr/sbin/ip6tables", 3, false, true},
        {"/usr/sbin/iptables-legacy", 2, true, true},
        {"/usr/sbin/iptables", 1, false, false},
        {"/usr/sbin/iptables", 4, false, false},
        {"/usr/sbin/iptables", 0, false, false},
        {"/usr/sbin/nft", 2, false, false},
        {"/opt/iptables.sh", 2, false, false},
        {"/usr/sbin/iptables-restore", 2, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[64];
        strcpy(text, rows[i].program);
        struct command command = {.words = 1, .size = strlen(text) + 1, .text = text};
        assert_int_equal(command_misused(&command, rows[i].status), rows[i].misused);
        assert_int_equal(command_did_nothing(&command, rows[i].status), rows[i].nothing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(insertions),
        cmocka_unit_test(what_a_status_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
