/* What knockd -t finds odd in the words of rules. */
#include "config_help.h"

#include "knockd/rule_review.h"

#define KNOCKED "door d { sequence = { 9000, 7000, 8000 }\n"
#define ON_22   KNOCKED "port = 22\n"

static void assert_review(const char *door, bool families, const char *expected)
{
    struct told told;
    char text[1024];
    begin(&told);
    snprintf(text, sizeof(text), SOURCE "%s }\n", door);
    struct config *config = load_text(&told, text);
    if (!config)
        fail_msg("%s:\n%s", text, told.lines);
    struct report report = {.say = hear, .arg = &told};
    struct plans *plans = plans_make(config, NULL, &report);
    assert_non_null(plans);
    told.lines[0] = '\0';
    rule_review(config, plans, families, &report);
    assert_told(text, &told, expected);
    assert_int_equal(report.errors, 0);
    plans_free(plans);
    config_free(config);
    end(&told);
}

static void what_is_odd(void **state)
{
    (void)state;
    static const struct {
        const char *door, *expected;
    } rows[] = {
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport %PORT% -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport 22 -j OWN-CHAIN'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport 22 -jACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport 22 --jump=ACCEPT'", ""},
        {KNOCKED "port = 443\n"
                 "rule = '-t nat PREROUTING -s %IP% -p tcp --dport 443 -j REDIRECT --to-ports 22'",
         ""},
        /* without a target */
        {ON_22 "\nrule = 'INPUT -s %IP% -p tcp --dport 22'",
         "5: this rule has no target, so it only counts packets"},
        {ON_22 "rule = { 'INPUT -s %IP% -j ACCEPT',\n'-t raw PREROUTING -s %IP%' }",
         "5: this rule has no target"},
        /* one that opens nothing */
        {ON_22 "rule = 'INPUT -s %IP% -j DROP'", "4: DROP opens nothing, and no other rule"},
        {ON_22 "rule = 'INPUT -s %IP% -j REJECT --reject-with tcp-reset'",
         "4: REJECT opens nothing"},
        {ON_22 "rule = 'INPUT -s %IP% -j LOG'", "4: LOG opens nothing"},
        {ON_22 "rule = 'INPUT -s %IP% -j RETURN'", "4: RETURN opens nothing"},
        {ON_22 "rule = 'KNOCKD -s %IP% -j RETURN'", ""},
        {ON_22 "rule = { 'INPUT -s %IP% -j ACCEPT', 'INPUT -s %IP% -j LOG' }", ""},
        /* another port */
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT'",
         "4: its rule opens 2222, but port says 22"},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport=2222 -j ACCEPT'",
         "4: its rule opens 2222, but port says 22"},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --destination-p 2222 --jum ACCEPT'",
         "4: its rule opens 2222, but port says 22"},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport=22 --ju=ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp -m multiport --dports 80,443 -j ACCEPT'",
         "4: its rule opens 80,443, but port says 22"},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp -m multiport --dports 80,20:25 -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport 1: -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport :21 -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport ssh -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp ! --dport 80 -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --sport 80 -j ACCEPT'", ""},
        {ON_22
         "rule = { '-t nat PREROUTING -s %IP% -p tcp --dport 2222 -j REDIRECT --to-ports 22',\n"
         "'INPUT -s %IP% -p tcp --dport 22 -j ACCEPT' }",
         ""},
        {KNOCKED "rule = 'INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT'", ""},
        /* interfaces */
        {ON_22 "rule = 'INPUT -i lo -s %IP% -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -i l+ -s %IP% -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -i + -s %IP% -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT ! -i nosuch0 -s %IP% -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -i nosuch0 -s %IP% -j ACCEPT'",
         "4: this rule is about interface nosuch0, which isn't there"},
        {ON_22 "rule = 'FORWARD --out-interface nosuch+ -s %IP% -j ACCEPT'",
         "4: interface nosuch+"},
        {ON_22 "rule = 'INPUT -inosuch0 -s %IP% -j ACCEPT'", "4: interface nosuch0"},
        {ON_22 "interface = nosuch0 rule = 'INPUT -s %IP% -j ACCEPT'",
         "2: interface nosuch0 isn't there just now"},
        {ON_22 "interface = lo rule = 'INPUT -s %IP% -j ACCEPT'", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_review(rows[i].door, false, rows[i].expected);
}

static void addresses_of_one_family(void **state)
{
    (void)state;
    static const struct {
        const char *door, *expected;
    } rows[] = {
        {ON_22 "rule = 'INPUT -s %IP% -d 192.0.2.9 -j ACCEPT'",
         "4: this rule has an IPv4 address, and the door hears IPv6 as well"},
        {ON_22 "rule = 'INPUT -s %IP% -d 2001:db8::/32 -j ACCEPT'",
         "4: this rule has an IPv6 address, and the door hears IPv4 as well"},
        {ON_22 "allow = 0.0.0.0/0 rule = 'INPUT -s 192.0.2.0/24 -j ACCEPT'", ""},
        {ON_22 "allow = '::/0' rule = 'INPUT -s %IP% -d 2001:db8::9 -j ACCEPT'", ""},
        {ON_22 "rule = 'INPUT -s %IP% -p tcp --dport 22 -j ACCEPT'", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_review(rows[i].door, true, rows[i].expected);
        /* Where the rules are tried, that tells it. */
        assert_review(rows[i].door, false, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_odd),
        cmocka_unit_test(addresses_of_one_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
