/* Files of another knockd as configurations: that they are taken, and what is said of them. */
#include "import_help.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include "keeper/plan.h"
#include "knockctl/import.h"
#include "lib/config.h"
#include "lib/program_file.h"

/* --- taken by ours --- */

static void hear(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        print_message("# %s\n", text);
}

static struct config *load(const char *text, bool plans)
{
    char path[64];
    struct report report = {.say = hear};
    int fd = memfd_create("config", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct config *config = config_load(path, &report);
    close(fd);
    if (!config)
        print_message("%s\n", text);
    assert_non_null(config);
    struct plans *made = plans ? plans_make(config, NULL, &report) : NULL;
    if (plans && !made)
        print_message("%s\n", text);
    assert_true(!plans || made);
    plans_free(made);
    return config;
}

static void check_taken(const char *old, unsigned doors)
{
    struct imported made = import_text(old);
    assert_int_equal(made.result.lost, 0);
    assert_string_equal(made.errors, "");
    struct config *config = load(made.text, false);
    assert_int_equal(config->door_count, doors);
    config_free(config);
    imported_free(&made);
}

#define PAIR                                                                                       \
    "start_command = iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n"                      \
    "stop_command = iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n"
#define SEQUENCE "sequence = 7000,9000:udp,8000\n"

/* Each has the lines in its output, parted by newlines there and by | here, with other lines
 * between them. */
static void check_lines(const char *old, const char *lines)
{
    struct imported made = import_text(old);
    const char *at = made.text;
    char text[2048];
    snprintf(text, sizeof(text), "%s", lines);
    for (char *save = NULL, *line = strtok_r(text, "|", &save); line;
         line = strtok_r(NULL, "|", &save)) {
        const char *found = strstr(at, line);
        if (!found)
            print_message("# missing: %s\n%s\n", line, made.text);
        assert_non_null(found);
        at = found + strlen(line);
    }
    if (made.result.doors > 0)
        config_free(load(made.text, false));
    imported_free(&made);
}

static void check_lacks(const char *old, const char *text)
{
    struct imported made = import_text(old);
    if (strstr(made.text, text))
        print_message("%s\n", made.text);
    assert_null(strstr(made.text, text));
    imported_free(&made);
}

static void forms_of_administrators(void **state)
{
    (void)state;
    check_taken("[options]\n\tUseSyslog\n\tInterface = eth1\n[ssh]\n" SEQUENCE PAIR, 1);
    check_taken("[ssh]\n" SEQUENCE PAIR, 1);
    check_taken("[ssh]\r\nsequence = 7000,9000:udp,8000\r\ncommand = ufw allow from %IP%\r\n", 1);
    check_taken("[a]\n" SEQUENCE "command = /sbin/iptables -A INPUT -s %IP% -j ACCEPT\n"
                "[b]\nsequence = 9,8,7\ncommand = /sbin/iptables -D INPUT -s %IP% -j ACCEPT\n",
                2);
    check_taken(
        "[a]\n" SEQUENCE PAIR "start_command_6 = ip6tables -I INPUT -s %IP% -j ACCEPT && x\n", 1);
    check_taken("[a]\none_time_sequences = /good\n" PAIR, 1);
}

static void settings_are_written(void **state)
{
    static const char *const table[][2] = {
        {"[options]\nInterface = ens3\n[a]\n" SEQUENCE PAIR,
         "type      = pcap|interface = \"ens3\"|door \"a\" {"},
        {"[a]\n" SEQUENCE PAIR, "no interface was named|interface = \"eth0\""},
        {"[a]\n" SEQUENCE PAIR, "sequence        = { 7000, 9000:udp, 8000 }|tcpflags        = "
                                "\"any\"|allow           = { \"0.0.0.0/0\" }|port            = 22|"
                                "rule            = \"INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\""},
        {"[a]\ntimeout = 7\ncmd_timeout = 3\n" SEQUENCE PAIR,
         "seq_timeout     = 7s|cmd_timeout     = 3s"},
        {"[a]\ntcpflags = syn,!ack\ntcpflags = fin\ntarget = 192.0.2.7\n" SEQUENCE PAIR,
         "tcpflags        = \"fin,syn,!ack\"|target          = \"192.0.2.7\""},
        {"[a]\n" SEQUENCE PAIR
         "start_command_6 = ip6tables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n"
         "stop_command_6 = ip6tables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n",
         "rule            = \"INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\""},
        {"[a]\n" SEQUENCE "command = wakeonlan 00:11:22:33:44:55\n",
         "each knock runs start_command|stop_command    = \"\""},
        {"[a]\n" SEQUENCE
         "command = ufw allow from %IP%\nstop_command = ufw delete allow from %IP%\n",
         "start_command   = \"ufw allow from %IP%\"|stop_command    = \"ufw delete allow from "
         "%IP%\""},
        {"[a]\n" SEQUENCE "command = iptables -A INPUT -s %IP% -j ACCEPT\n"
         "[b]\nsequence = 9,8,7\ncommand = iptables -D INPUT -s %IP% -j ACCEPT\n",
         "door \"a\"|start_command   = \"iptables -A|door \"b\"|start_command   = \"iptables -D|"
         "closes          = { \"a\" }"},
        {"[a]\n" SEQUENCE PAIR "[b]\nsequence = 9,8,7\n"
         "command = iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n",
         "door \"b\"|tcpflags        = \"any\"|closes          = { \"a\" }\n}"},
        {"[a]\n" SEQUENCE "command = a; sleep 100\n", "run_timeout = 110s|source"},
        {"[a]\none_time_sequences = /good\n" PAIR, "one_time_sequences = \"/good\""},
        {"[options]\nlogfile = /x\nusesyslog\npidfile = /y\n[a]\n" SEQUENCE PAIR,
         "# UseSyslog: |# LogFile = /x: |# PidFile = /y: |source"},
        {"[a]\n" SEQUENCE "start_command_6 = ufw allow from %IP%\nstop_command = ufw x\n",
         "start_command_6 = \"ufw allow|stop_command_6  = \"ufw x\""},
        {"[a]\n" SEQUENCE "start_command = ufw allow from %IP%\nstart_command_6 =\n",
         "start_command   = |start_command_6 = \"\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        check_lines(table[i][0], table[i][1]);
    check_lacks("[a]\n" SEQUENCE PAIR
                "start_command_6 = ip6tables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n"
                "stop_command_6 = ip6tables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n",
                "allow");
    /* What another door closes is no door that nothing closes. */
    check_lacks("[a]\n" SEQUENCE "command = iptables -A INPUT -s %IP% -j ACCEPT\n"
                "[b]\nsequence = 9,8,7\ncommand = iptables -D INPUT -s %IP% -j ACCEPT\n",
                "stays open");
}

static void mistakes_are_pointed_out(void **state)
{
    static const char *const table[][2] = {
        {"[a]\nsequence = 7000 8000 9000\n" PAIR,
         "LOOK (line 2): knockd 0.8 reads \"7000 8000 9000\" as 7000 alone|{ 7000 }"},
        {"[a]\nsequence = 70000,9000x,8000 # x\n" PAIR, "\"9000x\" as 9000|\"8000 # x\" as 8000"},
        {"[a]\nsequence = 7000,8000,9000\n" PAIR, "LOOK (line 2): ports at one distance"},
        {"[a]\nsequence = 7000,8100,9000\n" PAIR, "LOOK (line 2): an ascending sequence"},
        {"[a]\ntcpflags = syn, ack\n" SEQUENCE PAIR,
         "LOOK (line 2): a flag with a blank|tcpflags        = \"syn,ack\""},
        {"[a]\ntcpflags = \"syn\"\n" SEQUENCE PAIR, "takes the quotes|tcpflags        = \"syn\""},
        {"[a]\ntcpflags = syn # x\n" SEQUENCE PAIR, "no comment behind a value|= \"syn\""},
        {"[a]\nseq_timeout = 2m\n" SEQUENCE PAIR, "reads \"2m\" as 2 seconds|= 2s"},
        {"[a]\nseq_timeout = 0\n" SEQUENCE PAIR, "LOOK (line 2)|= 1s"},
        {"[a]\ncmd_timeout = -1\n" SEQUENCE PAIR, "LOOK (line 2)|= 2592000s"},
        {"[a]\n" SEQUENCE "start_command = iptables -I INPUT 5 -s %IP% -j ACCEPT\n"
         "stop_command = iptables -D INPUT 5\n",
         "LOOK (line 4): this deletes a rule by its number|\"iptables -D INPUT 5\""},
        {"[a]\n" SEQUENCE "start_command = iptables -I INPUT -s %IP% -j ACCEPT\n",
         "no stop_command and no other door closes this"},
        {"[a]\n" SEQUENCE "command = iptables -A INPUT -s %IP% -j ACCEPT\n"
         "stop_command = iptables -D INPUT -s %IP% -j ACCEPT\n",
         "LOOK (line 3): -A put the rule to the end"},
        {"[a]\n" SEQUENCE SEQUENCE PAIR, "sequence of line 2 counts no more, since line 3"},
        {"[a]\n" SEQUENCE PAIR "[a]\n" SEQUENCE PAIR, "door \"a\"|[a] is called a-2|door \"a-2\""},
        {"[-]\n" SEQUENCE PAIR "[]\n" SEQUENCE PAIR, "door \"_\"|door \"door\""},
        {"[options]\nInterface = eth0\nInterface = eth1\n[a]\n" SEQUENCE PAIR,
         "a second Interface: that of line 2|\"eth0\""},
        {"[options]\nInterface = eth0:1\n[a]\n" SEQUENCE PAIR, "is a label|\"eth0\""},
        {"[a]\n" SEQUENCE "start_command = ufw a %IP% & ufw b;\n",
         "LOOK (line 3): it leaves something in the background|"
         "'trap wait EXIT; ufw a"},
        {"[a]\n" SEQUENCE "start_command = ufw a %IP% &>/x\n", "LOOK (line 3): its &> leaves"},
        {"[a]\none_time_sequences = good\n" PAIR, "looked up from the folder|\"/good\""},
        {"[a]\none_time_sequences = /used\n" PAIR, "no sequence in it is left"},
        {"[a]\none_time_sequences = /good\n" SEQUENCE PAIR, "had sequence as well"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        check_lines(table[i][0], table[i][1]);
}

static void check_lost(const char *old, const char *why, unsigned doors)
{
    struct imported made = import_text(old);
    if (!strstr(made.text, "NOT CONVERTED") || !strstr(made.errors, why))
        print_message("%s\n%s\n", made.text, made.errors);
    assert_non_null(strstr(made.text, "NOT CONVERTED"));
    assert_non_null(strstr(made.errors, why));
    assert_true(made.result.lost > 0);
    assert_int_equal(made.result.doors, doors);
    if (doors > 0)
        config_free(load(made.text, false));
    imported_free(&made);
}

static void what_cannot_be_had_is_left_out(void **state)
{
    static const char *const table[][2] = {
        {"[a]\nsequence = 7000,,9000\n" PAIR, "old.conf:2: [a] is left out: its sequence has \"\""},
        {"[a]\nsequence = 7000,8000,\n" PAIR, "its sequence has \"\""},
        {"[a]\nsequence = 7000:tcp 8000:udp\n" PAIR, "names neither tcp nor udp"},
        {"[a]\nsequence = 1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6\n" PAIR,
         "more than 32"},
        {"[a]\n" PAIR, "it has no sequence"},
        {"[a]\n" SEQUENCE, "it has no start_command"},
        {"[a]\n" SEQUENCE "start_command = echo 'x\n", "isn't closed"},
        {"[a]\n" SEQUENCE "start_command = echo \x01\n", "a control character"},
        {"[a]\ntarget = gate.example\n" SEQUENCE PAIR, "is no address"},
        {"[a]\ntcpflags = sny\n" SEQUENCE PAIR, "is no flag"},
        {"[a]\none_time_sequences = /nowhere\n" PAIR, "can't be read: No such file"},
        {"[a]\none_time_sequences = /a\rb\n" PAIR, "holds a control character: /a\\x0db"},
        {"[a]\none_time_sequences = /bad\n" PAIR, "line 2 of /bad won't do"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        char both[2048];
        check_lost(table[i][0], table[i][1], 0);
        snprintf(both, sizeof(both), "%s%s", table[i][0], "[b]\nsequence = 9,7,8\n" PAIR);
        check_lost(both, table[i][1], 1);
    }
    check_lost("[a]\n" SEQUENCE PAIR "strat_command = x\n", "knows no such key", 1);
    check_lost("[a]\n" SEQUENCE PAIR "something\n", "it is no KEY = VALUE", 1);
    check_lost("x = 1\n[a]\n" SEQUENCE PAIR, "before the first section", 1);
    check_lost("[a]\n" SEQUENCE PAIR "logfile = /x\n", "belongs to [options]", 1);
    check_lost("", "no section is left", 0);
}

/* Within a moment, though each door is compared with all others. */
static void doors_have_a_limit(void **state)
{
    enum { COUNT = CONFIG_DOORS_MAX + 2 };
    char *old = NULL;
    size_t size;
    FILE *out = open_memstream(&old, &size);
    (void)state;
    assert_non_null(out);
    for (int i = 0; i < COUNT; i++)
        fprintf(out, "[a]\nsequence = 7,%d,9\ncommand = iptables -%c INPUT -s %%IP%% -i eth%d\n",
                i + 10, i % 2 ? 'D' : 'A', i / 2);
    fclose(out);
    struct imported made = import_text(old);
    assert_int_equal(made.result.doors, CONFIG_DOORS_MAX);
    assert_int_equal(made.result.lost, 1);
    assert_non_null(strstr(made.errors, "more than 4096 doors"));
    assert_non_null(strstr(made.text, "closes          = { \"a-4095\" }"));
    imported_free(&made);
    free(old);
}

/* A door that closes one that is left out must not name it. */
static void nobody_closes_what_is_left_out(void **state)
{
    (void)state;
    check_lost("[a]\nsequence = 0\ncommand = iptables -A INPUT -s %IP% -j ACCEPT\n"
               "[b]\n" SEQUENCE "command = iptables -D INPUT -s %IP% -j ACCEPT\n",
               "port 0", 1);
}

static void options_of_the_other_knockd(void **state)
{
    static const struct {
        const char *text, *interface, *file;
        bool only_ip4, unclear;
    } table[] = {
        {"START_KNOCKD=1\nKNOCKD_OPTS=\"-i eth1\"\n", "eth1", "", false, false},
        {"#KNOCKD_OPTS=\"-i eth1\"\n", "", "", false, false},
        {"KNOCKD_OPTS='-ieth1 -4'\n", "eth1", "", true, false},
        {"export KNOCKD_OPTS=\"-dli ppp0\"\r\n", "ppp0", "", false, false},
        {"KNOCKD_OPTS=\"--interface=wan0 --only-ip-v4 -c /x\"", "wan0", "/x", true, false},
        {"KNOCKD_OPTS=\"--interface wan0 -p /run/4 -g /4\"", "wan0", "", false, false},
        {"KNOCKD_OPTS=\"-i eth0\"\nKNOCKD_OPTS=\"-i eth1\"", "eth1", "", false, false},
        {"KNOCKD_OPTS=\"-i $WAN\"", "$WAN", "", false, true},
        {"KNOCKD_OPTS=-l -i eth0", "", "", false, false},
        {"KNOCKD_OPTS=\"-i", "", "", false, false},
        {"KNOCKD_OPTS=\"\f-i eth1\f-4 \v\"", "eth1", "", true, false},
        {"KNOCKD_OPTS=", "", "", false, false},
        {"KNOCKD_OPTS", "", "", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct import_options options;
        import_read_defaults(table[i].text, &options);
        assert_string_equal(options.interface, table[i].interface);
        assert_string_equal(options.file, table[i].file);
        assert_int_equal(options.only_ip4, table[i].only_ip4);
        assert_int_equal(options.unclear, table[i].unclear);
    }
}

static void options_are_written(void **state)
{
    static const char old[] =
        "[options]\nInterface = eth0\n[a]\n" SEQUENCE "start_command = ufw allow from %IP%\n";
    struct import_setting setting = usual_setting();
    (void)state;
    setting.interface = "wan0";
    setting.only_ip4 = true;
    setting.file = "/other.conf";
    struct imported made = import_bytes(old, strlen(old), &setting);
    assert_non_null(strstr(made.text, "Interface = eth0 didn't count"));
    assert_non_null(strstr(made.text, "interface = \"wan0\""));
    assert_non_null(strstr(made.text, "-c /other.conf"));
    assert_non_null(strstr(made.text, "allow           = { \"0.0.0.0/0\" }"));
    config_free(load(made.text, false));
    imported_free(&made);
}

/* --- lines as the other knockd cuts them --- */

static void lines_are_read_as_they_were(void **state)
{
    char *old = calloc(1, 3 * 4096);
    struct ini_file ini;
    static const char nul[] = "[a]\nsequence = 1\0002,3\n command\t=\f x = y \v\n";
    (void)state;
    assert_true(ini_read(nul, sizeof(nul) - 1, &ini));
    assert_int_equal(ini.count, 2);
    assert_string_equal(ini.sections[1].values[INI_SEQUENCE].text, "1");
    assert_string_equal(ini.sections[1].values[INI_START].text, "x = y");
    assert_int_equal(ini.sections[1].note_count, 1);
    ini_free(&ini);
    /* The 4096th byte begins another line. */
    strcpy(old, "[a]\ncommand = ");
    memset(old + strlen(old), 'x', 4095 - strlen("command = "));
    strcat(old, "sequence = 1\n[b]\n");
    assert_true(ini_read(old, strlen(old), &ini));
    assert_int_equal(ini.count, 3);
    assert_int_equal(strlen(ini.sections[1].values[INI_START].text), 4095 - 10);
    assert_string_equal(ini.sections[1].values[INI_SEQUENCE].text, "1");
    assert_int_equal(ini.sections[2].line, 3);
    ini_free(&ini);
    free(old);
}

/* --- hostile texts --- */

static void no_byte_gets_out_of_a_comment(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        static const char *const places[] = {"[%sx]\n" SEQUENCE PAIR,
                                             "%sx\n[a]\n" SEQUENCE PAIR,
                                             "[options]\nlogfile = %sx\nInterface = a%sx\n[a]\n",
                                             "[a]\nsequence = 7%sx,8,9\n" PAIR,
                                             "[a]\ntarget = 7%sx\n" SEQUENCE PAIR,
                                             "[a]\ntcpflags = 7%sx\n" SEQUENCE PAIR,
                                             "[a]\ncmd_timeout = 7%sx\n" SEQUENCE PAIR,
                                             "[a]\none_time_sequences = /7%sx\n" PAIR,
                                             "[a]\n" SEQUENCE "command = echo 7%sx\n"};
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
            struct import_setting setting = usual_setting();
            char old[1024];
            int len = snprintf(old, sizeof(old), places[i], "\x7f\"\xfe", "\x7f\"\xfe");
            for (int k = 0; k < len; k++)
                if (old[k] == '\xfe')
                    old[k] = (char)byte;
            struct imported made = import_bytes(old, (size_t)len, &setting);
            for (const char *p = made.text; *p; p++)
                assert_true((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
            if (made.result.doors > 0)
                config_free(load(made.text, false));
            imported_free(&made);
        }
    }
}

/* --- random files: taken by knockd -t, and each door by the same steps as before --- */

static bool real_program(void *arg, const char *name, char *path, size_t size)
{
    char why[320], *found = program_find(name);
    (void)arg;
    (void)size;
    *path = '\0';
    bool good = found && program_runs(found, why, sizeof(why));
    free(found);
    return good;
}

/* How knockd 0.8 reads a sequence. */
static unsigned read_as_before(const char *text, struct port_proto steps[64])
{
    char copy[512], *rest = copy, *item;
    unsigned count = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    while ((item = strsep(&rest, ",")) && count < 64) {
        char *port = strsep(&item, ":"), *proto = strsep(&item, ":");
        steps[count].port = (uint16_t)atoi(port);
        steps[count++].proto = proto && strcasestr(proto, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
    }
    return count;
}

static const char *pick(const char *const *list, unsigned count)
{
    return list[draw(count)];
}

#define PICK(list) pick(list, sizeof(list) / sizeof(*(list)))

static void random_sequence(char *out)
{
    static const char *const ends[] = {":udp", ":tcp", ":UDP", "", "", "", " ", "x", " 9", ": udp"};
    *out = '\0';
    for (unsigned n = 1 + draw(draw(20) ? 5 : 34); n > 0; n--)
        sprintf(out + strlen(out), "%s%u%s%s", draw(5) ? "" : " ", draw(50) ? 1 + draw(66000) : 0,
                PICK(ends), n > 1 ? "," : "");
}

static void random_command(char *out)
{
    static const char *const programs[] = {"iptables",  "/usr/sbin/iptables",
                                           "ip6tables", "true",
                                           "echo",      "nowhere",
                                           "sh -c",     "\"x y\"",
                                           "cd",        "A=b"};
    static const char *const actions[] = {"-A", "-I", "-D", "-A", "-D", "-C", "add", "delete"};
    static const char *const words[] = {"INPUT",
                                        "INPUT 1",
                                        "INPUT 5",
                                        "-s %IP%",
                                        "-s %IP%",
                                        "-p tcp",
                                        "--dport 22",
                                        "-j ACCEPT",
                                        "-j ACCEPT",
                                        "&& true",
                                        "| cat",
                                        "> /dev/null",
                                        "'a b'",
                                        "\"$X\"",
                                        "'%IP%'",
                                        "# x",
                                        "\\",
                                        "100%",
                                        "${Y}",
                                        "'",
                                        "&",
                                        "sleep 3",
                                        "-m comment --comment 'x y'",
                                        "-m state --state NEW",
                                        "\xc3\xa9",
                                        "`x`",
                                        "$(x %IP%)",
                                        "%%",
                                        "\t"};
    static const char *const whole[] = {"INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
                                        "INPUT -s %IP% -j ACCEPT"};
    sprintf(out, "%s %s", PICK(programs), PICK(actions));
    if (draw(2)) {
        sprintf(out + strlen(out), " %s", PICK(whole));
        return;
    }
    for (unsigned n = draw(7); n > 0; n--)
        sprintf(out + strlen(out), " %s", PICK(words));
}

struct random_file {
    char text[65536];
    char sequences[16][512];
    unsigned doors;
};

static void add_line(struct random_file *file, const char *key, const char *value)
{
    sprintf(file->text + strlen(file->text), "%s = %s%s\n", key, value, draw(8) ? "" : "\r");
}

static void add_door(struct random_file *file)
{
    static const char *const commands[] = {"start_command",  "stop_command", "start_command_6",
                                           "stop_command_6", "command",      "Command_6"};
    static const char *const flags[] = {"syn",     "SYN,!ack", "\"syn\"", "syn, ack",
                                        "fin # x", "any",      "!syn,syn"};
    static const char *const numbers[] = {"5", "0", "-1", "5s", "99999999", "x", " 7 "};
    static const char *const targets[] = {"192.0.2.1", "2001:db8::1", "x", "\"192.0.2.1\""};
    char value[4096];
    sprintf(file->text + strlen(file->text), "[d%u]\n", file->doors);
    random_sequence(file->sequences[file->doors]);
    if (draw(15))
        add_line(file, "sequence", file->sequences[file->doors]);
    random_command(value);
    add_line(file, "start_command", value);
    char *verb = strstr(value, "-A") ? strstr(value, "-A") : strstr(value, "-I");
    if (verb && draw(3)) {
        verb[1] = 'D';
        add_line(file, "stop_command", value);
    }
    for (unsigned n = draw(3); n > 0; n--) {
        random_command(value);
        add_line(file, PICK(commands), draw(6) ? value : "");
    }
    if (draw(2))
        add_line(file, "tcpflags", PICK(flags));
    if (draw(2))
        add_line(file, "seq_timeout", PICK(numbers));
    if (draw(2))
        add_line(file, "cmd_timeout", PICK(numbers));
    if (!draw(6))
        add_line(file, "target", PICK(targets));
    file->doors++;
}

static void check_door(const struct config_door *door, const struct random_file *file)
{
    struct port_proto steps[64];
    unsigned number = (unsigned)atoi(door->name + 1);
    unsigned count = read_as_before(file->sequences[number], steps);
    assert_int_equal(door->sequence.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_true(port_proto_equal(door->sequence.steps[i], steps[i]));
}

static void random_files_are_taken(void **state)
{
    enum { RUNS = 300 };
    static struct random_file file;
    unsigned doors = 0, lost = 0;
    (void)state;
    draw_seed();
    for (int i = 0; i < RUNS; i++) {
        struct import_setting setting = usual_setting();
        setting.programs.find = real_program;
        setting.only_ip4 = !draw(8);
        memset(&file, 0, sizeof(file));
        if (draw(2))
            strcpy(file.text, "[options]\nUseSyslog\n");
        for (unsigned n = 1 + draw(6); n > 0; n--)
            add_door(&file);
        struct imported made = import_bytes(file.text, strlen(file.text), &setting);
        if (made.result.doors > 0) {
            struct config *config = load(made.text, true);
            assert_int_equal(config->door_count, made.result.doors);
            for (unsigned k = 0; k < config->door_count; k++)
                check_door(&config->doors[k], &file);
            config_free(config);
        }
        doors += made.result.doors;
        lost += file.doors - made.result.doors;
        imported_free(&made);
    }
    print_message("# %u doors, %u left out\n", doors, lost);
    assert_true(doors > RUNS && lost > RUNS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_administrators),
        cmocka_unit_test(settings_are_written),
        cmocka_unit_test(mistakes_are_pointed_out),
        cmocka_unit_test(what_cannot_be_had_is_left_out),
        cmocka_unit_test(doors_have_a_limit),
        cmocka_unit_test(nobody_closes_what_is_left_out),
        cmocka_unit_test(options_of_the_other_knockd),
        cmocka_unit_test(options_are_written),
        cmocka_unit_test(lines_are_read_as_they_were),
        cmocka_unit_test(no_byte_gets_out_of_a_comment),
        cmocka_unit_test(random_files_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
