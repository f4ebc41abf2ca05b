/* Wrong values: each is told of with its line, several at once, and what is only doubtful too. */
#include "config_help.h"

#define ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof(*(rows)))
#define SEQUENCE   " sequence = { 9000, 7000, 8000 } "
/* A good configuration with `key` on line 2. */
#define GLOBAL(key)  SOURCE key "\n" DOOR
#define IN_DOOR(key) SOURCE "door d {" SEQUENCE RULE "\n" key " }"
#define IN_FILE(key) "source s { type = file\n" key "\n}\n" DOOR

static void global_values(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {GLOBAL(""), ""},
        {GLOBAL("user = ''"), "2: user: \"\" is no user name"},
        {GLOBAL("user = 'a b'"), "2: expected one like \"knockd\""},
        {GLOBAL("user = {a, b}"), "2: user takes one value, not a list"},
        {GLOBAL("state_dir = var"), "2: expected one that begins with /"},
        {GLOBAL("state_dir = {}"), "2: expected one that begins with /"},
        {GLOBAL("control = /1234567890123456789012345678901234567890123456789012345678901234567890"
                "12345678901234567890123456789012345678"),
         "2: control: the path is longer than 107 bytes"},
        {GLOBAL("facility = authprivate"), "2: \"authprivate\" is no syslog facility"},
        {GLOBAL("facility = LOCAL7"), ""},
        {GLOBAL("stop_timeout = 0"), "2: expected a time from 1s to 1h"},
        {GLOBAL("stop_timeout = -5"), "2: stop_timeout: \"-5\""},
        {GLOBAL("stop_timeout = 5x"), "2: stop_timeout: \"5x\""},
        {GLOBAL("stop_timeout = '5 s'"), "2: stop_timeout: \"5 s\""},
        {GLOBAL("stop_timeout = 1.5"), "2: stop_timeout: \"1.5\""},
        {GLOBAL("stop_timeout = s"), "2: stop_timeout: \"s\""},
        {GLOBAL("stop_timeout = 99999999999999999999"), "2: stop_timeout"},
        {GLOBAL("stop_timeout = 999999999d"), "2: stop_timeout"},
        {GLOBAL("run_timeout = 10m"), ""},
        {GLOBAL("run_timeout = 601"), "2: expected a time from 1s to 10m"},
        {GLOBAL("max_sources = 1023"), "2: expected a number from 1024 to 4194304"},
        {GLOBAL("max_sources = 4194304"), ""},
        {GLOBAL("max_sources = 0x1000"), "2: max_sources"},
        {GLOBAL("init_command = { x, y }"), ""},
        {GLOBAL("max_open = 0"), "2: max_open: \"0\" won't do: expected a number from 1 to 16384"},
        {GLOBAL("facility = kern"), "2: facility: \"kern\" is no syslog facility"},
        {GLOBAL("user = \"a\\nb\""), "2: the value of user holds a control character"},
    };
    ROWS(rows);
}

