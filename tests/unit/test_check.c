/*
 * knockctl rules --check, without a firewall: what iptables-save, ip6tables-save and nft printed of
 * real ones, and what is found in them (tests/data/firewall). A file has sections that begin with
 * "=== NAME"; each "findings" is about the last "config" and the rest before it. relist.pl there
 * has nft print its sections.
 */
#include "config_help.h"

#include <glob.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#include "knockctl/check.h"

struct dump {
    char *config, *iptables, *ip6tables;
    char *nft, *json; /* as nft prints it for people, and for programs */
};

/* Is nothing to test where knockctl is built without libjansson. */
static void needs_json(void)
{
    if (!firewall_reads_nft())
        skip();
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    return text;
}

static struct config *config_of(const char *text)
{
    struct told told;
    struct report report = {.say = hear, .arg = &told};
    char path[64];
    begin(&told);
    write_file(told.dir, "c", text, strlen(text));
    snprintf(path, sizeof(path), "%s/c", told.dir);
    struct config *config = config_load(path, &report);
    if (!config)
        fail_msg("%s", told.lines);
    remove_file(told.dir, "c");
    rmdir(told.dir);
    return config;
}

static void say_nothing(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    (void)text;
}

/* What is found, as text to be freed. NULL when what nft printed can't be read. */
static char *findings_of(const struct dump *dump)
{
    static struct rules rules;
    char why[FIREWALL_WHY_SIZE] = "";
    struct report report = {.say = say_nothing};
    struct firewall firewall = {0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct config *config = config_of(dump->config);
    memset(&rules, 0, sizeof(rules));
    assert_true(rules_collect(config, RULES_IP4, false, &rules, &report));
    assert_true(firewall_read_iptables(&firewall, dump->iptables, FIREWALL_IP4));
    assert_true(firewall_read_iptables(&firewall, dump->ip6tables, FIREWALL_IP6));
    if (dump->json && !firewall_read_nft(&firewall, dump->json, true, why)) {
        assert_string_not_equal(why, "");
        fclose(out);
        free(text);
        firewall_free(&firewall);
        config_free(config);
        return NULL;
    }
    if (dump->nft)
        assert_true(firewall_name_nft(&firewall, dump->nft));
    struct findings findings = {.out = out};
    unsigned count = check_firewall(&findings, &firewall, config, &rules, FIREWALL_BOTH);
    fclose(out);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        count--;
    assert_int_equal(count, 0);
    firewall_free(&firewall);
    config_free(config);
    return text;
}

/* Takes the next section, "NAME\n" and its text up to the next "=== ". */
static void take_section(struct dump *dump, char *section, const char *path)
{
    char *text = strchr(section, '\n');
    assert_non_null(text);
    *text++ = '\0';
    if (strcmp(section, "config") == 0)
        dump->config = text;
    else if (strcmp(section, "iptables-save") == 0)
        dump->iptables = text;
    else if (strcmp(section, "ip6tables-save") == 0)
        dump->ip6tables = text;
    else if (strcmp(section, "nft") == 0)
        dump->nft = text;
    else if (strcmp(section, "nft-json") == 0)
        dump->json = text;
    else {
        char *found = findings_of(dump);
        assert_string_equal(section, "findings");
        assert_non_null(found);
        if (strcmp(found, text) != 0)
            fail_msg("%s: found:\n%sexpected:\n%s", path, found, text);
        free(found);
    }
}

static void finds_what_is_wrong(void **state)
{
    (void)state;
    glob_t files;
    needs_json();
    assert_int_equal(glob(TEST_DATA "/firewall/*.txt", 0, NULL, &files), 0);
    assert_true(files.gl_pathc > 10);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char *text = read_file(files.gl_pathv[i]);
        struct dump dump = {.config = NULL};
        for (char *section = strstr(text, "=== ") + 4, *end; section; section = end) {
            end = strstr(section, "\n=== ");
            if (end) {
                end[1] = '\0';
                end += 5;
            }
            take_section(&dump, section, files.gl_pathv[i]);
        }
        free(text);
    }
    globfree(&files);
}

