/* What knockd -t finds doubtful in the host: ports that are listened on, rules that log too little.
 */
#include "keeper_help.h"

#include "knockd/host_check.h"

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
    struct config_source source = {.type = SOURCE_KMSG};
    struct config config = {.sources = &source, .source_count = 1, .doors = &door, .door_count = 1};
    struct told told = {0};
    struct report report = {.say = on_report, .arg = &told};
    struct port_set taken = {0};
    port_set_add(&taken, 17, 7000, 7000);
    port_set_add(&taken, 6, 8000, 8000);
    host_check_ports(&config, &taken, &report);
    assert_int_equal(told.count, 0);
    port_set_add(&taken, 17, 8000, 8000);
    host_check_ports(&config, &taken, &report);
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.last,
                           "c:7: warning: door \"ssh\": something on this host listens on "
                           "8000:udp"));
    /* What captures hears it all the same. */
    source.type = SOURCE_PCAP;
    host_check_ports(&config, &taken, &report);
    assert_int_equal(told.count, 1);
}

static void rules_that_log_only_ports(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        unsigned warnings, nflog; /* for a source kmsg, and for one of NFLOG's group 5 */
    } rows[] = {
        {"", 0, 0},
        {"-A INPUT -j LOG --log-prefix \"[DENY] \"\n", 0, 0},
        {"-A INPUT -p tcp -m tcp --dport 7000 -j LOG --log-prefix \"[DENY] \"\n", 1, 0},
        {"-A INPUT -p tcp -m multiport --dports 7000,9000 -j LOG --log-prefix \"[DENY] \"\n"
         "-A INPUT -p udp -m udp --dport 8000 -j LOG --log-prefix \"[DENY] \"\n",
         1, 0},
        {"-A INPUT -p tcp -m tcp --dport 7000 -j LOG --log-prefix \"[DENY] \"\n"
         "-A INPUT -j LOG --log-prefix \"[DENY] \"\n",
         0, 0},
        {"-A INPUT -p tcp -m tcp --dport 7000 -j LOG --log-prefix other\n", 0, 0},
        {"-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", 0, 0},
        {"-A INPUT -p tcp -m tcp --dport 7 -j NFLOG --nflog-prefix \"[DENY] \"\n", 0, 0},
        {"-A INPUT -p tcp -m tcp --dport 7 -j NFLOG --nflog-prefix \"[DENY] \" "
         "--nflog-group 5\n",
         0, 1},
        {"-A INPUT -p tcp -m tcp --dport 7 -j NFLOG --nflog-prefix \"[DENY] \" "
         "--nflog-group 5\n"
         "-A INPUT -j LOG --log-prefix \"[DENY] \"\n"
         "-A INPUT -j NFLOG --nflog-group 6 --nflog-prefix \"[DENY] \"\n",
         0, 1},
        {"-A INPUT -p tcp -m tcp --dport 7 -j NFLOG --nflog-prefix \"[DENY] \" "
         "--nflog-group 5\n"
         "-A INPUT -j NFLOG --nflog-group 5 --nflog-prefix \"[DENY] \"\n",
         0, 0},
    };
    char name[] = "firewall", prefix[] = "[DENY]";
    struct config_text text = {.text = prefix, .pos = {"c", 4}};
    struct config_source source = {.name = name, .prefixes = {.items = &text, .count = 1}};
    struct config_door door = {.name = name, .sequence.count = 3};
    struct config config = {.sources = &source, .source_count = 1, .doors = &door, .door_count = 1};
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        size_t row = i / 2;
        bool nflog = i % 2;
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        FILE *file = tmpfile();
        assert_non_null(file);
        source.type = nflog ? SOURCE_NFLOG : SOURCE_KMSG;
        source.group = 5;
        fputs(rows[row].rules, file);
        rewind(file);
        host_check_rules(&config, file, &report);
        fclose(file);
        if (told.count != (nflog ? rows[row].nflog : rows[row].warnings))
            fail_msg("%s, nflog %d: %u warnings", rows[row].rules, nflog, told.count);
    }
}

