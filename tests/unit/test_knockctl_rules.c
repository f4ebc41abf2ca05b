/* Firewall rules: which ports a door's rule opens, what is printed, and the way back of a trial. */
#include "config_help.h"

#include <netinet/in.h>

#include "knockctl/change.h"
#include "knockctl/rules.h"

static void understands_door_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum rule_ports found;
        const char *tcp, *udp;
    } rows[] = {
        {"INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", RULE_ADDED, "22", ""},
        {"INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT", RULE_ADDED, "", "1194"},
        {"-t filter INPUT --protocol UDP -m multiport --dports 53,60000:60010 -j ACCEPT",
         RULE_ADDED, "", "53,60000-60010"},
        {"INPUT --destination-port '80' -p 6 -j ACCEPT", RULE_ADDED, "80", ""},
        {"\tINPUT  -p 17 -m comment --comment \"a --dport b\" --dport 123 -j ACCEPT", RULE_ADDED,
         "", "123"},
        {"FORWARD -s %IP% -p tcp --dport 22 -j ACCEPT", RULE_ELSEWHERE, "", ""},
        {"-t nat PREROUTING -s %IP% -p tcp --dport 2222 -j DNAT --to 192.168.7.5:22",
         RULE_ELSEWHERE, "", ""},
        {"-t nat INPUT -p tcp --dport 22 -j ACCEPT", RULE_ELSEWHERE, "", ""},
        {"", RULE_UNKNOWN, "", ""},
        {"INPUT -s %IP% -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -s %IP% -p tcp -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -p tcp ! --dport 22 -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT ! -p tcp --dport 22 -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -p sctp --dport 22 -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -p tcp --dport 0 -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -p tcp --dport 70000 -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -p tcp --dport 20:10 -j ACCEPT", RULE_UNKNOWN, "", ""},
        {"INPUT -p tcp --dport", RULE_UNKNOWN, "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct port_set set = {0};
        struct port_proto port = {1194, IPPROTO_UDP};
        if (rules_add_door_rule(&set, rows[i].rule, port) != rows[i].found)
            fail_msg("\"%s\" read otherwise", rows[i].rule);
        const char *expected[] = {rows[i].tcp, rows[i].udp};
        for (int udp = 0; udp < 2; udp++) {
            char text[64] = "";
            uint16_t first, last;
            for (uint32_t from = 0;
                 port_set_range(&set, udp ? IPPROTO_UDP : IPPROTO_TCP, from, &first, &last);
                 from = last + 1u)
                snprintf(text + strlen(text), sizeof(text) - strlen(text),
                         first == last ? "%s%u" : "%s%u-%u", *text ? "," : "", first, last);
            assert_string_equal(text, expected[udp]);
        }
    }
}

static char *print(const struct rules *rules, enum rules_kind kind, unsigned jumps)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (kind == RULES_NFT)
        rules_print_nft(out, rules);
    else
        rules_print_iptables(out, rules, kind, jumps);
    fclose(out);
    return text;
}

/* Each of the texts stands behind the one before it. */
static void assert_order(const char *text, const char *const *parts)
{
    for (const char *p = text; *parts; parts++) {
        p = strstr(p, *parts);
        if (!p)
            fail_msg("missing, or too early: \"%s\" in\n%s", *parts, text);
        p++;
    }
}