static void look(void *arg, const struct firewall_chain *chain, const struct firewall_rule *rule,
                 const struct port_set *ports, bool surely)
{
    (void)arg, (void)chain, (void)rule, (void)ports, (void)surely;
}

/* A chain that drops all that its one rule, with these statements, doesn't accept. To be freed. */
static char *ruleset_of(const char *statements)
{
    char *text;
    assert_true(asprintf(&text,
                         "{\"nftables\": [{\"metainfo\": {\"json_schema_version\": 1}},"
                         "{\"table\": {\"family\": \"inet\", \"name\": \"t\", \"handle\": 1}},"
                         "{\"chain\": {\"family\": \"inet\", \"table\": \"t\", \"name\": \"c\", "
                         "\"handle\": 1, \"type\": \"filter\", \"hook\": \"input\", \"prio\": 0, "
                         "\"policy\": \"drop\"}}, {\"rule\": {\"family\": \"inet\", \"table\": "
                         "\"t\", \"chain\": \"c\", \"handle\": 2, \"expr\": %s}}]}",
                         statements) >= 0);
    return text;
}

/* Which of three ports a chain that drops all else accepts for new packets, surely. `rule` is one
 * of iptables, or the statements of one of nft. */
static char *accepted_by(const char *rule)
{
    struct firewall firewall = {0};
    struct port_set ports = {0};
    char why[FIREWALL_WHY_SIZE] = "", *text, *out;
    if (rule[0] == '-') {
        assert_true(asprintf(&text, "*filter\n:INPUT DROP [0:0]\n%s\nCOMMIT\n", rule) >= 0);
        assert_true(firewall_read_iptables(&firewall, text, FIREWALL_IP4));
    } else {
        text = ruleset_of(rule);
        if (!firewall_read_nft(&firewall, text, true, why))
            fail_msg("%s: %s", rule, why);
    }
    free(text);
    assert_int_equal(firewall.count, 1);
    port_set_add(&ports, IPPROTO_TCP, 22, 22);
    port_set_add(&ports, IPPROTO_UDP, 53, 53);
    port_set_add(&ports, IPPROTO_TCP, 7000, 7000);
    firewall_walk(&firewall, &firewall.chains[0], FIREWALL_IP4, FIREWALL_NEW, &ports,
                  &(struct firewall_visitor){look, NULL});
    assert_true(asprintf(&out, "%s%s%s", port_set_has(&ports, IPPROTO_TCP, 22) ? " 22" : "",
                         port_set_has(&ports, IPPROTO_UDP, 53) ? " 53" : "",
                         port_set_has(&ports, IPPROTO_TCP, 7000) ? " 7000" : "") >= 0);
    memmove(out, out + (*out == ' '), strlen(out));
    firewall_free(&firewall);
    return out;
}

static void expect_accepted(const char *rule, const char *wanted)
{
    char *accepted = accepted_by(rule);
    if (strcmp(accepted, wanted) != 0)
        fail_msg("\"%s\" accepts \"%s\", not \"%s\"", rule, accepted, wanted);
    free(accepted);
}

