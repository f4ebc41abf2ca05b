/* knock.conf: what profiles may say, what is refused and why, what options put over it. */
#include "knock_help.h"

#include <sys/socket.h>

#include "knock/profile.h"

static const char text[] =
    "# what holds for all\n"
    "carrier = tcp\n"
    "delay = 7\n"
    "profile \"home\" { host = \"gate.example\"  door = \"ssh\"  port = 22  key = \"home.key\" }\n"
    "profile \"all\" {\n"
    "    host = \"192.0.2.1\"  door = \"web\"  key = \"~/keys/a\"  carrier = udp  port = 8443\n"
    "    ask_port = 0  seconds = 2h  timeout = 30  retries = 5  delay = 0  family = 6\n"
    "    bind = 198.51.100.7  for = \"2001:db8::9\"  span = 15000  packet_port = 443\n"
    "}\n"
    "profile \"plain\" { host = h  sequence = { 7000, \"8000:udp\", 9000 } }\n"
    "profile \"away\" { host = h  key = k  door = d  bind = stun  stun = \"[2001:db8::1]:9\"\n"
    "    unbound = yes  address_command = \"a 'b c;d'\" }\n"
    "profile \"string\" { host = h  sequence = \"7000,8000:udp\" }\n"
    "profile \"once\" { host = h  once = \"/abs/once\" }\n";

static bool load(struct home *home, const char *conf, const char *name,
                 const struct profile_value *values, struct profile *out)
{
    unsigned count = 0;
    while (values && values[count].key)
        count++;
    home_write(home, "knock.conf", conf, 0600);
    return profile_load(home->path, name, values, count, out);
}

static void reads_profiles(void **state)
{
    (void)state;
    struct home home;
    struct profile p;
    char expected[64];
    home_make(&home);
    assert_true(load(&home, text, "home", NULL, &p));
    snprintf(expected, sizeof(expected), "%s/home.key", home.dir);
    assert_string_equal(p.key, expected); /* beside knock.conf */
    assert_string_equal(p.name, "home");
    assert_int_equal(p.carrier, PACKETS_TCP);
    assert_int_equal(p.delay_ms, 7);
    assert_int_equal(p.port, 22);
    assert_true(p.ask_port == PROFILE_UNSET);
    assert_int_equal(p.retries, 3);
    assert_int_equal(p.span, 20000);
    assert_int_equal(p.packet_port, 32287);
    assert_int_equal(p.family, AF_UNSPEC);
    assert_int_equal(p.bind, BIND_AUTO);
    profile_free(&p);
    assert_true(load(&home, text, "all", NULL, &p));
    snprintf(expected, sizeof(expected), "%s/keys/a", home.dir);
    assert_string_equal(p.key, expected); /* HOME is the same here */
    assert_int_equal(p.carrier, PACKETS_UDP);
    assert_int_equal(p.ask_port, 0);
    assert_int_equal(p.seconds / 1000000000, 7200);
    assert_int_equal(p.timeout / 1000000000, 30);
    assert_int_equal(p.retries, 5);
    assert_int_equal(p.delay_ms, 0);
    assert_int_equal(p.family, AF_INET6);
    assert_int_equal(p.bind, BIND_ADDRESS);
    assert_int_equal(p.bind_address.family, 4);
    assert_int_equal(p.open_for.family, 6);
    assert_int_equal(p.span, 15000);
    assert_int_equal(p.packet_port, 443);
    profile_free(&p);
    assert_true(load(&home, text, "away", NULL, &p));
    assert_int_equal(p.bind, BIND_STUN);
    assert_string_equal(p.stun, "[2001:db8::1]:9");
    assert_string_equal(p.address_command, "a 'b c;d'");
    assert_true(p.unbound);
    profile_free(&p);
    assert_true(load(&home, text, "plain", NULL, &p));
    assert_int_equal(p.sequence.count, 3);
    assert_null(p.key);
    profile_free(&p);
    assert_true(load(&home, text, "string", NULL, &p));
    assert_int_equal(p.sequence.count, 2);
    profile_free(&p);
    assert_true(load(&home, text, "once", NULL, &p));
    assert_string_equal(p.once, "/abs/once");
    profile_free(&p);
    home_remove(&home);
}

static void options_come_first(void **state)
{
    (void)state;
    struct home home;
    struct profile p;
    const struct profile_value values[] = {{"carrier", "packet"}, {"bind", "any"}, {"span", "1000"},
                                           {"family", "4"},       {"port", "0"},   {NULL, NULL}};
    const struct profile_value once[] = {{"once", "dir/x"}, {NULL, NULL}};
    const struct profile_value key[] = {{"key", "k"}, {"host", "h"}, {"door", "ssh"}, {NULL, NULL}};
    home_make(&home);
    assert_true(load(&home, text, "home", values, &p));
    assert_int_equal(p.carrier, PACKETS_ONE);
    assert_int_equal(p.bind, BIND_ANY);
    assert_int_equal(p.packet_port, 1000 + 12287);
    assert_int_equal(p.family, AF_INET);
    assert_int_equal(p.port, 0);
    profile_free(&p);
    assert_true(load(&home, text, "home", once, &p)); /* instead of the key */
    assert_null(p.key);
    assert_string_equal(p.once, "dir/x"); /* where the client was called */
    profile_free(&p);
    assert_true(load(&home, text, NULL, key, &p));
    assert_string_equal(p.key, "k");
    assert_int_equal(p.carrier, PACKETS_UDP); /* of no profile */
    profile_free(&p);
    home_remove(&home);
}

