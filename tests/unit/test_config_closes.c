/* Doors that close others, and keys that have no effect on doors without an undo. */
#include "config_help.h"

#define PAIR(open, close)                                                                          \
    SOURCE "door a {"                                                                              \
           "sequence = { 9000, 7000, 8000 }\n" open                                                \
           " }\ndoor b { sequence = { 9100, 7100, 8100 }\n" close " }\n"
#define ADD        "start_command = 'iptables -I INPUT -s %IP% -j ACCEPT'"
#define TAKE       "start_command = 'iptables -D INPUT -s %IP% -j ACCEPT'"
#define OPENS_ONLY "door \"a\" has no stop_command: what it opens stays open"

static void who_closes_whom(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool lasts, expires, closed, is_undo;
    } rows[] = {
        {PAIR(ADD, TAKE), true, false, true, true},
        {PAIR(ADD " stop_command = ''", TAKE " stop_command = ''"), true, false, true, true},
        {PAIR(ADD, "closes = a"), true, false, false, false},
        {PAIR(ADD, "start_command = x closes = a"), true, false, true, true},
        {PAIR(ADD, "start_command = x stop_command = ''"), true, false, false, false},
        {PAIR(ADD " stop_command = ''", "start_command = x stop_command = ''"), false, false, false,
         false},
        {PAIR(RULE, "closes = a"), false, false, false, false},
        {PAIR(RULE, "closes = a start_command = x"), false, false, false, false},
        {PAIR("start_command = 'x %TIMEOUT%'", "closes = a"), false, true, false, false},
        {PAIR("start_command = 'x %%TIMEOUT%%'", "closes = a"), true, false, false, false},
        {PAIR("start_command = 'ipset add s %IP% timeout %TIMEOUT%'",
              "start_command = 'ipset del s %IP%'"),
         true, false, true, true},
    };
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config *config = load_text(&told, rows[i].text);
        if (!config)
            fail_msg("of:\n%s\nwas told:\n%s", rows[i].text, told.lines);
        const struct config_door *a = &config->doors[0], *b = &config->doors[1];
        bool good = a->lasts == rows[i].lasts && a->expires == rows[i].expires &&
                    (a->closer == b) == rows[i].closed && b->is_undo == rows[i].is_undo;
        if (!good)
            fail_msg("of:\n%s\nlasts %d, expires %d, closed %d, is_undo %d", rows[i].text, a->lasts,
                     a->expires, a->closer == b, b->is_undo);
        config_free(config);
    }
    end(&told);
}

static void what_is_told(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {PAIR(ADD, TAKE), ""},
        {PAIR(ADD, "closes = c"), "5: closes: there is no door \"c\"\n3: warning: " OPENS_ONLY},
        {PAIR(ADD, "closes = b"),
         "5: closes: door \"b\" opens nothing that could be closed\n3: warning: " OPENS_ONLY},
        {PAIR(ADD, "closes = a" RULE),
         "5: door \"b\" closes another one: it can't have rule as well\n3: warning: " OPENS_ONLY},
        {PAIR(ADD, "closes = a start_command = x stop_command = y"),
         "5: door \"b\" closes another one: it can't have stop_command as well"},
        {PAIR(ADD "\ncmd_timeout = 5", TAKE),
         "4: warning: door \"a\": cmd_timeout has no effect: no "
         "stop_command closes it"},
        {PAIR(ADD, TAKE "\ncmd_timeout = 5"),
         "6: warning: door \"b\": cmd_timeout has no effect: nothing stays open"},
        {PAIR(RULE, "closes = a check_command = x"),
         "5: warning: door \"b\": check_command has no effect"},
        {PAIR(RULE, ADD " stop_command = ''"),
         "5: warning: door \"b\": with stop_command = \"\" each knock inserts one more rule"},
    };
    assert_rows(rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_closes_whom),
        cmocka_unit_test(what_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