static void understands_rules_of_iptables(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        const char *accepted; /* of 22:tcp, 53:udp, 7000:tcp */
    } rows[] = {
        {"-A INPUT -j ACCEPT", "22 53 7000"},
        {"-A INPUT -p tcp -j ACCEPT", "22 7000"},
        {"-A INPUT ! -p tcp -j ACCEPT", "53"},
        {"-A INPUT -p icmp -j ACCEPT", ""},
        {"-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", "22"},
        {"-A INPUT -p tcp -m tcp ! --dport 22 -j ACCEPT", "7000"},
        {"-A INPUT -p tcp -m multiport --dports 1:22,8000 -j ACCEPT", "22"},
        {"-A INPUT -p tcp -m multiport --ports 22 -j ACCEPT", ""},
        {"-A INPUT -p tcp -m tcp --sport 22 -j ACCEPT", ""},
        {"-A INPUT -s 192.0.2.1/32 -j ACCEPT", ""},
        {"-A INPUT -i eth0 -j ACCEPT", ""},
        {"-A INPUT -m mac --mac-source 00:00:5e:00:53:01 -j ACCEPT", ""},
        {"-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", "22 7000"},
        {"-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", ""},
        {"-A INPUT -m conntrack --ctstate NEW -j ACCEPT", "22 53 7000"},
        {"-A INPUT -m conntrack ! --ctstate INVALID -j ACCEPT", "22 53 7000"},
        {"-A INPUT -m conntrack --ctstate INVALID -j ACCEPT", ""},
        {"-A INPUT -m conntrack --ctstate NEW --ctorigdstport 22 -j ACCEPT", ""},
        {"-A INPUT -m pkttype --pkt-type broadcast -j ACCEPT", ""},
        {"-A INPUT -m pkttype ! --pkt-type broadcast -j ACCEPT", "22 53 7000"},
        {"-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT", "22 53 7000"},
        {"-A INPUT -m addrtype --dst-type BROADCAST -j ACCEPT", ""},
        {"-A INPUT -m limit --limit 3/min -j ACCEPT", ""},
        {"-A INPUT -m comment --comment \"-s 1.2.3.4 -j DROP\" -j ACCEPT", "22 53 7000"},
        {"-A INPUT -j MARK --set-xmark 0x1/0xffffffff", ""},
        {"-A INPUT -j", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        expect_accepted(rows[i].rule, rows[i].accepted);
}

/* "PORTS: RULE", and below it, after a tab, the rule in JSON. */
static void understands_rules_of_nft(void **state)
{
    (void)state;
    needs_json();
    char *text = read_file(TEST_DATA "/firewall/rules.nft"), *accepted = NULL, *rest = text;
    unsigned count = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (*line == '\t') {
            assert_non_null(accepted);
            expect_accepted(line + 1, accepted);
            count++;
        } else if (*line != '#') {
            accepted = line;
            line[strcspn(line, ":")] = '\0';
        }
    }
    free(text);
    assert_true(count > 60);
}

#define ACCEPT "{\"accept\": null}"
#define MATCH(op, left, right)                                                                     \
    "[{\"match\": {\"op\": \"" op "\", \"left\": " left ", \"right\": " right "}}, " ACCEPT "]"
#define FIELD(proto, field) "{\"payload\": {\"protocol\": \"" proto "\", \"field\": \"" field "\"}}"
#define DPORT               FIELD("tcp", "dport")
#define FLAGS               FIELD("tcp", "flags")
#define STATE               "{\"ct\": {\"key\": \"state\"}}"
#define PROTO               "{\"meta\": {\"key\": \"l4proto\"}}"