static void source_values(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {IN_FILE("path = /a prefix = x"), ""},
        {IN_FILE("path = /a"), "1: warning: source \"s\" has no prefix, so each packet that the"},
        {IN_FILE(""), "1: source \"s\" has no path"},
        {IN_FILE("path = a"), "2: path: \"a\" is no absolute path"},
        {IN_FILE("path = /a prefix = x format = ulogd"), ""},
        {IN_FILE("path = /a format = json"), "2: expected kernel or ulogd"},
        {IN_FILE("path = /a prefix = ' x'"), ""},
        {IN_FILE("path = /a prefix = {}"), "2: prefix: expected 1 to 127 characters"},
        {IN_FILE("path = /a prefix = '  '"), "2: prefix: expected 1 to 127 characters"},
        {IN_FILE("path = /a prefix = { a,\n'' }"), "3: prefix: expected 1 to 127 characters"},
        {IN_FILE("path = /a prefix = 12345678901234567890123456789012345678901234567890123456789012"
                 "345678901234567890123456789012345678901234567890123456789012345678"),
         "2: prefix: expected 1 to 127 characters"},
        {IN_FILE("path = /a prefix = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
                 "24,25,26,27,28,29,30,31,32,\n33}"),
         "3: prefix: more than 32 prefixes"},
        {IN_FILE("path = /a group = 5"), "1: source \"s\": group has no meaning for its type"},
        {"source s {\n}\n" DOOR, "1: source \"s\" has no type"},
        {"source s { type = kmsg path = /a }\n" DOOR,
         "1: source \"s\": path has no meaning for its type"},
        {"source s { type = journal format = ulogd }\n" DOOR, "1: ulogd writes no kernel messages"},
        {"source s { type = journal prefix = x }\n" DOOR, ""},
        {"source s { type = stdin prefix = x }\n" DOOR, ""},
        {"source s { type = command command = '/bin/cat /a' prefix = x }\n" DOOR, ""},
        {"source s { type = command }\n" DOOR, "1: source \"s\" has no command: expected"},
        {"source s { type = stdin command = cat }\n" DOOR,
         "1: source \"s\": command has no meaning for its type"},
        {"source s { type = journal prefix = x }\nsource t { type = journal prefix = x }\n" DOOR,
         "2: reads the same log"},
        {"source s { type = command command = a prefix = x }\n"
         "source t { type = command command = a prefix = y }\n" DOOR,
         ""},
        {"source s { type = kmsg format = ulogd }\n" DOOR, "1: ulogd writes no kernel messages"},
        {IN_FILE("path = /a prefix = x max_age = 1"), ""},
        {IN_FILE("path = /a prefix = x max_age = 1d"), ""},
        {IN_FILE("path = /a prefix = x max_age = OFF"), ""},
        {IN_FILE("path = /a prefix = x max_age = 0"), ""},
        {IN_FILE("path = /a prefix = x max_age = 2d"),
         "2: max_age: \"2d\" won't do: expected a time from 1s to 1d"},
        {IN_FILE("path = /a prefix = x max_age = soon"), "2: behind the number, or off"},
        {IN_FILE("path = /a prefix = { 'x ', y,\n x }"),
         "3: warning: prefix: the list has \"x\" twice"},
        {IN_FILE("path = /a prefix = x remote = perhaps"), "2: remote: \"perhaps\" won't do"},
        {"source s { type = kmsg prefix = x max_age = 5 }\n" DOOR,
         "1: source \"s\": max_age has no meaning for its type"},
        {"source s { type = pcap max_age = off }\n" DOOR,
         "1: source \"s\": max_age has no meaning for its type"},
        {"source s { type = nflog prefix = x remote = true }\n" DOOR,
         "1: source \"s\": remote has no meaning for its type"},
        {"source s { type = journal prefix = x remote = true }\n" DOOR,
         "1: source \"s\": remote has no meaning for its type"},
        {"source s { type = journal prefix = x max_age = 5 }\n" DOOR, ""},
        {"source o { type = kmsg prefix = x }\n"
         "source s { type = file path = /a prefix = x remote = true }\n" DOOR,
         "2: warning: source \"s\": whoever can write into what it reads opens door"},
        {"source o { type = kmsg prefix = x }\n"
         "source s { type = file path = /a prefix = x remote = true max_age = off }\n" DOOR,
         "2: warning: source \"s\" is remote and has no max_age: what was kept in an outage\n"
         "2: warning: source \"s\": whoever can write"},
        {"source o { type = kmsg prefix = x }\n"
         "source s { type = file path = /a prefix = x remote = true\nmax_age = ten }\n" DOOR,
         "3: max_age: \"ten\" won't do: expected a time from\n"
         "2: warning: source \"s\": whoever can write"},
        {"source s { type = file path = /a prefix = x remote = true }\n" DOOR,
         "1: warning: all sources are remote: while the stream is away, nothing opens\n"
         "1: warning: source \"s\": whoever can write"},
        {"source s { type = nflog group = 65535 prefix = x }\n" DOOR, ""},
        {"source s { type = nflog group = 65536 prefix = x }\n" DOOR,
         "1: group: \"65536\" won't do"},
        {"source s { type = nflog path = /a prefix = x }\n" DOOR,
         "1: source \"s\": path has no meaning for its type"},
        {"source s { type = nflog prefix = x }\nsource t { type = nflog prefix = y }\n" DOOR,
         "2: reads the same log"},
        {"source s { type = nflog prefix = x }\n"
         "source t { type = nflog group = 1 prefix = x }\n" DOOR,
         ""},
        {"source s { type = pcap }\n" DOOR, ""},
        {"source s { type = pcap interface = any }\n" DOOR, ""},
        {"source s { type = pcap interface = { eth0, ppp0 } }\n" DOOR, ""},
        {"source s { type = pcap interface = { eth0, any } }\n" DOOR,
         "1: interface: any stands for all interfaces: expected it alone, or names"},
        {"source s { type = pcap interface = 'eth0:1' }\n" DOOR,
         "1: interface: \"eth0:1\" is a label of an address"},
        {"source s { type = pcap interface = {} }\n" DOOR, "1: interface: expected"},
        {"source s { type = pcap prefix = x }\n" DOOR,
         "1: source \"s\": prefix has no meaning for its type"},
        {"source s { type = pcap format = kernel }\n" DOOR,
         "1: source \"s\": format has no meaning for its type"},
        {"source s { type = nflog prefix = x format = ulogd }\n" DOOR,
         "1: source \"s\": format has no meaning for its type"},
        {"source s { type = kmsg interface = eth0 prefix = x }\n" DOOR,
         "1: source \"s\": interface has no meaning for its type"},
        {"source s { type = pcap }\nsource t { type = pcap interface = eth0 }\n" DOOR,
         "2: source \"t\" hears the same packets as source \"s\""},
        {"source s { type = pcap interface = { a, b } }\n"
         "source t { type = pcap interface = { c, b } }\n" DOOR,
         "2: source \"t\" hears the same packets as source \"s\""},
        {"source s { type = pcap interface = a }\nsource t { type = pcap interface = b }\n" DOOR,
         ""},
        {"source s { type = tape }\n" DOOR,
         "1: type: there is no type \"tape\": expected kmsg, journal, file"},
        {"source s { type = tape }\nsource t { type = disk }\n"
         "source u { type = kmsg prefix = x }\n" DOOR,
         "1: type: there is no type \"tape\"\n2: type: there is no type \"disk\""},
        {"source 'a b' { type = kmsg prefix = x }\n" DOOR, "1: \"a b\" is no name for a source"},
        {"source '' { type = kmsg prefix = x }\n" DOOR, "1: \"\" is no name for a source"},
        {DOOR, "c: there is no source"},
        {SOURCE "source t { type = kmsg prefix = x }\n" DOOR,
         "2: source \"t\" reads the same log as source \"s\" in "},
        {"source s { type = file path = /a prefix = x }\n"
         "source t { type = file path = /a prefix = x }\n" DOOR,
         "2: source \"t\" reads the same log as source \"s\" in "},
        {"source s { type = file path = /a prefix = x }\n"
         "source t { type = file path = /b prefix = x }\n" DOOR,
         ""},
    };
    ROWS(rows);
}