/* "profile p { ... }" and what is said of it. */
static const struct {
    const char *body, *said;
} wrong[] = {
    {"door = d key = k", "p: host is missing"},
    {"host = h", "p: expected one of key, sequence and once"},
    {"host = h key = k door = d sequence = 1", "p: expected one of"},
    {"host = h key = k door = d once = x", "p: expected one of"},
    {"host = h key = k", "p: door is missing"},
    {"host = h sequence = 1 carrier = udp", "p: carrier is about sealed knocks"},
    {"host = h sequence = 1 unbound = yes", "p: unbound is about sealed knocks"},
    {"host = h sequence = 1 stun = s", "p: stun is about sealed knocks"},
    {"host = h sequence = 1 address_command = s", "p: address_command is about sealed knocks"},
    {"host = h key = k door = d bind = stun", "p: bind = stun needs stun = HOST[:PORT]"},
    {"host = h key = k door = d bind = command", "p: bind = command needs an address_command"},
    {"host = h key = k door = d stun = \"s:0\"",
     "knock.conf:1: stun: \"s:0\" won't do: expected HOST"},
    {"host = h key = k door = d unbound = maybe", "knock.conf:1: unbound: "},
    {"host = h key = k door = d address_command = \"\"", "address_command: the command is empty"},
    {"host = h key = k door = d address_command = \"a 'b\"",
     "address_command: the quote ' isn't closed"},
    {"host = h key = k door = d address_command = \"a | b\"",
     "address_command: \"|\" is shell syntax, but no shell runs this: write /bin/sh -c '...',"},
    {"host = h sequence = 1 packet_port = 53", "p: packet_port is about sealed knocks"},
    {"host = h once = x door = d", "p: door is about sealed knocks"},
    {"host = h key = k door = d for = 192.0.2.1 carrier = tcp", "doesn't fit the carrier tcp"},
    {"host = h key = k door = d for = 224.0.0.1", "p: for: expected the address of a host"},
    {"host = h key = k door = d for = \"::\"", "p: for: expected the address of a host"},
    {"host = h key = k door = d for = name", "knock.conf:1: for: \"name\" is no address"},
    {"host = h key = k door = d carrier = pigeon", "knock.conf:1: carrier: \"pigeon\""},
    {"host = h key = k door = d bind = eth0", "knock.conf:1: bind: \"eth0\" won't do"},
    {"host = h key = k door = d bind = {any, auto}", "bind takes one value"},
    {"host = h key = k door = d family = 5", "knock.conf:1: family: \"5\""},
    {"host = h key = k door = d port = 65536", "knock.conf:1: port: "},
    {"host = h key = k door = d span = 20481", "knock.conf:1: span: "},
    {"host = h key = k door = d span = 0", "knock.conf:1: span: "},
    {"host = h key = k door = d seconds = 65536", "knock.conf:1: seconds: "},
    {"host = h key = k door = d timeout = 0", "knock.conf:1: timeout: "},
    {"host = h key = k door = d delay = 1s", "knock.conf:1: delay: "},
    {"host = h key = k door = d key = \"\"", "key"},
    {"host = \"\" key = k door = d", "knock.conf:1: host: expected 1 to 255 characters"},
    {"host = h sequence = {7000, x}", "knock.conf:1: sequence: \"x\": "},
    {"host = h key = k door = d colour = 1", "colour"},
    {"host = h key = k", "door is missing"},
    {"host = h key = k door = d", NULL},
};

static void refuses_profiles(void **state)
{
    (void)state;
    struct home home;
    home_make(&home);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct profile p;
        char conf[256];
        snprintf(conf, sizeof(conf), "profile \"p\" { %s }", wrong[i].body);
        home_listen(&home);
        bool good = load(&home, conf, "p", NULL, &p);
        const char *said = home_said(&home);
        profile_free(&p);
        if (good != !wrong[i].said || (wrong[i].said && !strstr(said, wrong[i].said)))
            fail_msg("\"%s\": said \"%s\"", wrong[i].body, said);
    }
    home_remove(&home);
}

static void refuses_files(void **state)
{
    (void)state;
    static const struct {
        const char *conf, *name, *said;
        mode_t mode;
    } rows[] = {
        {text, "home", "others than its owner may use the profiles (mode 0644): chmod 600 the file",
         0644},
        {text, "home", "(mode 0620)", 0620},
        {text, "nowhere", "there is no profile \"nowhere\" in ", 0600},
        {text, "nowhere", "knock nowhere PORT[:PROTO]...", 0600},
        {"", "home", "there is no profile \"home\" in ", 0600},
        {"profile \"home\" { host = h", "home", "never closed", 0600},
        {"host = h\n", "home", "host", 0600},
        {"include(\"other\")", "home", "others than its owner may use the profiles (mode 0666)",
         0600},
    };
    struct home home;
    struct profile p;
    home_make(&home);
    home_write(&home, "other", text, 0666);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        home_write(&home, "knock.conf", rows[i].conf, rows[i].mode);
        home_listen(&home);
        bool good = profile_load(home.path, rows[i].name, NULL, 0, &p);
        const char *said = home_said(&home);
        profile_free(&p);
        if (good || !strstr(said, rows[i].said))
            fail_msg("row %zu: said \"%s\"", i, said);
    }
    home_listen(&home);
    assert_false(profile_load("/tmp/none/knock.conf", "home", NULL, 0, &p));
    assert_non_null(strstr(home_said(&home), "no profile \"home\" in /tmp/none/knock.conf"));
    profile_free(&p);
    home_remove(&home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_profiles),
        cmocka_unit_test(options_come_first),
        cmocka_unit_test(refuses_profiles),
        cmocka_unit_test(refuses_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
