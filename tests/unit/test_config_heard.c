/* Doors that name the sources that they hear. */
#include "config_help.h"

#define SOURCES                                                                                    \
    "source local { type = kmsg prefix = x }\n"                                                    \
    "source fleet { type = file path = /var/log/fleet.log prefix = x }\n"                          \
    "source wire { type = nflog group = 5 prefix = x }\n"
#define NAMED(list)                                                                                \
    SOURCES "door d { sequence = { 9000, 7000, 8000 }\nsource = " list RULE_LINE "}\n"
#define RULE_LINE " rule = \"INPUT -s %IP% -j ACCEPT\" "
#define STREAM    "source stream { type = stdin prefix = x remote = true }\n"
#define OTHER     "door e { sequence = { 9100, 7100, 8100 }" RULE_LINE "}\n"

static void reads_what_a_door_hears(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool heard[3];
    } rows[] = {
        {SOURCES OTHER, {true, true, true}},
        {NAMED("local") OTHER, {true, false, false}},
        {NAMED("{ \"fleet\" }") OTHER, {false, true, false}},
        {NAMED("{ wire, local }") OTHER, {true, false, true}},
        {NAMED("{ wire, local, fleet }"), {true, true, true}},
        /* sources may come after it */
        {"door d { source = fleet sequence = { 9000, 7000, 8000 }" RULE_LINE "}\n" SOURCES OTHER,
         {false, true, false}},
    };
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config *config = load_text(&told, rows[i].text);
        if (!config || told.lines[0])
            fail_msg("of:\n%s\nwas told:\n%s", rows[i].text, told.lines);
        for (unsigned j = 0; j < 3; j++)
            if (config_hears(&config->doors[0], j) != rows[i].heard[j])
                fail_msg("of:\n%s\nsource %u: %d", rows[i].text, j, !rows[i].heard[j]);
        config_free(config);
    }
    end(&told);
}

static void tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {NAMED("fleat") OTHER, "5: source: there is no source \"fleat\"; did you mean fleet?"},
        {NAMED("{ local,\n tap }") OTHER,
         "6: source: there is no source \"tap\"; there are local, fleet, wire"},
        {NAMED("{}") OTHER, "5: source: the list is empty: name a source, or leave the key out"},
        {NAMED("'a b'") OTHER, "5: source: \"a b\" is no name of a source: expected 1 to 63 of"},
        {NAMED("{ wire, local,\n wire, fleet }"),
         "6: warning: source: the list has \"wire\" twice"},
        {NAMED("local"), "2: warning: source \"fleet\": no door hears it\n"
                         "3: warning: source \"wire\": no door hears it"},
        /* what others can write into, named or not */
        {SOURCES STREAM OTHER,
         "4: warning: source \"stream\": whoever can write into what it reads "
         "opens door \"e\" by sequence: name the sources"},
        {SOURCES STREAM OTHER "door f { sequence = { 9200, 7200, 8200 }" RULE_LINE "}\n",
         "4: opens door \"e\" and 1 more by sequence: name the sources"},
        {SOURCES STREAM "door d { sequence = { 9000, 7000, 8000 } source = { stream, local, fleet, "
                        "wire }" RULE_LINE "}\n",
         ""},
        {SOURCES STREAM "door d { key = alice" RULE_LINE "}\n", ""},
        /* what no source brings to both isn't shared */
        {NAMED(
             "local") "door e { sequence = { 9000, 7000, 8000 } source = { fleet, wire }" RULE_LINE
                      "}\n",
         ""},
        {NAMED("{ local, wire }") "door e { sequence = { 9000, 7000, 8000 }\n"
                                  "source = { fleet, wire }" RULE_LINE "}\n",
         "6: warning: door \"e\": whoever knocks at door \"d\""},
    };
    assert_rows(rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_a_door_hears),
        cmocka_unit_test(tells_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
