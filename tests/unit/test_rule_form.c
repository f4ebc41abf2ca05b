/* Rules as iptables-save prints them: read, known by our comment, and compared with what doors put
 * there and what openings delete. */
#include "config_help.h"

#include "keeper/rule_form.h"

static void rules_are_read(void **state)
{
    (void)state;
    static char text[] =
        "# Generated\n"
        "*nat\n"
        ":PREROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -s 192.0.2.1/32 -m comment --comment \"knockd web.2\" -j REDIRECT\n"
        "COMMIT\n"
        "*filter\n"
        ":INPUT DROP [1:2]\n"
        "-A INPUT -m comment --comment knockd -j ACCEPT\n"
        "-A INPUT -m comment --comment \"knockd a b\" -j ACCEPT\n"
        "-A INPUT -m comment --comment \"knockd \\\"x\\\"\" -j ACCEPT\n"
        "-A INPUT -m comment --comment \"knockd -x\" -j ACCEPT\n"
        "-A INPUT -m comment --comment \"Knockd ssh\" -j ACCEPT\n"
        "-A INPUT -m string --string \"--comment knockd ssh\" --algo bm -j ACCEPT\n"
        "-A INPUT -m comment --comment \"my own\" -m comment --comment \"knockd ssh\" -j A";
    static const struct {
        const char *table, *last, *door;
    } rows[] = {
        {"nat", "REDIRECT", "web.2"}, {"filter", "ACCEPT", ""}, {"filter", "ACCEPT", ""},
        {"filter", "ACCEPT", ""},     {"filter", "ACCEPT", ""}, {"filter", "ACCEPT", ""},
        {"filter", "ACCEPT", ""},     {"filter", "A", "ssh"},
    };
    struct saved_rules rules = {.file = fmemopen(text, strlen(text), "r")};
    assert_non_null(rules.file);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct saved_rule *rule = saved_rules_next(&rules);
        assert_non_null(rule);
        assert_string_equal(rule->table, rows[i].table);
        assert_string_equal(rule->words.words[rule->words.count - 1], rows[i].last);
        assert_string_equal(rule->door, rows[i].door);
    }
    assert_null(saved_rules_next(&rules));
    saved_rules_end(&rules);
    fclose(rules.file);
}

static void names_in_comments(void **state)
{
    (void)state;
    char door[SAVED_RULES_NAME], comment[300];
    memset(comment, 'x', sizeof(comment));
    memcpy(comment, "knockd ", 7);
    comment[7 + 63] = '\0';
    assert_true(saved_rules_door(comment, door));
    assert_int_equal(strlen(door), 63);
    comment[7 + 63] = 'x';
    comment[7 + 64] = '\0';
    assert_false(saved_rules_door(comment, door));
    assert_false(saved_rules_door("knockd ", door));
    assert_false(saved_rules_door("", door));
    assert_false(saved_rules_door("knockd a\nb", door));
}

/* One rule of filter's INPUT, the rest of which is `rest`. */
static void with_saved(const char *table, const char *rest,
                       void (*look)(const struct saved_rule *rule, const void *arg),
                       const void *arg)
{
    char text[600];
    snprintf(text, sizeof(text), "*%s\n-A %s\nCOMMIT\n", table, rest);
    struct saved_rules rules = {.file = fmemopen(text, strlen(text), "r")};
    const struct saved_rule *rule = saved_rules_next(&rules);
    assert_non_null(rule);
    look(rule, arg);
    saved_rules_end(&rules);
    fclose(rules.file);
}

struct form_row {
    const char *door;  /* the rule of a door */
    const char *saved; /* what iptables-save prints, from the chain on */
    bool same;
    const char *table; /* NULL: filter */
};

static void compare_form(const struct saved_rule *rule, const void *arg)
{
    const struct form_row *row = arg;
    struct values values = rule_form_wildcards;
    struct rule_form door, saved;
    struct words words;
    char why[160];
    values.door = "ssh";
    assert_true(template_expand(row->door, &values, &words, why, sizeof(why)));
    assert_true(rule_form_of_door(&door, words.text, words.count));
    assert_true(rule_form_of_saved(&saved, rule));
    if (rule_form_matches(&door, &saved) != row->same)
        fail_msg("%s\n%s", row->door, row->saved);
}

