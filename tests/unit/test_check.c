/*
 * knockctl rules --check, without a firewall: what iptables-save, ip6tables-save and `nft -y list
 * ruleset` printed of real ones, and what is found in them (tests/data/firewall). A file has
 * sections that begin with "=== NAME"; each "findings" is about the last "config" and the rest
 * before it.
 */
#include "config_help.h"

#include <glob.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#include "knockctl/check.h"

struct dump {
    char *config, *iptables, *ip6tables, *nft;
};

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

/* What is found, as text to be freed. */
static char *findings_of(const struct dump *dump)
{
    static struct rules rules;
    struct report report = {.say = say_nothing};
    struct firewall firewall = {0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct config *config = config_of(dump->config);
    memset(&rules, 0, sizeof(rules));
    assert_true(rules_collect(config, RULES_IP4, &rules, &report));
    assert_true(firewall_read_iptables(&firewall, dump->iptables, FIREWALL_IP4));
    assert_true(firewall_read_iptables(&firewall, dump->ip6tables, FIREWALL_IP6));
    if (dump->nft)
        assert_true(firewall_read_nft(&firewall, dump->nft, true));
    unsigned count = check_firewall(out, &firewall, config, &rules, FIREWALL_BOTH);
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
    else {
        char *found = findings_of(dump);
        assert_string_equal(section, "findings");
        if (strcmp(found, text) != 0)
            fail_msg("%s: found:\n%sexpected:\n%s", path, found, text);
        free(found);
    }
}

static void finds_what_is_wrong(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob(TEST_DATA "/firewall/*.txt", 0, NULL, &files), 0);
    assert_true(files.gl_pathc > 10);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char *text = read_file(files.gl_pathv[i]);
        struct dump dump = {NULL, NULL, NULL, NULL};
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

/* Which of three ports a chain that drops all else accepts for new packets, surely. */
static char *accepted_by(const char *rule)
{
    struct firewall firewall = {0};
    struct port_set ports = {0};
    char text[512], *out;
    bool iptables = rule[0] == '-';
    snprintf(text, sizeof(text),
             iptables ? "*filter\n:INPUT DROP [0:0]\n%s\nCOMMIT\n"
                      : "table inet t {\n\tchain c {\n\t\ttype filter hook input priority 0; "
                        "policy drop;\n\t\t%s\n\t}\n}\n",
             rule);
    assert_true(iptables ? firewall_read_iptables(&firewall, text, FIREWALL_IP4)
                         : firewall_read_nft(&firewall, text, true));
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

static void understands_rules(void **state)
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
        {"accept", "22 53 7000"},
        {"tcp dport 22 accept", "22"},
        {"tcp dport != 22 accept", "7000"},
        {"tcp dport { 20-25, 7000 } counter packets 0 bytes 0 accept", "22 7000"},
        {"meta l4proto { tcp, udp } th dport 22-60 accept", "22 53"},
        {"meta l4proto udp accept comment \"drop\"", "53"},
        {"ip protocol tcp accept", "22 7000"},
        {"ip6 nexthdr tcp accept", ""},
        {"meta nfproto ipv4 accept", "22 53 7000"},
        {"meta nfproto ipv6 accept", ""},
        {"ip saddr 192.0.2.1 accept", ""},
        {"ip saddr . tcp dport @knock accept", ""},
        {"ip saddr . meta l4proto . th dport { 192.0.2.1 . tcp . 22 } accept", ""},
        {"tcp dport @open accept", ""},
        {"tcp dport vmap { 22 : accept }", ""},
        {"iifname \"eth0\" accept", ""},
        {"iif \"lo\" accept", ""},
        {"ct state new accept", "22 53 7000"},
        {"ct state established,related accept", ""},
        {"ct state { new, untracked } accept", "22 53 7000"},
        {"ct state != invalid accept", "22 53 7000"},
        {"ct state vmap { established : accept, invalid : drop }", ""},
        {"tcp flags syn / fin,syn,rst,ack accept", "22 7000"},
        {"tcp flags != syn / fin,syn,rst,ack accept", ""},
        {"tcp flags & (fin | syn | rst | ack) == syn accept", "22 7000"},
        {"tcp flags & (fin | syn | rst | ack) != syn accept", ""},
        {"tcp flags syn accept", "22 7000"},
        {"tcp flags ack accept", ""},
        {"meta pkttype host accept", "22 53 7000"},
        {"meta pkttype { broadcast, multicast } accept", ""},
        {"limit rate 3/minute burst 5 packets accept", ""},
        {"update @a { ip saddr limit rate over 3/minute } accept", ""},
        {"fib daddr type local accept", ""},
        {"goto nowhere", ""},
        {"tcp dport { 22, accept", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *accepted = accepted_by(rows[i].rule);
        if (strcmp(accepted, rows[i].accepted) != 0)
            fail_msg("\"%s\" accepts \"%s\"", rows[i].rule, accepted);
        free(accepted);
    }
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
    static const char *const loops[] = {
        "*filter\n:INPUT DROP [0:0]\n:A - [0:0]\n-A INPUT -j A\n-A A -j INPUT\n",
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -g INPUT\n-A\n:\n-A INPUT\n-A X -j Y\n"};
    for (unsigned i = 0; i < 302; i++) {
        char *texts[2] = {strdup(i < 2 ? loops[i] : strstr(ufw, "*filter")),
                          strdup(i < 2 ? "" : strstr(ours, "=== nft") + 8)};
        for (int j = 0; j < 2 && i >= 2; j++) {
            size_t len = strlen(texts[j]);
            for (int k = 0; k < 20; k++)
                texts[j][(size_t)random() % len] = " \n{}!\"\\-,:.@/x2"[random() % 16];
            texts[j][(size_t)random() % len] = '\0';
        }
        struct dump dump = {(char[]){"source s { type = kmsg }\ndoor d { sequence = { 9000, "
                                     "7000, 8000 } rule = \"INPUT -s %IP% -p tcp --dport 22 "
                                     "-j ACCEPT\" }\n"},
                            texts[0], texts[0], texts[1]};
        free(findings_of(&dump));
        free(texts[0]);
        free(texts[1]);
    }
    free(ours);
    free(ufw);
}

/* How often packets met a rule that logs, and whether their end was sure. */
struct way {
    unsigned logged;
    bool sure;
};

static void follow(void *arg, const struct firewall_chain *chain, const struct firewall_rule *rule,
                   const struct port_set *ports, bool surely)
{
    struct way *way = arg;
    (void)chain, (void)ports;
    way->logged += rule && rule->prefix;
    if (!rule)
        way->sure = surely;
}

/* So many chains, each of which jumps to the next one twice, for some packets; the last one logs.
 */
static struct way follow_chains(unsigned count)
{
    struct firewall firewall = {0};
    struct way way = {0};
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
    struct way way = follow_chains(11);
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
        cmocka_unit_test(understands_rules),
        cmocka_unit_test(does_not_get_lost),
        cmocka_unit_test(survives_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