/* To log the port of the single packet alone is right where no sequence is listened for. */
static void sealed_knocks_need_no_more(void **state)
{
    (void)state;
    static char name[] = "firewall";
    struct config_source source = {.name = name, .type = SOURCE_NFLOG, .group = 5};
    struct config_door door = {.name = name, .keys.count = 1};
    struct config config = {.sources = &source, .source_count = 1, .doors = &door, .door_count = 1};
    struct told told = {0};
    struct report report = {.say = on_report, .arg = &told};
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("-A INPUT -p udp -m udp --dport 443 -j NFLOG --nflog-group 5\n", file);
    host_check_rules(&config, file, &report);
    assert_int_equal(told.count, 0);
    door.sequence.count = 3;
    host_check_rules(&config, file, &report);
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.last, "logs only some ports to group 5 of NFLOG"));
    door.unheard = 1;
    host_check_rules(&config, file, &report);
    assert_int_equal(told.count, 1);
    door.unheard = 0;
    source.type = SOURCE_PCAP;
    host_check_rules(&config, file, &report);
    assert_int_equal(told.count, 1);
    fclose(file);
}

/* A folder like /proc/sys/net/netfilter, with these files; NULL: without. */
static enum netns_logging logging_with(const char *switched, const char *nf_log)
{
    char folder[] = "/tmp/knockd-doubts-XXXXXX", path[2][64];
    const char *texts[] = {switched, nf_log};
    assert_non_null(mkdtemp(folder));
    snprintf(path[0], sizeof(path[0]), "%s/nf_log_all_netns", folder);
    snprintf(path[1], sizeof(path[1]), "%s/nf_log", folder);
    for (int i = 0; i < 2; i++) {
        FILE *file = texts[i] ? fopen(path[i], "w") : NULL;
        if (texts[i])
            assert_non_null(file);
        if (file) {
            fputs(texts[i], file);
            fclose(file);
        }
    }
    enum netns_logging logging = host_check_read_netns(folder);
    unlink(path[0]);
    unlink(path[1]);
    assert_int_equal(rmdir(folder), 0);
    return logging;
}

static void the_switch_is_read(void **state)
{
    (void)state;
    assert_int_equal(logging_with("0\n", ""), NETNS_FIRST);
    assert_int_equal(logging_with("1\n", ""), NETNS_ALL);
    assert_int_equal(logging_with(NULL, ""), NETNS_NOT_FIRST);
    assert_int_equal(logging_with(NULL, NULL), NETNS_FIRST);
}

static void lines_that_any_user_can_cause(void **state)
{
    (void)state;
    static const struct {
        enum source_type type;
        enum netns_logging logging;
        unsigned steps;
        const char *says; /* NULL: nothing */
        uint64_t unheard;
    } rows[] = {
        {SOURCE_KMSG, NETNS_FIRST, 3, NULL, 0},
        {SOURCE_KMSG, NETNS_ALL, 3,
         "c:4: warning: source \"firewall\": since net.netfilter.nf_log_all_netns is 1, any local "
         "user can have the kernel log packets of any address",
         0},
        {SOURCE_JOURNAL, NETNS_ALL, 3,
         "which a sequence opens; have the firewall hand the packets to knockd (type = nflog), which "
         "hears this namespace alone, set that to 0, or let",
         0},
        {SOURCE_KMSG, NETNS_NOT_FIRST, 3, "this is not the first network namespace", 0},
        {SOURCE_JOURNAL, NETNS_NOT_FIRST, 3,
         "(type = nflog), which hears this namespace alone, run knockd in the first one, or let",
         0},
        {SOURCE_KMSG, NETNS_ALL, 0, NULL, 0},    /* sealed knocks alone */
        {SOURCE_FILE, NETNS_ALL, 3, NULL, 0},    /* proves nothing anyway */
        {SOURCE_COMMAND, NETNS_ALL, 3, NULL, 0}, /* likewise */
        {SOURCE_UNKNOWN, NETNS_ALL, 3, NULL, 0}, /* it isn't the kernel's */
        {SOURCE_KMSG, NETNS_ALL, 3, NULL, 1},    /* the door doesn't hear it */
        {SOURCE_KMSG, NETNS_ALL, 3, "and so knock at door \"ssh\", which", 2},
    };
    char name[] = "firewall", ssh[] = "ssh";
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_source source = {.name = name, .pos = {"c", 4}, .type = rows[i].type};
        struct config_door door = {
            .name = ssh, .sequence.count = rows[i].steps, .unheard = rows[i].unheard};
        struct config config = {
            .sources = &source, .source_count = 1, .doors = &door, .door_count = 1};
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        host_check_netns(&config, rows[i].logging, &report);
        if (told.count != (rows[i].says != NULL) ||
            (rows[i].says && !strstr(told.last, rows[i].says)))
            fail_msg("row %zu: %s", i, told.last);
    }
}