static void prints_in_the_designed_order(void **state)
{
    (void)state;
    static const char *const ip4[] = {
        "*filter\n:KNOCKD - [0:0]\n:KNOCKD-DENY - [0:0]\n",
        "-A KNOCKD -i lo -j ACCEPT\n",
        "ESTABLISHED,RELATED -j ACCEPT\n",
        "-p tcp -m multiport --dports 7000,9000:9001 -j KNOCKD-DENY\n",
        "-p tcp -m multiport --dports 22 -j KNOCKD-DENY\n",
        "-p tcp -m multiport --dports 80 -j ACCEPT\n",
        "-A KNOCKD-DENY -m hashlimit ",
        "--hashlimit-mode srcip",
        "-j LOG --log-prefix \"a \\\"b\\\\ \"\n-A KNOCKD-DENY -j DROP\n",
        "-I INPUT -j KNOCKD\n-A INPUT -j KNOCKD-DENY\nCOMMIT\n",
        NULL};
    static const char *const ip6[] = {"ESTABLISHED",   "-p ipv6-icmp -j ACCEPT\n",
                                      "KNOCKD-DENY\n", "--dports 80 -j ACCEPT\n",
                                      "-j LOG",        NULL};
    static const char *const nft[] = {"flush chain inet knockd input\n",
                                      "iif lo accept\n",
                                      "ct state established,related accept\n",
                                      "ipv6-icmp accept\n",
                                      "tcp dport { 7000, 9000-9001 } goto deny\n",
                                      "tcp dport { 22 } goto deny\n",
                                      "tcp dport { 80 } accept\n",
                                      "limit rate over",
                                      "log prefix",
                                      "drop\n",
                                      NULL};
    struct rules rules = {
        .path = "/etc/knockd.conf", .log_count = 1, .logs = {{.prefix = "a \"b\\ "}}};
    port_set_add(&rules.knocks, IPPROTO_TCP, 7000, 7000);
    port_set_add(&rules.knocks, IPPROTO_TCP, 9000, 9001);
    port_set_add(&rules.doors, IPPROTO_TCP, 22, 22);
    port_set_add(&rules.accept, IPPROTO_TCP, 80, 80);
    const char *const *const expected[] = {ip4, ip6, nft};
    for (int kind = RULES_IP4; kind <= RULES_NFT; kind++) {
        char *text = print(&rules, (enum rules_kind)kind, JUMP_FIRST | JUMP_LAST);
        assert_order(text, expected[kind]);
        /* Nobody else's: no policy, no flush of what isn't its own. */
        assert_null(strstr(text, ":INPUT"));
        assert_null(strstr(text, "-F "));
        assert_null(strstr(text, "flush ruleset"));
        assert_null(strstr(text, "policy drop"));
        free(text);
    }
    char *text = print(&rules, RULES_IP4, JUMP_LAST | JUMP_MOVED);
    assert_null(strstr(text, "-I INPUT"));
    assert_non_null(strstr(text, "-D INPUT -j KNOCKD-DENY\n-A INPUT -j KNOCKD-DENY\n"));
    free(text);
}

/* The ports of sealed knocks are logged apart, before the limit that all others share. */
static void gives_sealed_knocks_room(void **state)
{
    (void)state;
    static const char *const ip4[] = {"-A KNOCKD -p tcp -m multiport --dports 7000,20000:32287 ",
                                      "-A KNOCKD -p udp -m multiport --dports 20000:32287 ",
                                      "-A KNOCKD-DENY -m pkttype",
                                      "-A KNOCKD-DENY -p tcp -m multiport --dports 20000:32287 -m "
                                      "hashlimit --hashlimit-above 2000/second --hashlimit-burst "
                                      "2000 --hashlimit-mode srcip --hashlimit-srcmask 32 ",
                                      "-p tcp -m multiport --dports 20000:32287 -j LOG",
                                      "-p tcp -m multiport --dports 20000:32287 -j DROP\n",
                                      "-p udp -m multiport --dports 20000:32287 -j LOG",
                                      "-p udp -m multiport --dports 20000:32287 -j DROP\n",
                                      "-A KNOCKD-DENY -m hashlimit --hashlimit-above 20/second",
                                      NULL};
    static const char *const nft[] = {"set sealed4 {",
                                      "tcp dport { 7000, 20000-32287 } goto deny\n",
                                      "udp dport { 20000-32287 } goto deny\n",
                                      "th dport 20000-32287 update @sealed4 { ip saddr limit rate "
                                      "over 2000/second burst 2000 packets } drop\n",
                                      "th dport 20000-32287 log prefix \"k \" drop\n",
                                      "update @logged4",
                                      NULL};
    struct rules rules = {.path = "x", .log_count = 1, .logs = {{.prefix = "k "}}, .span = 20000};
    port_set_add(&rules.knocks, IPPROTO_TCP, 7000, 7000);
    port_set_add(&rules.knocks, IPPROTO_TCP, 20000, 32287);
    port_set_add(&rules.knocks, IPPROTO_UDP, 20000, 32287);
    const char *const *const expected[] = {ip4, ip4, nft};
    for (int kind = RULES_IP4; kind <= RULES_NFT; kind += 2) {
        char *text = print(&rules, (enum rules_kind)kind, 0);
        assert_order(text, expected[kind]);
        free(text);
    }
    rules.span = 0;
    for (int kind = RULES_IP4; kind <= RULES_NFT; kind++) {
        char *text = print(&rules, (enum rules_kind)kind, 0);
        assert_null(strstr(text, "ealed"));
        free(text);
    }
}