/* What nft doesn't print, or doesn't yet, or of other packets alone. */
static void claims_nothing_of_odd_rules(void **state)
{
    (void)state;
    static const struct {
        const char *statements;
        const char *accepted;
    } rows[] = {
        {"[" ACCEPT "]", "22 53 7000"},
        {"[]", ""},
        {"[null, " ACCEPT "]", ""},
        {"[22, " ACCEPT "]", ""},
        {"[[], " ACCEPT "]", ""},
        {"[{}, " ACCEPT "]", ""},
        {"[{\"frobnicate\": null}, " ACCEPT "]", ""},
        {"[{\"xt\": null}, " ACCEPT "]", ""},
        {"[{\"accept\": null, \"drop\": null}]", ""},
        {"[{\"match\": null}, " ACCEPT "]", ""},
        {"[{\"match\": {}}, " ACCEPT "]", ""},
        {"[{\"match\": {\"left\": " DPORT ", \"right\": 22}}, " ACCEPT "]", ""},
        {"[{\"match\": {\"op\": \"==\", \"left\": " DPORT "}}, " ACCEPT "]", ""},
        {"[{\"match\": {\"op\": \"==\", \"right\": 22}}, " ACCEPT "]", ""},
        {MATCH("==", DPORT, "22"), "22"},
        {MATCH("==", DPORT, "{\"set\": 22}"), "22"},
        {MATCH("==", DPORT, "{\"set\": [{\"elem\": {\"val\": 22, \"comment\": \"x\"}}]}"), "22"},
        {MATCH("=>", DPORT, "22"), ""},
        {MATCH("==", DPORT, "22.0"), ""},
        {MATCH("==", DPORT, "-1"), ""},
        {MATCH("==", DPORT, "65558"), ""},
        {MATCH("==", DPORT, "9223372036854775807"), ""},
        {MATCH("==", DPORT, "\"ssh\""), ""},
        {MATCH("==", DPORT, "[22, 7000]"), ""},
        {MATCH("==", DPORT, "{\"set\": []}"), ""},
        {MATCH("!=", DPORT, "{\"set\": []}"), ""},
        {MATCH("!=", DPORT, "{\"set\": [22, null]}"), ""},
        {MATCH("!=", DPORT, "{\"elem\": {}}"), ""},
        {MATCH("==", DPORT, "{\"range\": [22]}"), ""},
        {MATCH("==", DPORT, "{\"range\": [22, 22, 23]}"), ""},
        {MATCH("==", DPORT, "{\"range\": [30, 20]}"), ""},
        {MATCH("!=", DPORT, "{\"range\": [30, 20]}"), ""},
        {MATCH("==", DPORT, "{\"range\": [1, 65536]}"), ""},
        {MATCH("==", "{\"payload\": {\"base\": \"th\", \"offset\": 16, \"len\": 16}}", "22"), ""},
        {MATCH("==", FIELD("sctp", "dport"), "22"), ""},
        {MATCH("==", PROTO, "6"), "22 7000"},
        {MATCH("!=", PROTO, "0"), ""},
        {MATCH("!=", PROTO, "262"), ""},
        {MATCH("!=", PROTO, "\"@others\""), ""},
        {MATCH("!=", PROTO, "{\"range\": [7, 255]}"), ""},
        {MATCH("==", "{\"meta\": {\"key\": \"nfproto\"}}", "{\"set\": [\"ipv4\"]}"), ""},
        {MATCH("==", "{\"meta\": {\"key\": \"pkttype\"}}", "\"strange\""), ""},
        {MATCH("==", STATE, "\"new\""), "22 53 7000"},
        {MATCH("==", STATE, "[\"new\", \"related\"]"), ""},
        {MATCH("!=", STATE, "[\"related\", \"established\"]"), ""},
        {MATCH("!=", STATE, "\"renewed\""), ""},
        {MATCH("==", "{\"ct\": {\"key\": \"state\", \"dir\": \"original\"}}", "\"new\""), ""},
        {MATCH("in", FLAGS, "\"syn\""), "22 7000"},
        {MATCH("!", FLAGS, "{\"set\": [\"ack\"]}"), ""},
        {MATCH("in", FLAGS, "\"sin\""), ""},
        {MATCH("in", FLAGS, "2"), ""},
        {MATCH("==", "{\"&\": [" FLAGS ", \"ack\"]}", "0"), "22 7000"},
        {MATCH("==", "{\"&\": [" FLAGS ", \"ack\", 1]}", "0"), ""},
        {MATCH("<", "{\"&\": [" FLAGS ", \"syn\"]}", "\"syn\""), ""},
        {"[{\"counter\": \"name\"}, " ACCEPT "]", "22 53 7000"},
        {"[{\"limit\": {\"rate\": 1, \"inv\": \"maybe\"}}, " ACCEPT "]", ""},
        {"[{\"log\": 7}, " ACCEPT "]", ""},
        {"[{\"set\": null}, " ACCEPT "]", ""},
        {"[{\"set\": {\"elem\": " FIELD("ip", "saddr") ", \"stmt\": [{\"ct count\": {}}]}}, " ACCEPT
                                                       "]",
         ""},
        {"[{\"vmap\": {\"key\": " STATE ", \"data\": \"@verdicts\"}}, " ACCEPT "]", ""},
        {"[{\"vmap\": {\"key\": " STATE ", \"data\": {\"set\": [[\"new\"]]}}}, " ACCEPT "]", ""},
        {"[{\"vmap\": {\"key\": " STATE ", \"data\": {\"set\": [[\"new\", " ACCEPT "]]}}}]",
         "22 53 7000"},
        {"[{\"jump\": null}]", ""},
        {"[{\"goto\": {\"target\": 7}}]", ""},
    };
    needs_json();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        expect_accepted(rows[i].statements, rows[i].accepted);
}

