/* Addresses and networks: what is read, what is refused, how it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/addr_scope.h"

static void reads_and_writes_canonically(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } good[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"2001:db8::1", "2001:db8::1"},
        {"::", "::"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct addr a;
        char text[ADDR_TEXT_SIZE];
        assert_true(addr_parse(good[i].text, strlen(good[i].text), &a));
        assert_string_equal(addr_format(&a, text), good[i].canonical);
    }
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.",
        "1..2.3",
        "1.2.3.-4",
        "1234.1.1.1",
        "2001:db8::1::",
        ":::",
        "fe80::1%eth0",
        "12345::1",
        "localhost.",
        "2001:0db8:0000:0000:0000:0000:0000:0001:0000:0000:0000",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct addr a = {.family = 99};
        assert_false(addr_parse(bad[i], strlen(bad[i]), &a));
        assert_int_equal(a.family, 99);
    }
    struct addr a;
    assert_false(addr_parse("::1\0", 4, &a));
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *net, *inside, *outside;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.128/25", "192.0.2.129", "192.0.2.127"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.8"},
        {"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"::/0", "::1", "192.0.2.1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct net net;
        struct addr in, out;
        assert_true(net_parse(rows[i].net, &net));
        assert_true(addr_parse(rows[i].inside, strlen(rows[i].inside), &in));
        assert_true(addr_parse(rows[i].outside, strlen(rows[i].outside), &out));
        assert_true(net_contains(&net, &in));
        assert_false(net_contains(&net, &out));
    }
}

static void refuses_what_is_no_network(void **state)
{
    (void)state;
    static const char *const bad[] = {"192.0.2.1/24",   "192.0.2.0/33", "192.0.2.0/",
                                      "192.0.2.0/-1",   "192.0.2.0/ 8", "2001:db8::1/32",
                                      "2001:db8::/129", "/8",           "10/8",
                                      "192.0.2.0/24x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct net net;
        assert_false(net_parse(bad[i], &net));
    }
}

static void nobodies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int group, unspecified;
    } rows[] = {{"224.0.0.1", 1, 0}, {"255.255.255.255", 1, 0},
                {"ff02::1", 1, 0},   {"0.0.0.0", 0, 1},
                {"::", 0, 1},        {"192.0.2.1", 0, 0},
                {"fe80::1", 0, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct addr a;
        assert_true(addr_parse(rows[i].text, strlen(rows[i].text), &a));
        assert_int_equal(addr_is_group(&a), rows[i].group);
        assert_int_equal(addr_is_unspecified(&a), rows[i].unspecified);
    }
}

static void scopes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum addr_scope scope;
    } rows[] = {
        {"0.1.2.3", ADDR_SCOPE_NONE},
        {"1.0.0.0", ADDR_SCOPE_WORLD},
        {"10.255.255.255", ADDR_SCOPE_SITE},
        {"100.127.255.255", ADDR_SCOPE_SHARED},
        {"100.128.0.0", ADDR_SCOPE_WORLD},
        {"126.255.255.255", ADDR_SCOPE_WORLD},
        {"127.0.0.0", ADDR_SCOPE_HOST},
        {"127.255.255.255", ADDR_SCOPE_HOST},
        {"128.0.0.0", ADDR_SCOPE_WORLD},
        {"169.253.255.255", ADDR_SCOPE_WORLD},
        {"169.254.0.0", ADDR_SCOPE_LINK},
        {"169.255.0.0", ADDR_SCOPE_WORLD},
        {"172.32.0.0", ADDR_SCOPE_WORLD},
        {"192.0.2.1", ADDR_SCOPE_WORLD},
        {"192.88.99.1", ADDR_SCOPE_NONE},
        {"223.255.255.255", ADDR_SCOPE_WORLD},
        {"224.0.0.1", ADDR_SCOPE_NONE},
        {"239.255.255.255", ADDR_SCOPE_NONE},
        {"240.0.0.1", ADDR_SCOPE_NONE},
        {"255.255.255.255", ADDR_SCOPE_NONE},
        {"::", ADDR_SCOPE_NONE},
        {"::1", ADDR_SCOPE_HOST},
        {"::2", ADDR_SCOPE_NONE},
        {"::198.51.100.7", ADDR_SCOPE_NONE},
        {"::ffff:198.51.100.7", ADDR_SCOPE_NONE},
        {"::1:0:0:1", ADDR_SCOPE_WORLD},
        {"64:ff9b::198.51.100.7", ADDR_SCOPE_WORLD},
        {"64:ff9b::127.0.0.1", ADDR_SCOPE_NONE},
        {"64:ff9b::10.0.0.1", ADDR_SCOPE_NONE},
        {"64:ff9b::240.0.0.1", ADDR_SCOPE_NONE},
        {"64:ff9b:1::1", ADDR_SCOPE_SITE},
        {"100::1", ADDR_SCOPE_NONE},
        {"7f00::", ADDR_SCOPE_WORLD},
        {"2001:0:1:2:3:4:39cc:9bf8", ADDR_SCOPE_WORLD}, /* 198.51.100.7 inverted */
        {"2001:0:1:2:3:4:80ff:fffe", ADDR_SCOPE_NONE},  /* 127.0.0.1 inverted */
        {"2001:10::1", ADDR_SCOPE_NONE},
        {"2001:20::1", ADDR_SCOPE_NONE},
        {"2001:db8::1", ADDR_SCOPE_WORLD},
        {"2002:c633:6407::1", ADDR_SCOPE_WORLD},
        {"2002:7f00:1::1", ADDR_SCOPE_NONE},
        {"2002:e000:1::1", ADDR_SCOPE_NONE},
        {"5f00::1", ADDR_SCOPE_NONE},
        {"a9fe::", ADDR_SCOPE_WORLD},
        {"fd00::1", ADDR_SCOPE_SITE},
        {"fe7f::1", ADDR_SCOPE_WORLD},
        {"fe80::", ADDR_SCOPE_LINK},
        {"febf::1", ADDR_SCOPE_LINK},
        {"fec0::1", ADDR_SCOPE_NONE},
        {"ff02::1", ADDR_SCOPE_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct addr a;
        assert_true(addr_parse(rows[i].text, strlen(rows[i].text), &a));
        if (addr_scope(&a) != rows[i].scope)
            fail_msg("%s has scope %d", rows[i].text, addr_scope(&a));
    }
    assert_int_equal(addr_scope(&(struct addr){0}), ADDR_SCOPE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_canonically),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(networks),
        cmocka_unit_test(refuses_what_is_no_network),
        cmocka_unit_test(nobodies),
        cmocka_unit_test(scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