/* A packet is handed to each group, and a line is written; one packet's port has no line. */
static void logs_where_sources_read(void **state)
{
    (void)state;
    static const char *const ip4[] = {
        "-A KNOCKD -p udp -m multiport --dports 443 -j KNOCKD-DENY\n",
        "-A KNOCKD-DENY -p udp -m multiport --dports 443 -m hashlimit --hashlimit-above "
        "2000/second --hashlimit-burst 2000 --hashlimit-mode srcip --hashlimit-srcmask 32 "
        "--hashlimit-name knockd-packet ",
        "-j DROP\n-A KNOCKD-DENY -p udp -m multiport --dports 443 -j NFLOG --nflog-group 5 "
        "--nflog-size 256 --nflog-threshold 1 --nflog-prefix \"a \\\"b \"\n"
        "-A KNOCKD-DENY -p udp -m multiport --dports 443 -j DROP\n",
        "--hashlimit-above 20/second",
        "-A KNOCKD-DENY -j LOG --log-prefix \"k \"\n-A KNOCKD-DENY -j NFLOG --nflog-group 5 ",
        "\n-A KNOCKD-DENY -j DROP\n",
        NULL};
    static const char *const nft[] = {
        "set packet4 {",
        "udp dport { 443 } goto deny\n",
        "udp dport 443 update @packet4 { ip saddr limit rate over 2000/second burst 2000 packets } "
        "drop\n",
        "udp dport 443 log prefix \"n \" group 5 snaplen 256 queue-threshold 1 drop\n",
        "update @logged4",
        "log prefix \"k \" log prefix \"n \" group 5 snaplen 256 queue-threshold 1 drop\n",
        NULL};
    struct rules rules = {.path = "x",
                          .log_count = 2,
                          .logs = {{.prefix = "k "}, {true, 5, "a \"b "}},
                          .packet_port = 443};
    port_set_add(&rules.knocks, IPPROTO_UDP, 443, 443);
    char *text = print(&rules, RULES_IP4, 0);
    assert_order(text, ip4);
    free(text);
    strcpy(rules.logs[1].prefix, "n ");
    text = print(&rules, RULES_NFT, 0);
    assert_order(text, nft);
    free(text);
}

/* What captures needs no log: what denies is all that is left. */
static void logs_nothing_for_captures(void **state)
{
    (void)state;
    struct rules rules = {.path = "x", .captures = true};
    port_set_add(&rules.doors, IPPROTO_TCP, 22, 22);
    for (int kind = RULES_IP4; kind <= RULES_NFT; kind++) {
        char *text = print(&rules, (enum rules_kind)kind, JUMP_LAST);
        assert_non_null(strstr(text, "# Knocks are captured: to hear them, no rule is needed.\n"));
        assert_non_null(strstr(text, kind == RULES_NFT ? "chain deny {\n        drop\n    }\n"
                                                       : "\n-A KNOCKD-DENY -j DROP\n"));
        assert_non_null(strstr(text, kind == RULES_NFT ? "tcp dport { 22 } goto deny\n"
                                                       : "--dports 22 -j KNOCKD-DENY\n"));
        assert_null(strstr(text, "LOG"));
        assert_null(strstr(text, " log "));
        assert_null(strstr(text, "limit"));
        free(text);
    }
}

/* multiport takes 15 ports, and a range counts as two. */
static void splits_long_lists(void **state)
{
    (void)state;
    struct rules rules = {.path = "x"};
    unsigned expected = 0, found = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint16_t first = (uint16_t)(1000 + 10 * i);
        port_set_add(&rules.knocks, IPPROTO_UDP, first, (uint16_t)(first + (i % 3 == 0 ? 2 : 0)));
        expected++;
    }
    char *text = print(&rules, RULES_IP4, 0);
    for (char *p = text; (p = strstr(p, "--dports "));) {
        p += strlen("--dports ");
        unsigned used = 1;
        found++;
        for (; *p != ' '; p++) {
            assert_non_null(strchr("0123456789,:", *p));
            used += *p == ',' || *p == ':';
            found += *p == ',';
        }
        assert_in_range(used, 1, 15);
    }
    free(text);
    assert_int_equal(found, expected);
}

