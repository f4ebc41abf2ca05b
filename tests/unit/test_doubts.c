/* What knockd -t finds doubtful in the host: ports that are listened on, rules that log too little.
 */
#include "keeper_help.h"

#include "knockd/doubts.h"

struct told {
    unsigned count;
    char last[512];
};

static void on_report(void *arg, bool error, const char *text)
{
    struct told *told = arg;
    assert_false(error);
    told->count++;
    snprintf(told->last, sizeof(told->last), "%s", text);
}

static void ports_that_are_taken(void **state)
{
    (void)state;
    char name[] = "ssh";
    struct config_door door = {
        .name = name,
        .sequence_pos = {"c", 7},
        .sequence = {.count = 3, .steps = {{7000, 6}, {8000, 17}, {9000, 6}}},
    };
    struct config config = {.doors = &door, .door_count = 1};
    struct told told = {0};
    struct report report = {.say = on_report, .arg = &told};
    struct port_set taken = {0};
    port_set_add(&taken, 17, 7000, 7000);
    port_set_add(&taken, 6, 8000, 8000);
    doubts_of_ports(&config, &taken, &report);
    assert_int_equal(told.count, 0);
    port_set_add(&taken, 17, 8000, 8000);
    doubts_of_ports(&config, &taken, &report);
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.last,
                           "c:7: warning: door \"ssh\": something on this host listens on "
                           "8000:udp"));
}

static void rules_that_log_only_ports(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        unsigned warnings;
    } rows[] = {
        {"", 0},
        {"-A INPUT -j LOG --log-prefix \"[DENY] \"\n", 0},
        {"-A INPUT -p tcp -m tcp --dport 7000 -j LOG --log-prefix \"[DENY] \"\n", 1},
        {"-A INPUT -p tcp -m multiport --dports 7000,9000 -j LOG --log-prefix \"[DENY] \"\n"
         "-A INPUT -p udp -m udp --dport 8000 -j LOG --log-prefix \"[DENY] \"\n",
         1},
        {"-A INPUT -p tcp -m tcp --dport 7000 -j LOG --log-prefix \"[DENY] \"\n"
         "-A INPUT -j LOG --log-prefix \"[DENY] \"\n",
         0},
        {"-A INPUT -p tcp -m tcp --dport 7000 -j LOG --log-prefix other\n", 0},
        {"-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", 0},
        {"-A INPUT -p tcp -m tcp --dport 7 -j NFLOG --nflog-prefix \"[DENY] \"\n", 1},
    };
    char name[] = "firewall", prefix[] = "[DENY]";
    struct config_text text = {.text = prefix, .pos = {"c", 4}};
    struct config_source source = {.name = name, .prefixes = {.items = &text, .count = 1}};
    struct config config = {.sources = &source, .source_count = 1};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        FILE *file = tmpfile();
        assert_non_null(file);
        fputs(rows[i].rules, file);
        rewind(file);
        doubts_of_rules(&config, file, &report);
        fclose(file);
        if (told.count != rows[i].warnings)
            fail_msg("%s: %u warnings", rows[i].rules, told.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_that_are_taken),
        cmocka_unit_test(rules_that_log_only_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