static void logs_that_others_may_write(void **state)
{
    (void)state;
    enum { OTHERS = 4711 };
    static const struct {
        unsigned mode, folder;
        gid_t group;
        enum source_type type;
        uint64_t unheard;
        const char *says; /* NULL: nothing */
    } rows[] = {
        {0666, 0755, 0, SOURCE_FILE, 0,
         "c:4: warning: source \"fleet\": all users may write /tmp/"},
        {0666, 0755, 0, SOURCE_FILE, 0,
         "(mode 0666), and so knock as any address at door \"ssh\", "},
        {0602, 0755, 0, SOURCE_FILE, 0, "chmod go-w it"},
        {0660, 0755, OTHERS, SOURCE_FILE, 0, "source \"fleet\": its group may write /tmp/"},
        {0660, 0755, OTHERS, SOURCE_FILE, 0, "chmod g-w it"},
        {0660, 0755, 0, SOURCE_FILE, 0, NULL}, /* root's group */
        {0644, 0755, OTHERS, SOURCE_FILE, 0, NULL},
        {0600, 0755, 0, SOURCE_FILE, 0, NULL},
        {0666, 0700, 0, SOURCE_FILE, 0, NULL}, /* nobody else gets there */
        {0666, 0755, 0, SOURCE_COMMAND, 0, NULL},
        {0666, 0755, 0, SOURCE_FILE, 1, NULL}, /* no door hears it */
    };
    char name[] = "fleet", ssh[] = "ssh", folder[] = "/tmp/knockd-writers-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_source source = {
            .name = name, .pos = {"c", 4}, .type = rows[i].type, .path = path, .remote = true};
        struct config_door door = {.name = ssh, .sequence.count = 3, .unheard = rows[i].unheard};
        struct config config = {
            .sources = &source, .source_count = 1, .doors = &door, .door_count = 1};
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
        if (rows[i].group != 0 && chown(path, geteuid(), rows[i].group) < 0)
            continue; /* root alone may */
        assert_int_equal(chmod(path, rows[i].mode), 0);
        assert_int_equal(chmod(folder, rows[i].folder), 0);
        host_check_writers(&config, &report);
        if (told.count != (rows[i].says != NULL) ||
            (rows[i].says && !strstr(told.last, rows[i].says)))
            fail_msg("row %zu: %s", i, told.last);
        unlink(path);
    }
    struct config_source absent = {.name = name, .type = SOURCE_FILE, .path = path};
    struct config_door door = {.name = ssh, .sequence.count = 3};
    struct config config = {.sources = &absent, .source_count = 1, .doors = &door, .door_count = 1};
    struct told told = {0};
    struct report report = {.say = on_report, .arg = &told};
    host_check_writers(&config, &report);
    assert_int_equal(told.count, 0);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void ports_near_a_captured_step(void **state)
{
    (void)state;
    char name[] = "ssh";
    struct port_proto ignored = {8100, 17};
    struct config_door door = {
        .name = name,
        .sequence_pos = {"c", 7},
        .flags = {.set = TCP_SYN, .clear = TCP_ACK},
        .ignore = &ignored,
        .ignore_count = 1,
        .sequence = {.count = 3, .steps = {{7000, 6}, {8000, 17}, {9000, 6}}},
    };
    struct config_source source = {.type = SOURCE_PCAP};
    struct config config = {.sources = &source, .source_count = 1, .doors = &door, .door_count = 1};
    static const struct {
        uint16_t port;
        uint8_t proto;
        bool warned;
    } rows[] = {{8128, 17, true},  {8129, 17, false}, {7872, 17, true}, {7871, 17, false},
                {8100, 17, false}, {7001, 6, false},  {8001, 6, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        struct port_set taken = {0};
        port_set_add(&taken, rows[i].proto, rows[i].port, rows[i].port);
        source.type = SOURCE_KMSG;
        host_check_captured(&config, &taken, &report);
        assert_int_equal(told.count, 0);
        source.type = SOURCE_PCAP;
        host_check_captured(&config, &taken, &report);
        if (told.count != rows[i].warned)
            fail_msg("%u/%u: %s", rows[i].port, rows[i].proto, told.last);
        assert_true(!told.count ||
                    strstr(told.last, "c:7: warning: door \"ssh\": something on this "
                                      "host listens on"));
    }
}

/* Of two sources one captures: what the door hears by the other is nothing to it. */
static void ports_near_a_step_that_no_capture_is_for(void **state)
{
    (void)state;
    char name[] = "ssh", other[] = "web";
    struct flag_match syn = {.set = TCP_SYN, .clear = TCP_ACK};
    struct config_door doors[] = {
        {.name = name, .flags = syn, .sequence = {.count = 1, .steps = {{8000, 17}}}},
        {.name = other, .flags = syn, .sequence = {.count = 1, .steps = {{8010, 17}}}}};
    struct config_source sources[] = {{.type = SOURCE_KMSG}, {.type = SOURCE_PCAP}};
    struct config config = {.sources = sources, .source_count = 2, .doors = doors, .door_count = 2};
    struct port_set taken = {0};
    port_set_add(&taken, 17, 8005, 8005);
    static const struct {
        uint64_t unheard[2];
        const char *door; /* of which it is said; NULL: of none */
    } rows[] = {{{0, 0}, "\"ssh\""},
                {{1, 1}, "\"ssh\""},
                {{2, 0}, "\"web\""},
                {{2, 1}, "\"web\""},
                {{2, 2}, NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        doors[0].unheard = rows[i].unheard[0];
        doors[1].unheard = rows[i].unheard[1];
        host_check_captured(&config, &taken, &report);
        if (told.count != (rows[i].door != NULL) ||
            (rows[i].door && !strstr(told.last, rows[i].door)))
            fail_msg("row %zu: %d, %s", i, (int)told.count, told.last);
    }
}

static void prefixes_that_no_rule_has(void **state)
{
    (void)state;
    char text[80] = "", name[] = "firewall";
    struct config_text prefix = {.text = text, .pos = {"c", 3}};
    struct config_source source = {.name = name, .prefixes = {.items = &prefix, .count = 1}};
    struct config config = {.sources = &source, .source_count = 1};
    static const struct {
        enum source_type type;
        enum source_format format;
        unsigned longest;
    } rows[] = {{SOURCE_KMSG, FORMAT_KERNEL, 29},
                {SOURCE_FILE, FORMAT_KERNEL, 29},
                {SOURCE_FILE, FORMAT_ULOGD, 63},
                {SOURCE_NFLOG, FORMAT_KERNEL, 63}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told = {0};
        struct report report = {.say = on_report, .arg = &told};
        source.type = rows[i].type;
        source.format = rows[i].format;
        memset(text, 'x', sizeof(text) - 1);
        text[rows[i].longest] = '\0';
        host_check_prefixes(&config, &report);
        assert_int_equal(told.count, 0);
        text[rows[i].longest] = 'x';
        text[rows[i].longest + 1] = '\0';
        host_check_prefixes(&config, &report);
        assert_int_equal(told.count, 1);
        assert_non_null(strstr(told.last, "c:3: warning: source \"firewall\": this prefix has "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_that_are_taken),
        cmocka_unit_test(logs_that_others_may_write),
        cmocka_unit_test(ports_near_a_captured_step),
        cmocka_unit_test(ports_near_a_step_that_no_capture_is_for),
        cmocka_unit_test(prefixes_that_no_rule_has),
        cmocka_unit_test(rules_that_log_only_ports),
        cmocka_unit_test(sealed_knocks_need_no_more),
        cmocka_unit_test(the_switch_is_read),
        cmocka_unit_test(lines_that_any_user_can_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