static void forms_of_rules(void **state)
{
    (void)state;
#define SSH "INPUT -s %IP% -p tcp --dport %PORT% -j ACCEPT"
    static const struct form_row rows[] = {
        {SSH, "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT", true, NULL},
        {SSH, "INPUT -s 2001:db8::1/128 -p tcp -m tcp --dport 22 -j ACCEPT", true, NULL},
        {SSH,
         "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -m comment --comment \"knockd x\" -j ACCEPT",
         true, NULL},
        {SSH, "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -m comment --comment mine -j ACCEPT",
         false, NULL},
        {SSH, "INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT", false, NULL},
        {SSH, "INPUT ! -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT", false, NULL},
        {SSH, "INPUT -p tcp -m tcp --dport 22 -j ACCEPT", false, NULL},
        {SSH, "INPUT -s 192.0.2.1/32 -i eth0 -p tcp -m tcp --dport 22 -j ACCEPT", false, NULL},
        {SSH, "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22:23 -j ACCEPT", false, NULL},
        {SSH, "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j DROP", false, NULL},
        {SSH, "FORWARD -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT", false, NULL},
        {SSH, "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT", false, "raw"},
        {"INPUT --protocol tcp --source %IP%/32 --destination-port 22 --jump ACCEPT",
         "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT", true, NULL},
        {"-t nat PREROUTING -s %IP% -p %PROTO% --dport 80 -j DNAT --to-destination 10.0.0.1:%PORT%",
         "PREROUTING -s 192.0.2.1/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.0.0.1:8080",
         true, "nat"},
        {"-t nat PREROUTING -s %IP% -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:%PORT%",
         "PREROUTING -s 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:8080",
         false, "nat"},
        {"K-%DOOR% ! -i eth1 -s %IP% -m set --match-set ok src -j ACCEPT",
         "K-ssh -s 192.0.2.1/32 ! -i eth1 -m set --match-set ok src -j ACCEPT", true, NULL},
        {"K-%DOOR% ! -i eth1 -s %IP% -m set --match-set ok src -j ACCEPT",
         "K-ssh -s 192.0.2.1/32 ! -i eth1 -m set --match-set ok dst -j ACCEPT", false, NULL},
        {"INPUT -s %IP% -m comment --comment 'my own' -j ACCEPT",
         "INPUT -s 192.0.2.1/32 -m comment --comment \"my own\" -j ACCEPT", true, NULL},
        {"INPUT -p tcp --dport 22 -j ACCEPT", "INPUT -p tcp -m tcp --dport 22 -j ACCEPT", true,
         NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        with_saved(rows[i].table ? rows[i].table : "filter", rows[i].saved, compare_form, &rows[i]);
}

static void more_than_fits(const struct saved_rule *rule, const void *arg)
{
    struct rule_form form;
    (void)arg;
    assert_false(rule_form_of_saved(&form, rule));
}

static void forms_have_limits(void **state)
{
    (void)state;
    char rest[600] = "INPUT";
    for (int i = 0; i <= RULE_FORM_OPTIONS; i++)
        strcat(rest, " --x y");
    with_saved("filter", rest, more_than_fits, NULL);
    with_saved("filter", "INPUT --x 1 2 3 4 5", more_than_fits, NULL);
    with_saved("filter", "INPUT value -j ACCEPT", more_than_fits, NULL);
}

struct deletion_row {
    const char *command; /* its words, one blank between; _ is a blank inside of one */
    const char *saved;
    bool read, may_be;
};

static void compare_deletion(const struct saved_rule *rule, const void *arg)
{
    const struct deletion_row *row = arg;
    struct rule_deletion deletion;
    char text[600];
    unsigned count = 1;
    snprintf(text, sizeof(text), "%s", row->command);
    for (char *p = text; *p; p++) {
        count += *p == ' ';
        *p = *p == ' ' ? '\0' : *p == '_' ? ' ' : *p;
    }
    bool read = rule_deletion_read(&deletion, text, count);
    if (read != row->read ||
        (read && rule_deletion_may_be_of(&deletion, rule, false) != row->may_be))
        fail_msg("%s\n%s", row->command, row->saved);
}

static void what_deletes_a_rule(void **state)
{
    (void)state;
#define D      "/usr/sbin/iptables -w 5 -D INPUT -s 192.0.2.1 -p tcp --dport 22 -j ACCEPT"
#define OURS   " -m comment --comment knockd_ssh"
#define R      "INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 "
#define MARKED "-m comment --comment \"knockd ssh\" "
    static const struct deletion_row rows[] = {
        {D OURS, R MARKED "-j ACCEPT", true, true},
        {D, R "-j ACCEPT", true, true},
        /* What can't be compared is taken for the same. */
        {D OURS, R "-i eth0 " MARKED "-j DROP", true, true},
        {"iptables -D INPUT -s 192.0.2.0/24 -j ACCEPT", R "-j ACCEPT", true, true},
        {"iptables -D INPUT -s gate -j ACCEPT", R "-j ACCEPT", true, true},
        {"iptables -D INPUT ! -s 192.0.2.7 -j ACCEPT", R "-j ACCEPT", true, true},
        {"iptables -D INPUT -p tcp --dport 022 -j ACCEPT", R "-j ACCEPT", true, true},
        {"iptables -D INPUT -p tcp --dport ssh -j ACCEPT", R "-j ACCEPT", true, true},
        {"iptables-legacy -w --table filter --delete INPUT -j X", R "-j ACCEPT", true, true},
        {D " -m comment --comment my_own", R "-m comment --comment \"my own\" -j ACCEPT", true,
         true},
        /* What is certain. */
        {D, R MARKED "-j ACCEPT", true, false},
        {D OURS, R "-j ACCEPT", true, false},
        {D " -m comment --comment knockd_web", R MARKED "-j ACCEPT", true, false},
        {"iptables -D INPUT -s 192.0.2.7 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -D INPUT --source 192.0.2.7/32 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -D INPUT -d 192.0.2.1 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -D INPUT -p tcp --dport 23 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -D FORWARD -s 192.0.2.1 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -t raw -D INPUT -s 192.0.2.1 -j ACCEPT", R "-j ACCEPT", true, false},
        {"ip6tables -D INPUT -j ACCEPT", R "-j ACCEPT", true, false},
        /* Values that are joined to their options. */
        {D " -m comment --comment=knockd_ssh", R MARKED "-j ACCEPT", true, true},
        {D " -mcomment --comment=knockd_web", R MARKED "-j ACCEPT", true, false},
        {"iptables --table=filter --delete=INPUT --source=192.0.2.1 --dport=22 -j ACCEPT",
         R "-j ACCEPT", true, true},
        {"iptables --table=mangle -D INPUT -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -tmangle -D INPUT -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -tfilter -DINPUT -s192.0.2.1 -ptcp -jACCEPT", R "-j ACCEPT", true, true},
        {"iptables -D INPUT -s192.0.2.7 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -D INPUT --source=192.0.2.7 -j ACCEPT", R "-j ACCEPT", true, false},
        {"iptables -w5 -D INPUT -j ACCEPT", R "-j ACCEPT", true, true},
        {"iptables --wait=5 -D INPUT -p tcp --syn --dport=22 -j ACCEPT", R "-j ACCEPT", true, true},
        /* Values that look like options, and several comments. */
        {D " -m comment --comment -t -m comment --comment knockd_ssh",
         R "-m comment --comment -t " MARKED "-j ACCEPT", true, true},
        {D OURS " -m comment --comment other", R MARKED "-m comment --comment other -j ACCEPT",
         true, true},
        {"iptables -D INPUT -p tcp -m multiport --dport 22 -j ACCEPT",
         "INPUT -p tcp -m multiport --dports 22 -j ACCEPT", true, true},
        /* What isn't surely understood. */
        {D " -m comment --comm knockd_ssh", R MARKED "-j ACCEPT", false, false},
        {D " -m comment --comm=knockd_ssh", R MARKED "-j ACCEPT", false, false},
        {"iptables --tab mangle -D INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables --t=mangle -D INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -D INPUT --sou 192.0.2.7 -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -D INPUT -p tcp --dpo 23 -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables --del INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -D INPUT -p=tcp -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -vtmangle -D INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -t filter -t mangle -D INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -D INPUT -j LOG --log-prefix -tx", R "-j LOG", false, false},
        {"iptables -6 -D INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -D INPUT -m comment --comment", R "-j ACCEPT", false, false},
        {"iptables -DINPUT 3", R "-j ACCEPT", false, false},
        {"iptables --delete=INPUT 3", R "-j ACCEPT", false, false},
        /* No such command. */
        {"iptables -D INPUT 3", R "-j ACCEPT", false, false},
        {"iptables -A INPUT -j ACCEPT", R "-j ACCEPT", false, false},
        {"iptables -F", R "-j ACCEPT", false, false},
        {"iptables -D", R "-j ACCEPT", false, false},
        {"nft delete element inet knockd knock4", R "-j ACCEPT", false, false},
        {"/usr/local/bin/iptables.sh -D INPUT -j ACCEPT", R "-j ACCEPT", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        with_saved("filter", rows[i].saved, compare_deletion, &rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read),      cmocka_unit_test(names_in_comments),
        cmocka_unit_test(forms_of_rules),      cmocka_unit_test(forms_have_limits),
        cmocka_unit_test(what_deletes_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
