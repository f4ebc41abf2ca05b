/* The configuration of sealed knocks: the section `sealed`, and what doors say of them. */
#include "config_help.h"

#include <netinet/in.h>

#include "lib/carrier.h"

#define RULE_LINE    " rule = \"INPUT -s %IP% -j ACCEPT\" "
#define KEYED(more)  SOURCE "door d { key = alice" RULE_LINE "\n" more " }\n"
#define SEALED(more) KEYED("") "sealed {\n" more " }\n"
#define BOTH(sealed)                                                                               \
    SOURCE "door d { sequence = { 9000, 7000, 8000 } key = alice" RULE_LINE "}\n"                  \
           "sealed {" sealed "}\n"
#define SECOND INT64_C(1000000000)

static struct config *good(struct told *told, const char *text)
{
    struct config *c = load_text(told, text);
    assert_string_equal(told->lines, "");
    assert_non_null(c);
    return c;
}

static void reads_every_key(void **state)
{
    (void)state;
    struct told told;
    begin(&told);
    struct config *c =
        good(&told, SOURCE
             "sealed { span = 10000 max_skew = 5m server = 'gate.example' packet_port = 443 }\n"
             "door web { key = { alice, bob-2 } port = 80 ports = { 443, 8443:udp }" RULE_LINE
             "cmd_timeout = 20 max_timeout = 2h bound = no for = yes }\n");
    assert_int_equal(c->sealed.span, 10000);
    assert_int_equal(c->sealed.span_configured, 10000);
    assert_int_equal(c->sealed.packet_port, 443);
    assert_int_equal(c->sealed.pos.line, 2);
    assert_true(c->sealed.max_skew == 300 * SECOND);
    assert_string_equal(c->sealed.server, "gate.example");
    assert_true(c->sealed.server_given);
    const struct config_door *d = &c->doors[0];
    assert_int_equal(d->keys.count, 2);
    assert_string_equal(d->keys.items[0].text, "alice");
    assert_string_equal(d->keys.items[1].text, "bob-2");
    assert_int_equal(d->keys.items[1].pos.line, 3);
    assert_int_equal(d->port_count, 2);
    assert_int_equal(d->ports[1].port, 8443);
    assert_int_equal(d->ports[1].proto, IPPROTO_UDP);
    assert_true(d->max_timeout == 7200 * SECOND);
    assert_false(d->bound);
    assert_true(d->for_others);
    /* What the door opens is never a stray. */
    assert_int_equal(d->ignore_count, 3);
    assert_int_equal(config_own_port(d).port, 80);
    config_free(c);
    end(&told);
}

static void fills_in_defaults(void **state)
{
    (void)state;
    struct told told;
    char host[65] = "";
    begin(&told);
    gethostname(host, sizeof(host) - 1);
    struct config *c = good(&told, SOURCE "door d { key = alice ports = { 443, 80 }" RULE_LINE "}");
    assert_int_equal(c->sealed.span, CARRIER_SPAN_DEFAULT);
    assert_int_equal(c->sealed.packet_port, CARRIER_SPAN_DEFAULT + 12287);
    assert_true(c->sealed.max_skew == 120 * SECOND);
    assert_string_equal(c->sealed.server, host);
    assert_false(c->sealed.server_given);
    assert_true(c->doors[0].bound);
    assert_false(c->doors[0].for_others);
    assert_true(c->doors[0].max_timeout == 0);
    assert_int_equal(config_own_port(&c->doors[0]).port, 443);
    config_free(c);
    /* Without a keyed door nobody listens for sealed knocks, whatever else is said of them. */
    c = good(&told, SOURCE DOOR "sealed { span = 6000 }\n");
    assert_int_equal(c->sealed.span, 0);
    assert_int_equal(c->sealed.span_configured, 6000);
    assert_int_equal(config_own_port(&c->doors[0]).port, 0);
    config_free(c);
    end(&told);
}