static void collects_from_a_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        enum rules_kind kind;
        const char *prefix; /* NULL: refused */
        const char *told;
    } rows[] = {
        {"type = kmsg prefix = \"[DENY] \"", RULES_IP4, "[DENY] ", ""},
        {"type = kmsg prefix = { \"one\", \"two\" }", RULES_IP6, "one ", ""},
        {"type = kmsg", RULES_IP4, "[KNOCK] ", ""},
        {"type = kmsg prefix = \"12345678901234567890123456789\"", RULES_IP4,
         "12345678901234567890123456789", ""},
        {"type = kmsg prefix = \"123456789012345678901234567890\"", RULES_IP4, NULL, "29 at most"},
        {"type = file path = \"/x\" format = ulogd", RULES_IP4, NULL, "what the kernel logs"},
        {"type = kmsg prefix = 'a\"b'", RULES_IP4, "a\"b ", ""},
        {"type = kmsg prefix = 'a\"b'", RULES_NFT, NULL, "quotes"},
        {"type = kmsg prefix = x", RULES_NFT, "x ", "opens in iptables"},
    };
    /* With the span of a door that takes sealed knocks, and without one. */
    static const char *const keys[] = {"", "key = alice ports = { 443, 8443 } "};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told;
        char text[512], path[64];
        struct rules rules = {0};
        bool sealed = i % 2;
        struct report report = {.say = hear, .arg = &told};
        begin(&told);
        snprintf(text, sizeof(text),
                 "source s { %s }\ndoor d { sequence = { 9000, 7000:udp, 8000 } %srule = "
                 "\"INPUT -s %%IP%% -p tcp --dport 22 -j ACCEPT\" }\n",
                 rows[i].source, keys[sealed]);
        write_file(told.dir, "c", text, strlen(text));
        snprintf(path, sizeof(path), "%s/c", told.dir);
        struct config *config = config_load(path, &report);
        if (!config)
            fail_msg("%s: %s", rows[i].source, told.lines);
        bool good = rules_collect(config, rows[i].kind, false, &rules, &report);
        assert_int_equal(good, rows[i].prefix != NULL);
        if (!strstr(told.lines, rows[i].told))
            fail_msg("%s: told: %s", rows[i].source, told.lines);
        if (good) {
            assert_string_equal(rules.logs[0].prefix, rows[i].prefix);
            assert_true(port_set_has(&rules.knocks, IPPROTO_UDP, 7000));
            assert_false(port_set_has(&rules.knocks, IPPROTO_TCP, 7000));
            assert_true(port_set_has(&rules.doors, IPPROTO_TCP, 22));
            assert_int_equal(port_set_has(&rules.doors, IPPROTO_TCP, 8443), sealed);
            assert_int_equal(rules.span, sealed ? 20000 : 0);
            assert_int_equal(port_set_has(&rules.knocks, IPPROTO_TCP, 32287), sealed);
            assert_int_equal(port_set_has(&rules.knocks, IPPROTO_UDP, 20000), sealed);
            assert_false(port_set_has(&rules.knocks, IPPROTO_UDP, 32288));
        }
        config_free(config);
        remove_file(told.dir, "c");
        rmdir(told.dir);
    }
}