/* As many interfaces as the listener can tell apart; of logs the names don't matter. */
static void interfaces_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        unsigned doors;
        const char *expected;
    } table[] = {
        {"type = pcap interface = { eth0, eth1 }", 256, ""},
        {"type = pcap interface = { eth0, lan }", 256,
         "257: interface: more than 256 different interfaces: expected fewer"},
        {"type = nflog prefix = x", 256, ""},
        {"type = nflog prefix = x", 257, "258: interface: more than 256"},
        {"type = kmsg prefix = x", 300, ""},
    };
    static char text[1 << 16];
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        int len = snprintf(text, sizeof(text), "source s { %s }\n", table[i].source);
        for (unsigned j = 0; j < table[i].doors; j++)
            len +=
                snprintf(text + len, sizeof(text) - (size_t)len,
                         "door d%u { interface = eth%u sequence = { 9000, 7000, 8000 }" RULE "}\n",
                         j, j);
        struct config *config = load_text(&told, text);
        const char *first = strstr(told.lines, "interface: more");
        if (*table[i].expected)
            assert_told(table[i].source, &told, table[i].expected);
        else
            assert_null(first);
        config_free(config);
    }
    end(&told);
}

static void door_values(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {IN_DOOR(""), ""},
        {IN_DOOR("seq_timeout = 1h"), ""},
        {IN_DOOR("seq_timeout = 61m"), "3: expected a time from 1s to 1h"},
        {IN_DOOR("cmd_timeout = 31d"), "3: expected a time from 1s to 30d"},
        {IN_DOOR("tcpflags = any"), ""},
        {IN_DOOR("tcpflags = \"syn,!sin\""), "3: expected flags like"},
        {IN_DOOR("tcpflags = \"syn,!syn\""), "3: no packet can match"},
        {IN_DOOR("strict = maybe"), "3: expected true or false"},
        {IN_DOOR("strict = OFF"), ""},
        {IN_DOOR("strays = 0"), ""},
        {IN_DOOR("strays = 8"), ""},
        {IN_DOOR("strays = 9"), "3: strays: \"9\" won't do"},
        {IN_DOOR("strays = 1 strict = no"), "2: both strays and strict = false"},
        {SOURCE "door d { key = alice strays = 1" RULE "}", "2: has strays, but no sequence"},
        {IN_DOOR("port = 22:sctp"), "3: expected tcp or udp after the colon"},
        {IN_DOOR("port = {}"), "3: port: \"\" won't do: expected a port"},
        {IN_DOOR("port = 0"), "3: expected a port from 1 to 65535"},
        {IN_DOOR("port = 8000"), "2: 8000:tcp is a step of the sequence, but it is a port that"},
        {IN_DOOR("port = 8000:udp"), ""},
        {IN_DOOR("ignore = { 80,\n 99999 }"), "4: ignore: \"99999\" won't do"},
        {IN_DOOR("ignore = 7000"), "2: 7000:tcp is a step of the sequence, but ignore names it"},
        {IN_DOOR("target = example.org"), "3: names are not looked up"},
        {IN_DOOR("interface = 1234567890123456"), "3: 15 characters at most"},
        {IN_DOOR("interface = 'a b'"), "3: is no interface"},
        {IN_DOOR("interface = '?'"), "3: is no interface"},
        {IN_DOOR("interface = '..'"), "3: is no interface"},
        {IN_DOOR("interface = eth0.100"), ""},
        {IN_DOOR("interface = 'wlan0:1'"), "3: \"wlan0:1\" is a label of an address, and "
                                           "no interface: expected interface = \"wlan0\""},
        {IN_DOOR("interface = 'eth0,eth1'"), "3: interface takes one name: give each interface a "
                                             "door of its own, or leave the key out for all"},
        {IN_DOOR("interface = { eth0, eth1 }"), "3: interface takes one value, not a list"},
        {IN_DOOR("interface = 'eth0@if5'"), "3: its name ends before the @: expected interface = "
                                            "\"eth0\""},
        {IN_DOOR("interface = 'ppp+'"), "3: \"ppp+\" is no interface: expected a whole name like"},
        {IN_DOOR("allow = { 10.0.0.0/8,\n192.0.2.1/24 }"), "4: \"192.0.2.1/24\" is no network"},
        {IN_DOOR("stop_ok = { 0, 256 }"),
         "3: stop_ok: \"256\" won't do: expected a number from 0 "},
        {IN_DOOR("stop_ok = 'x'"), "3: stop_ok"},
        {IN_DOOR("one_time_sequences = /a"), ""},
        {IN_DOOR("one_time_sequences = a"), "3: one_time_sequences: \"a\" is no absolute path"},
        {IN_DOOR("check_command = x"), ""},
        {IN_DOOR("check_interval = 0"), "3: check_interval: \"0\" won't do"},
        {IN_DOOR("max_open = 5 rate = 3/10m"), ""},
        {IN_DOOR("rate = 3"), "3: rate: \"3\" won't do: expected openings and a time"},
        {IN_DOOR("rate = 0/1m"), "3: rate: \"0/1m\" won't do"},
        {IN_DOOR("rate = 3/0"), "3: rate: \"3/0\" won't do"},
        {IN_DOOR("rate = 3/1x"), "3: rate: \"3/1x\" won't do"},
        {IN_DOOR("start_delay = 0"), ""},
        {IN_DOOR("start_delay = 11m"),
         "3: start_delay: \"11m\" won't do: expected a time from 0s to 10m"},
        {IN_DOOR("extend_command = { a,\n'' }"), "4: extend_command: an empty text among others"},
        {SOURCE "door d {" SEQUENCE " rule = {} }", "2: door \"d\" opens nothing"},
        {SOURCE "door d {" SEQUENCE " }", "2: door \"d\" opens nothing"},
        {SOURCE "door d {" SEQUENCE " stop_command = x }", "2: door \"d\" opens nothing"},
        {SOURCE "door d {}", "2: door \"d\" has no sequence\n2: door \"d\" opens nothing"},
        {SOURCE "door d {" RULE "}", "2: door \"d\" has no sequence"},
        {SOURCE "door d { sequence = {}" RULE "}", "2: sequence: \"\" won't do: expected a port"},
        {SOURCE "door d { sequence = { 9000,\n7000,\n70000 }" RULE "}",
         "4: sequence: \"70000\" won't do"},
        {SOURCE "door d { sequence = { 7000 8000 }" RULE "}", "2: unexpected \"8000\" in door"},
        {SOURCE "door d { sequence = '9000 7000'" RULE "}", "2: sequence: \"9000 7000\" won't do"},
        {IN_DOOR("start_command = x stop_command = y"), "3: both rule and start or stop commands"},
        {IN_DOOR("stop_command = y"), "3: both rule and start or stop commands"},
        {IN_DOOR("start_command_6 = x stop_command_6 = x"), "3: both rule and start or stop"},
        {SOURCE "door \"a/b\" {" SEQUENCE RULE "}", "2: \"a/b\" is no name for a door"},
        {SOURCE
         "door 1234567890123456789012345678901234567890123456789012345678901234 {" SEQUENCE RULE
         "}",
         "2: is no name for a door: expected 1 to 63"},
        {SOURCE "door \"a\\nb\" {" SEQUENCE RULE "}", "2: \"a?b\" is no name for a door"},
        {SOURCE, "c: there is no door"},
        {"", "c: there is no source\nc: there is no door"},
    };
    ROWS(rows);
}