/* A rule could hide in any of these. */
static void refuses_odd_rulesets(void **state)
{
    (void)state;
#define META          "{\"metainfo\": {\"json_schema_version\": 1}}"
#define CHAIN         "{\"chain\": {\"family\": \"ip\", \"table\": \"t\", \"name\": \"c\"}}"
#define LIST(objects) "{\"nftables\": [" objects "]}"
#define RULE_OF(rest)                                                                              \
    LIST(META ", " CHAIN ", {\"rule\": {\"family\": \"ip\", \"table\": \"t\", " rest "}}")
#define HOOK_OF(rest)                                                                              \
    LIST(META ", {\"chain\": {\"family\": \"ip\", \"table\": \"t\", \"name\": \"c\", " rest "}}")
    static const struct {
        const char *json;
        bool good;
    } rows[] = {
        {LIST(META), true},
        {LIST(META ", " CHAIN ", {\"novelty\": {}}"), true},
        {RULE_OF("\"chain\": \"c\", \"handle\": 1, \"expr\": []"), true},
        {HOOK_OF("\"hook\": \"input\", \"prio\": 0, \"policy\": \"drop\""), true},
        {"", false},
        {"JSON support not compiled-in\n", false},
        {"[]", false},
        {"{}", false},
        {"{\"nftables\": {}}", false},
        {LIST(META) "x", false},
        {"{\"nftables\": [" META, false},
        {LIST(""), false},
        {LIST(CHAIN), false},
        {LIST("{\"metainfo\": {}}"), false},
        {LIST("{\"metainfo\": {\"json_schema_version\": 2}}"), false},
        {LIST("{\"metainfo\": {\"json_schema_version\": 18446744073709551617}}"), false},
        {LIST(META ", null"), false},
        {LIST(META ", []"), false},
        {LIST(META ", {}"), false},
        {LIST(META ", {\"rule\": null}"), false},
        {LIST(META ", {\"chain\": {}, \"rule\": {}}"), false},
        {LIST(META ", {\"chain\": {\"family\": \"ip\", \"name\": \"c\"}}"), false},
        {LIST(META ", {\"chain\": {\"table\": \"t\", \"name\": \"c\"}}"), false},
        {LIST(META ", {\"chain\": {\"family\": \"ip\", \"table\": \"t\"}}"), false},
        {RULE_OF("\"chain\": \"other\", \"handle\": 1, \"expr\": []"), false},
        {RULE_OF("\"chain\": 5, \"handle\": 1, \"expr\": []"), false},
        {RULE_OF("\"handle\": 1, \"expr\": []"), false},
        {RULE_OF("\"chain\": \"c\", \"expr\": []"), false},
        {RULE_OF("\"chain\": \"c\", \"handle\": \"1\", \"expr\": []"), false},
        {RULE_OF("\"chain\": \"c\", \"handle\": 1"), false},
        {RULE_OF("\"chain\": \"c\", \"handle\": 1, \"expr\": {}"), false},
        {RULE_OF("\"chain\": \"c\", \"handle\": 1, \"expr\": [], \"expr\": []"), false},
        {RULE_OF("\"chain\": \"c\", \"handle\": 1e999, \"expr\": []"), false},
        {HOOK_OF("\"hook\": 1, \"prio\": 0, \"policy\": \"drop\""), false},
        {HOOK_OF("\"hook\": \"input\", \"policy\": \"drop\""), false},
        {HOOK_OF("\"hook\": \"input\", \"prio\": \"filter\", \"policy\": \"drop\""), false},
        {HOOK_OF("\"hook\": \"input\", \"prio\": 4294967296, \"policy\": \"drop\""), false},
        {HOOK_OF("\"hook\": \"input\", \"prio\": 0, \"policy\": \"maybe\""), false},
        {HOOK_OF("\"hook\": \"input\", \"prio\": 0, \"policy\": 7"), false},
    };
    needs_json();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct firewall firewall = {0};
        char why[FIREWALL_WHY_SIZE] = "";
        if (firewall_read_nft(&firewall, rows[i].json, true, why) != rows[i].good)
            fail_msg("%s: %s", rows[i].json, why);
        assert_int_equal(*why == '\0', rows[i].good);
        firewall_free(&firewall);
    }
    static char deep[200000];
    struct firewall firewall = {0};
    char why[FIREWALL_WHY_SIZE];
    memset(deep, '[', sizeof(deep) - 1);
    assert_false(firewall_read_nft(&firewall, deep, true, why));
    firewall_free(&firewall);
}