static void collects_from_sources_of_packets(void **state)
{
    (void)state;
    static const struct {
        const char *sources;
        bool nflog;       /* only such rules are wanted */
        const char *logs; /* NULL: refused */
        unsigned packet_port;
        bool captures;
        const char *told;
    } rows[] = {
        {"source n { type = nflog group = 5 prefix = x }", false, "5:x ", 443, false, ""},
        {"source n { type = nflog group = 5 prefix = x } source k { type = kmsg prefix = y }",
         false, "5:x log:y ", 443, false, ""},
        {"source n { type = nflog group = 5 prefix = x } source k { type = kmsg prefix = y }", true,
         "5:x ", 443, false, ""},
        {"source n { type = nflog prefix = 123456789012345678901234567890 } source m { type = "
         "nflog group = 65535 prefix = z }",
         false, "0:123456789012345678901234567890 65535:z ", 443, false, ""},
        {"source k { type = kmsg prefix = y }", false, "log:y ", 0, false, ""},
        {"source k { type = kmsg prefix = y }", true, NULL, 0, false, "reads a group of NFLOG"},
        {"source p { type = pcap }", false, "", 0, true, ""},
        {"source p { type = pcap }", true, NULL, 0, true, "reads a group of NFLOG"},
        {"source p { type = pcap } source k { type = kmsg prefix = y }", false, "log:y ", 0, true,
         ""},
        {"source n { type = nflog prefix = "
         "1234567890123456789012345678901234567890123456789012345678901234 }",
         false, NULL, 0, false, "NFLOG of iptables takes 63 at most"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        static struct rules rules;
        struct told told;
        char text[1024], path[64], logs[256] = "";
        struct report report = {.say = hear, .arg = &told};
        memset(&rules, 0, sizeof(rules));
        begin(&told);
        snprintf(text, sizeof(text),
                 "%s\ndoor d { sequence = { 9000, 7000:udp, 8000 } key = a port = 22 rule = "
                 "\"INPUT -s %%IP%% -p tcp --dport 22 -j ACCEPT\" }\ndoor e { key = a port = 2222 "
                 "rule = \"FORWARD -s %%IP%% -p tcp --dport 22 -j ACCEPT\" }\n"
                 "sealed { server = x packet_port = 443 }\n",
                 rows[i].sources);
        write_file(told.dir, "c", text, strlen(text));
        snprintf(path, sizeof(path), "%s/c", told.dir);
        struct config *config = config_load(path, &report);
        if (!config)
            fail_msg("%s: %s", rows[i].sources, told.lines);
        bool good = rules_collect(config, RULES_IP4, rows[i].nflog, &rules, &report);
        if (good != (rows[i].logs != NULL) || !strstr(told.lines, rows[i].told))
            fail_msg("%s: told: %s", rows[i].sources, told.lines);
        for (unsigned j = 0; j < rules.log_count; j++) {
            char group[16];
            snprintf(group, sizeof(group), "%u", rules.logs[j].group);
            snprintf(logs + strlen(logs), sizeof(logs) - strlen(logs), "%s:%s",
                     rules.logs[j].nflog ? group : "log", rules.logs[j].prefix);
        }
        if (good) {
            assert_string_equal(logs, rows[i].logs);
            assert_int_equal(rules.packet_port, rows[i].packet_port);
            assert_int_equal(rules.captures, rows[i].captures);
            /* What captures hears what is accepted, so knocks need no closed port. */
            assert_int_equal(port_set_has(&rules.knocks, IPPROTO_UDP, 443),
                             rows[i].packet_port != 0);
            assert_int_equal(port_set_is_empty(&rules.knocks), rules.log_count == 0);
            assert_true(port_set_has(&rules.input, IPPROTO_TCP, 22));
            assert_false(port_set_has(&rules.input, IPPROTO_TCP, 2222));
            assert_true(port_set_has(&rules.doors, IPPROTO_TCP, 2222));
        }
        config_free(config);
        remove_file(told.dir, "c");
        rmdir(told.dir);
    }
}

static void knows_the_way_back(void **state)
{
    (void)state;
    static const struct {
        const char *saved;
        unsigned missing;
        const char *undo;
    } rows[] = {
        {"", JUMP_FIRST | JUMP_LAST,
         "*filter\n-D INPUT -j KNOCKD\n-D INPUT -j KNOCKD-DENY\n-F KNOCKD\n-X KNOCKD\n"
         "-F KNOCKD-DENY\n-X KNOCKD-DENY\nCOMMIT\n"},
        {"*filter\n:INPUT DROP [0:0]\n:KNOCKD - [0:0]\n:KNOCKD-DENY - [0:0]\n-A INPUT -j KNOCKD\n"
         "-A INPUT -j KNOCKD-DENY\n-A KNOCKD -i lo -j ACCEPT\n-A KNOCKD-DENY -j DROP\nCOMMIT\n",
         0,
         "*filter\n:KNOCKD - [0:0]\n-A KNOCKD -i lo -j ACCEPT\n:KNOCKD-DENY - [0:0]\n"
         "-A KNOCKD-DENY -j DROP\nCOMMIT\n"},
        {":KNOCKD - [0:0]\n-A INPUT -j KNOCKD-DENY-NOT\n-A INPUT -i x -j KNOCKD\n",
         JUMP_FIRST | JUMP_LAST,
         "*filter\n-D INPUT -j KNOCKD\n-D INPUT -j KNOCKD-DENY\n:KNOCKD - [0:0]\n-F KNOCKD-DENY\n"
         "-X KNOCKD-DENY\nCOMMIT\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(change_missing_jumps(rows[i].saved), rows[i].missing);
        char *undo = change_undo_iptables(rows[i].saved);
        assert_string_equal(undo, rows[i].undo);
        free(undo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_door_rules),
        cmocka_unit_test(prints_in_the_designed_order),
        cmocka_unit_test(gives_sealed_knocks_room),
        cmocka_unit_test(logs_where_sources_read),
        cmocka_unit_test(logs_nothing_for_captures),
        cmocka_unit_test(splits_long_lists),
        cmocka_unit_test(collects_from_a_configuration),
        cmocka_unit_test(collects_from_sources_of_packets),
        cmocka_unit_test(knows_the_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