/* Whatever takes a command; see test_shell_syntax.c for what is found. */
static void shell_syntax(void **state)
{
    (void)state;
#define BY(line, key, word, call)                                                                  \
    line ": " key ": \"" word "\" is shell syntax, but no shell runs this: write " call
#define COMMAND(key) SOURCE "door d {" SEQUENCE "\n" key " }"
#define CALL         "/bin/sh -c '... \"$1\"' sh %IP%, or put it in single quotes"
    static const struct told_row rows[] = {
        {COMMAND("start_command = { 'a',\n'b; c' } stop_command = ''"),
         BY("4", "start_command", "b;", CALL)},
        {COMMAND("start_command = a stop_command = 'b || true'"),
         BY("3", "stop_command", "||", CALL)},
        {COMMAND("start_command = a stop_command = '' extend_command = 'b >/x'"),
         BY("3", "extend_command", ">/x", CALL)},
        {COMMAND("start_command = a stop_command = '' check_command = 'b | c'"),
         BY("3", "check_command", "|", CALL)},
        {COMMAND("start_command = a stop_command = ''\nstart_command_6 = 'b & c'"),
         BY("4", "start_command_6", "&", CALL)},
        {COMMAND("start_command = a stop_command = ''\nstop_command_6 = 'b $X'"),
         BY("4", "stop_command_6", "$X", CALL)},
        {COMMAND("start_command = \"/bin/sh -c 'x %IP%'\" stop_command = ''"),
         "3: start_command: what a knock brings must not stand in the script of a shell: hand it "
         "over as an argument, as in /bin/sh -c '... \"$1\"' sh %IP%"},
        {COMMAND("start_command = \"/bin/sh -c 'x \\\"$1\\\" >/y; z' sh %IP%\" stop_command = ''"),
         ""},
        {COMMAND("rule = 'INPUT -s %IP% -j ACCEPT; x'"),
         BY("3", "rule", "ACCEPT;", "start_command and stop_command in place of rule")},
        {GLOBAL("init_command = { a, 'b `c`' }"),
         BY("2", "init_command", "`c`", "/bin/sh -c '...', or")},
        {GLOBAL("exit_command = 'a 2>&1'"),
         BY("2", "exit_command", "2>&1", "/bin/sh -c '...', or")},
        {"source s { type = command\ncommand = 'a | b' prefix = x }\n" DOOR,
         BY("2", "command", "|", "/bin/sh -c '...', or")},
        {"source s { type = command\ncommand = \"sh -c 'a | b'\" prefix = x }\n" DOOR, ""},
    };
    ROWS(rows);
}