/* JSON can hold no text that isn't UTF-8, and nft 1.0.6 doesn't write there that a table sleeps. */
static void the_text_tells_more(void **state)
{
    (void)state;
    needs_json();
    struct firewall firewall = {0};
    char why[FIREWALL_WHY_SIZE], *json = ruleset_of("[{\"log\": null}, " ACCEPT "]");
    assert_true(firewall_read_nft(&firewall, json, true, why));
    const struct firewall_chain *chain = &firewall.chains[0];
    const struct firewall_rule *rule = &chain->rules[0];
    assert_string_equal(rule->text, "the rule with handle 2");
    assert_true(firewall_name_nft(&firewall,
                                  "table inet t { # handle 1\n\tset s { # handle 3\n\t\tflags "
                                  "timeout\n\t}\n\n\tchain c { # handle 1\n\t\tlog "
                                  "accept comment \"f\xc3\xbcr # handle 2\" # handle 2\n\t}\n}\n"));
    assert_string_equal(rule->text, "log accept comment \"f\xc3\xbcr # handle 2\"");
    assert_false(rule->partly);
    assert_true(chain->input);
    assert_true(firewall_name_nft(&firewall,
                                  "table inet t {\n\tchain d {\n\t\tdrop # handle 2\n\t}\n\tchain "
                                  "c {\n\t\tlog prefix \"caf\xe9\" accept # handle 2\n"));
    assert_string_equal(rule->text, "log prefix \"caf\xe9\" accept");
    assert_true(rule->partly);
    assert_true(firewall_name_nft(&firewall, "table inet u {\n\tflags dormant\n}\n"));
    assert_true(chain->input);
    assert_true(firewall_name_nft(&firewall, "table inet t {\n\tflags dormant\n"));
    assert_false(chain->input);
    firewall_free(&firewall);
    free(json);
}

/* Each rule of real rulesets gets a statement that nobody knows. */
static void claims_nothing_behind_the_unknown(void **state)
{
    (void)state;
    static const char before[] = "\"expr\":[", unknown[] = "\"expr\":[{\"?\":[]},";
    needs_json();
    char *file = read_file(TEST_DATA "/firewall/firewalld.txt"), *odd, why[FIREWALL_WHY_SIZE] = "";
    char *json = strstr(file, "=== nft-json\n") + 13;
    size_t size;
    FILE *out = open_memstream(&odd, &size);
    *strstr(json, "\n=== ") = '\0';
    for (char *at; (at = strstr(json, before)); json = at + sizeof(before) - 1)
        fprintf(out, "%.*s%s", (int)(at - json), json, unknown);
    fputs(json, out);
    fclose(out);
    struct firewall firewall = {0};
    unsigned count = 0;
    if (!firewall_read_nft(&firewall, odd, false, why))
        fail_msg("%s", why);
    for (unsigned i = 0; i < firewall.count; i++)
        for (unsigned j = 0; j < firewall.chains[i].count; j++, count++)
            assert_true(firewall.chains[i].rules[j].partly);
    assert_true(count > 80);
    firewall_free(&firewall);
    free(odd);
    free(file);
}

/* Chains that call themselves or each other, which no kernel takes, and text that is cut: whatever
 * is read of it, there is an end. */