static void refuses_what_cant_work(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {SEALED("span = 20480"), ""},
        {SEALED("span = 20481"), "5: span: \"20481\" won't do: expected a number from 1 to 20480"},
        {SEALED("span = 0"), "5: span"},
        {SEALED("max_skew = 600"), ""},
        {SEALED("max_skew = 601"), "5: max_skew: \"601\" won't do: expected a time from 1s to 10m"},
        {SEALED("server = ''"), "5: server: \"\" won't do"},
        {SEALED("server = 'a b'"), "5: server: \"a b\" won't do: expected 1 to 64 characters"},
        {SEALED("server = 'a\"b'"), "5: server"},
        {SEALED("server = 'gate/../x'"), "5: server: \"gate/../x\" won't do"},
        {SEALED("server = 12345678901234567890123456789012345678901234567890123456789012345"),
         "5: server"},
        {SEALED("packet_port = 65536"), "5: packet_port: \"65536\" won't do"},
        {SEALED("packet_port = 20010"), "4: packet_port: 20010 carries pieces of sealed knocks"},
        {SEALED("packet_port = 24352"), ""},
        {SEALED("retries = 3"), "5: unknown key \"retries\" in section sealed"},
        {KEYED("key = { '../x' }"), "3: key"},
        {SOURCE "door d { key = '../x'" RULE_LINE "}", "2: key: \"../x\" is no name for a key"},
        {SOURCE "door d { key = '-x'" RULE_LINE "}", "2: key: \"-x\" is no name for a key"},
        {SOURCE "door d { key = sequence" RULE_LINE "}", "2: neither sequence nor knockctl"},
        {SOURCE "door d { key = { a,\n'' }" RULE_LINE "}", "3: key: \"\" is no name"},
        {SOURCE "door d { key = {}" RULE_LINE "}",
         "2: warning: key: the list is empty, so no sealed knock opens this door"},
        {KEYED("ports = { 443, x }"), "3: ports: \"x\" won't do"},
        {KEYED("ports = { 443, 443:udp }"), "2: port 443 stands twice in ports"},
        {KEYED("port = 443:udp ports = { 443 }"), "2: port 443 stands twice in ports"},
        {KEYED("port = 443 ports = { 443, 80 }"), ""},
        {KEYED("max_timeout = 9"), "2: door \"d\": max_timeout is shorter than cmd_timeout"},
        {KEYED("max_timeout = 10"), ""},
        {KEYED("max_timeout = 31d"), "3: max_timeout"},
        {KEYED("port = 20000"),
         "2: door \"d\": 20000:tcp carries sealed knocks, from port 20000 on"},
        {KEYED("port = 32287:udp"), "2: door \"d\": 32287:udp carries sealed knocks"},
        {KEYED("ports = { 80, 32287 }"), "2: door \"d\": 32287:tcp carries sealed knocks"},
        {KEYED("ports = { 19999, 32288 }"), ""},
        {SOURCE DOOR "door e { key = a port = 1" RULE_LINE "}", ""},
        {SOURCE DOOR "door e { key = a" RULE_LINE
                     "}\ndoor f { sequence = { 90, 70, 20000 }" RULE_LINE "}",
         "4: door \"f\": 20000:tcp carries sealed knocks"},
        {BOTH(""), ""},
        {BOTH("span = 8001"), "2: door \"d\": 9000:tcp carries sealed knocks, from port 8001 on"},
        {BOTH("span = 9001"), ""},
        {BOTH("packet_port = 7000"), ""}, /* the step is TCP */
        {SOURCE "door d { sequence = { 9000, '443:udp', 8000 } key = alice" RULE_LINE
                "}\nsealed { packet_port = 443 }\n",
         "2: door \"d\": 443:udp is the packet_port, so no sequence can use it"},
        {SOURCE "door door2038 { key = a" RULE_LINE "}\ndoor door3192 { key = a" RULE_LINE "}\n",
         "3: door \"door3192\": sealed knocks can't tell its name from \"door2038\""},
        {SOURCE "door door2038 { key = a" RULE_LINE
                "}\ndoor door3192 { sequence = { 90, 70, 80 }" RULE_LINE "}\n",
         ""},
        {SOURCE "door d { sequence = { 90, 70, 80 } max_timeout = 30" RULE_LINE "}",
         "2: warning: door \"d\": max_timeout is about sealed knocks"},
        {SOURCE "door d { sequence = { 90, 70, 20000 }" RULE_LINE "}", ""},
    };
    assert_rows(rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(fills_in_defaults),
        cmocka_unit_test(refuses_what_cant_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
