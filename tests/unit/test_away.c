/* What tells the client its public address: how a STUN server is written, and address_command,
 * which no shell runs. */
#include "knock_help.h"

#include "knock/address_command.h"
#include "knock/nat.h"
#include "lib/clock.h"
#include "lib/host_port.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* host: NULL where the text won't do. */
static const struct {
    const char *text, *host;
    unsigned port; /* 3478: not said */
} servers[] = {
    {"stun.example", "stun.example", 3478},
    {"stun.example:5349", "stun.example", 5349},
    {"192.0.2.1", "192.0.2.1", 3478},
    {"192.0.2.1:1", "192.0.2.1", 1},
    {"2001:db8::1", "2001:db8::1", 3478},
    {"[2001:db8::1]", "2001:db8::1", 3478},
    {"[2001:db8::1]:65535", "2001:db8::1", 65535},
    {"::1", "::1", 3478},
    {"", NULL, 0},
    {":3478", NULL, 0},
    {"[]", NULL, 0},
    {"[]:3478", NULL, 0},
    {"[2001:db8::1", NULL, 0},
    {"[2001:db8::1]3478", NULL, 0},
    {"[2001:db8::1]:", NULL, 0},
    {"stun.example:", NULL, 0},
    {"stun.example:0", NULL, 0},
    {"stun.example:65536", NULL, 0},
    {"stun.example:003478", NULL, 0},
    {"stun.example:+1", NULL, 0},
    {"stun.example:3478x", NULL, 0},
    {"stun.example:stun", NULL, 0},
};

static void reads_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(servers); i++) {
        char host[HOST_PORT_MAX + 1];
        uint16_t port = 3478;
        bool good = host_port_parse(servers[i].text, host, &port);
        if (good != (servers[i].host != NULL) ||
            (good && (strcmp(host, servers[i].host) != 0 || port != servers[i].port)))
            fail_msg("\"%s\": %d \"%s\" %u", servers[i].text, good, good ? host : "", port);
    }
}

static void takes_hosts_up_to_the_limit(void **state)
{
    (void)state;
    char text[HOST_PORT_MAX + 8], host[HOST_PORT_MAX + 1];
    uint16_t port = 1;
    memset(text, 'a', sizeof(text));
    strcpy(text + HOST_PORT_MAX, ":80");
    assert_true(host_port_parse(text, host, &port));
    assert_int_equal(strlen(host), HOST_PORT_MAX);
    assert_int_equal(port, 80);
    memset(text, 'a', sizeof(text));
    strcpy(text + HOST_PORT_MAX + 1, ":80");
    assert_false(host_port_parse(text, host, &port));
}

/* Much output is read, and only its begin is looked at. */
static void runs_commands(void **state)
{
    (void)state;
    struct addr address;
    char text[ADDR_TEXT_SIZE];
    int64_t until = clock_now() + 20 * CLOCK_SECOND;
    assert_true(address_command_ask("printf '2001:db8::9\\r\\nmore\\n'", until, &address));
    assert_string_equal(addr_format(&address, text), "2001:db8::9");
    assert_true(address_command_ask("printf '192.0.2.7\\n%200000d' 1", until, &address));
    assert_string_equal(addr_format(&address, text), "192.0.2.7");
    assert_true(address_command_ask("printf 192.0.2.8", until, &address));
    assert_string_equal(addr_format(&address, text), "192.0.2.8");
}

/* One that goes on behind a closed output is ended, and so is what it started. */
static void ends_commands(void **state)
{
    (void)state;
    struct home home;
    struct addr address;
    int64_t began = clock_now();
    home_make(&home);
    home_listen(&home);
    bool told =
        address_command_ask("sh -c 'echo 192.0.2.7; sleep 90 & exec sleep 90 >/dev/null 2>&1'",
                            clock_now() + CLOCK_SECOND, &address);
    const char *said = home_said(&home);
    assert_false(told);
    assert_non_null(strstr(said, "did not end within 1 s, and was killed; nothing was sent"));
    assert_true(clock_now() - began < 20 * CLOCK_SECOND);
    home_remove(&home);
}

static void knows_the_family_that_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        unsigned family;
    } rows[] = {{"192.0.2.1", 4},
                {"2001:db8::1", 6},
                {"64:ff9b::cb00:7101", 4},
                {"64:ff9b:1::cb00:1", 4},
                {"64:ff9c::cb00:7101", 6}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr target;
        assert_true(addr_parse(rows[i].target, strlen(rows[i].target), &target));
        assert_int_equal(nat_seen_family(&target), rows[i].family);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_servers),
        cmocka_unit_test(takes_hosts_up_to_the_limit),
        cmocka_unit_test(runs_commands),
        cmocka_unit_test(ends_commands),
        cmocka_unit_test(knows_the_family_that_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