static void survives_nonsense(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("# seed %llu\n", (unsigned long long)seed);
    srandom((unsigned)seed);
    char *ours = read_file(TEST_DATA "/firewall/ours-nft.txt"),
         *ufw = read_file(TEST_DATA "/firewall/ufw.txt");
    char *listed = strstr(ours, "=== nft\n") + 8, *json = strstr(ours, "=== nft-json\n") + 13;
    json[-14] = '\0';
    *strstr(json, "\n=== ") = '\0';
    static const char *const loops[] = {
        "*filter\n:INPUT DROP [0:0]\n:A - [0:0]\n-A INPUT -j A\n-A A -j INPUT\n",
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -g INPUT\n-A\n:\n-A INPUT\n-A X -j Y\n"};
    for (unsigned i = 0; i < 302; i++) {
        char *texts[3] = {strdup(i < 2 ? loops[i] : strstr(ufw, "*filter")),
                          strdup(i < 2 ? "" : listed), strdup(json)};
        for (int j = 0; j < 3 && i >= 2; j++) {
            size_t len = strlen(texts[j]);
            for (int k = 0; k < (j < 2 ? 20 : 2); k++)
                texts[j][(size_t)random() % len] = " \n{}!\"\\-,:.@/x2"[random() % 16];
            if (j < 2)
                texts[j][(size_t)random() % len] = '\0';
        }
        struct dump dump = {(char[]){"source s { type = kmsg }\ndoor d { sequence = { 9000, "
                                     "7000, 8000 } rule = \"INPUT -s %IP% -p tcp --dport 22 "
                                     "-j ACCEPT\" }\n"},
                            texts[0], texts[0], texts[1], firewall_reads_nft() ? texts[2] : NULL};
        free(findings_of(&dump));
        for (int j = 0; j < 3; j++)
            free(texts[j]);
    }
    free(ours);
    free(ufw);
}

/* How often packets met a rule that logs, and whether their end was sure. */
struct path_watch {
    unsigned logged;
    bool sure;
};

static void follow(void *arg, const struct firewall_chain *chain, const struct firewall_rule *rule,
                   const struct port_set *ports, bool surely)
{
    struct path_watch *way = arg;
    (void)chain, (void)ports;
    way->logged += rule && rule->log_count;
    if (!rule)
        way->sure = surely;
}

/* So many chains, each of which jumps to the next one twice, for some packets; the last one logs.
 */
static struct path_watch follow_chains(unsigned count)
{
    struct firewall firewall = {0};
    struct path_watch way = {0};
    struct port_set ports = {0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("*filter\n:INPUT DROP [0:0]\n-A INPUT -j C1\n", out);
    for (unsigned i = 1; i <= count; i++)
        fprintf(out, ":C%u - [0:0]\n", i);
    for (unsigned i = 1; i < 2 * count; i++)
        fprintf(out, "-A C%u -s 192.0.2.%u/32 -j C%u\n", (i + 1) / 2, i, (i + 1) / 2 + 1);
    fprintf(out, "-A C%u -j LOG --log-prefix x\nCOMMIT\n", count);
    fclose(out);
    assert_true(firewall_read_iptables(&firewall, text, FIREWALL_IP4));
    port_set_add(&ports, IPPROTO_TCP, 22, 22);
    firewall_walk(&firewall, &firewall.chains[0], FIREWALL_IP4, FIREWALL_NEW, &ports,
                  &(struct firewall_visitor){follow, &way});
    firewall_free(&firewall);
    free(text);
    return way;
}

/* 2^10 ways are followed; of 2^19, and of chains that are too deep, nothing is claimed. */
static void does_not_get_lost(void **state)
{
    (void)state;
    struct path_watch way = follow_chains(11);
    assert_int_equal(way.logged, 1024);
    assert_true(way.sure);
    way = follow_chains(20);
    assert_in_range(way.logged, 1, 50000);
    assert_false(way.sure);
    assert_false(follow_chains(40).sure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_wrong),
        cmocka_unit_test(understands_rules_of_iptables),
        cmocka_unit_test(understands_rules_of_nft),
        cmocka_unit_test(claims_nothing_of_odd_rules),
        cmocka_unit_test(refuses_odd_rulesets),
        cmocka_unit_test(the_text_tells_more),
        cmocka_unit_test(claims_nothing_behind_the_unknown),
        cmocka_unit_test(does_not_get_lost),
        cmocka_unit_test(survives_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