/* Penalties are no more: each of their keys is told so, and who can do it. */
static void penalties_are_gone(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {GLOBAL("max_failures = 5"), "2: max_failures: knockd has no penalties any more"},
        {GLOBAL("max_failures = 0"), "2: remove the key. fail2ban can ban"},
        {GLOBAL("failure_window = 1m\npenalty = 1h\nallow_always = { 10.0.0.0/8, ::1 }"),
         "2: failure_window: knockd has no penalties any more\n3: penalty: knockd has no\n"
         "4: allow_always: knockd has no penalties"},
    };
    ROWS(rows);
}

static void doubts(void **state)
{
    (void)state;
#define SEQ(steps, rest) SOURCE "door d {\n sequence = {" steps "}" RULE rest "}\n"
    static const struct told_row rows[] = {
        {SEQ("9000, 8000", ""), "3: warning: door \"d\": a sequence of fewer than 3 steps"},
        {SEQ("9000", ""), "3: warning: door \"d\": a sequence of fewer than 3 steps"},
        {SEQ("7000, 7000, 7000", ""),
         "3: warning: door \"d\": a sequence of fewer than 3 different steps"},
        {SEQ("7000, 9000, 7000, 9000", ""),
         "3: warning: door \"d\": a sequence of fewer than 3 diff"},
        {SEQ("7000, 9000, 7000:udp", ""), ""},
        {SEQ("7000, 8000, 9000", ""), "3: warning: door \"d\": ports at multiples of one distance"},
        {SEQ("9000, 8000, 7000", ""), "3: warning: door \"d\": ports at multiples of one distance"},
        {SEQ("12345, 45113, 61497", ""), "3: warning: door \"d\": ports at multiples of one dist"},
        {SEQ("7000:udp, 8290:udp, 10870:udp", ""), "3: warning: door \"d\": ports at multiples"},
        {SEQ("7000, 9000, 8000", ""), ""},
        {SEQ("7000, 7000, 8000, 9000", ""), ""},
        {SEQ("7000, 8000:udp, 9000", ""), ""},
        {SEQ("7000, 8000, 9001", ""), ""},
        {SEQ("7000, 8000, 9001", "strict = no"), "3: warning: door \"d\": with strict = false"},
        {SEQ("7000, 9000, 8000", "strict = no"), ""},
        {SEQ("7000, 7001, 6000", ""), "3: warning: door \"d\": neighbouring ports"},
        {SEQ("9000, 7001, 7000", ""), "3: warning: door \"d\": neighbouring ports"},
        {SEQ("9000, 7001, 7000:udp", ""), ""},
        {SEQ("7000, 7001", "strict = no"), "3: fewer than 3\n3: neighbouring\n3: strict = false"},
        {SOURCE "door d {" SEQUENCE "\nstart_command = a }",
         "3: warning: door \"d\" has no stop_command: what it opens stays open"},
        {SOURCE "door d {" SEQUENCE "\nstart_command = a stop_command = '' }", ""},
        {SOURCE "door d {" SEQUENCE "\nstart_command_6 = a }",
         "3: warning: door \"d\" has no stop_command_6"},
        {SOURCE "door d {" SEQUENCE "\nstart_command_6 = a stop_command = a }", ""},
        {SOURCE DOOR "door e {" SEQUENCE RULE "}",
         "3: warning: door \"e\": whoever knocks at door \"d\" ("},
        {SOURCE "door d { one_time_sequences = '/etc/once'" RULE "}\n"
                "door e { one_time_sequences = '/etc/twice'" RULE "}\n"
                "door f { one_time_sequences = '/etc/once'" RULE "}",
         "4: warning: door \"f\": door \"d\" ("},
        {SOURCE DOOR "door e { sequence = \"1,9000,7000,8000\"" RULE "}",
         "2: warning: door \"d\": whoever knocks at door \"e\" ("},
        {SOURCE DOOR "door e { sequence = \"9000,7000,8000,1\"" RULE "}", ""},
        {SOURCE DOOR "door e { sequence = \"9000,7000,8000:udp\"" RULE "}", ""},
        {SOURCE "door d { interface = a" SEQUENCE RULE "}\ndoor e { interface = b" SEQUENCE RULE
                "}",
         ""},
        {SOURCE "door d { target = 192.0.2.1" SEQUENCE RULE "}\n"
                "door e { target = 192.0.2.2" SEQUENCE RULE "}",
         ""},
    };
    ROWS(rows);
}

static void several_at_once(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {"user = ''\n# comment\n/* two\nlines */ facility = x\nsource s {\n  type = x\n}\n"
         "door d {\n  sequence = { 7000, # one\n  8000,\n  x }\n  port = y // why\n"
         "  cmd_timeout = z\n}\ndoor 'e f' {\n}\n",
         "1: user\n4: facility\n6: type\n11: sequence\n12: port\n13: cmd_timeout\n"
         "15: is no name for a door\n8: opens nothing\n15: has no sequence\n15: opens nothing"},
    };
    ROWS(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_values),
        cmocka_unit_test(source_values),
        cmocka_unit_test(interfaces_are_counted),
        cmocka_unit_test(door_values),
        cmocka_unit_test(doubts),
        cmocka_unit_test(shell_syntax),
        cmocka_unit_test(penalties_are_gone),
        cmocka_unit_test(several_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
