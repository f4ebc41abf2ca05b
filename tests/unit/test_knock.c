/* PORT[:PROTO] arguments of the client: what is read, what is refused and why; how a knock is
 * named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "knock/port_argument.h"
#include "knock/target.h"

/* Services of our own: /etc/services may be missing where this runs. */
static uint16_t service(const char *name, uint8_t proto)
{
    if (strcmp(name, "both") == 0)
        return proto == IPPROTO_UDP ? 5001 : 5000;
    if (strcmp(name, "9only-tcp") == 0)
        return proto == IPPROTO_TCP ? 9 : 0;
    return 0;
}

static void reads_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t proto; /* the default */
        struct port_proto step;
    } rows[] = {
        {"1", IPPROTO_TCP, {1, IPPROTO_TCP}},
        {"65535", IPPROTO_TCP, {65535, IPPROTO_TCP}},
        {"7000", IPPROTO_UDP, {7000, IPPROTO_UDP}},
        {"7000:tcp", IPPROTO_UDP, {7000, IPPROTO_TCP}},
        {"7000:udp", IPPROTO_TCP, {7000, IPPROTO_UDP}},
        {"7000:UdP", IPPROTO_TCP, {7000, IPPROTO_UDP}},
        {"7000:TCP", IPPROTO_UDP, {7000, IPPROTO_TCP}},
        {"both", IPPROTO_TCP, {5000, IPPROTO_TCP}},
        {"both", IPPROTO_UDP, {5001, IPPROTO_UDP}},
        {"both:udp", IPPROTO_TCP, {5001, IPPROTO_UDP}},
        {"9only-tcp:Tcp", IPPROTO_UDP, {9, IPPROTO_TCP}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct port_proto step = {0};
        const char *why = "";
        if (!knock_port_parse(rows[i].text, rows[i].proto, service, &step, &why))
            fail_msg("\"%s\" refused: %s", rows[i].text, why);
        assert_int_equal(step.port, rows[i].step.port);
        assert_int_equal(step.proto, rows[i].step.proto);
    }
}

static void refuses_what_is_no_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* a part of the reason */
    } rows[] = {
        {"", "port from 1"},
        {"0", "port from 1"},
        {"65536", "port from 1"},
        {"70000:udp", "port from 1"},
        {"4294967297", "port from 1"},
        {":tcp", "port from 1"},
        {"-1", "no such TCP service"},
        {"+7000", "no such TCP service"},
        {"7000 ", "no such TCP service"},
        {"0x10", "no such TCP service"},
        {"7000,8000", "an argument of its own"},
        {"7000:tcp,8000:udp", "an argument of its own"},
        {"nonesuch", "no such TCP service"},
        {"nonesuch:UDP", "no such UDP service"},
        {"9only-tcp:udp", "no such UDP service"},
        {"7000:", "after the colon"},
        {"7000:sctp", "after the colon"},
        {"7000:tcp:udp", "after the colon"},
        {"7000: udp", "after the colon"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct port_proto step = {.port = 99};
        const char *why = "";
        if (knock_port_parse(rows[i].text, IPPROTO_TCP, service, &step, &why))
            fail_msg("\"%s\" taken for port %d", rows[i].text, step.port);
        if (!strstr(why, rows[i].why))
            fail_msg("\"%s\" refused with: %s", rows[i].text, why);
        assert_int_equal(step.port, 99);
    }
}

/* Longer than any buffer: neither cut to something valid nor written past the end. */
static void refuses_long_names(void **state)
{
    (void)state;
    char text[1024];
    struct port_proto step;
    const char *why = "";
    memset(text, '0', sizeof(text));
    memcpy(text + sizeof(text) - 5, "7000", 5);
    assert_false(knock_port_parse(text, IPPROTO_TCP, service, &step, &why));
    assert_non_null(strstr(why, "port from 1"));
    memset(text, 'x', sizeof(text) - 5);
    assert_false(knock_port_parse(text, IPPROTO_TCP, service, &step, &why));
    assert_non_null(strstr(why, "no such TCP service"));
}

static void resolves_and_names_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int family;
        struct port_proto step;
        const char *point; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", AF_UNSPEC, {7000, IPPROTO_TCP}, "tcp 192.0.2.1:7000"},
        {"192.0.2.1", AF_INET, {65535, IPPROTO_UDP}, "udp 192.0.2.1:65535"},
        {"2001:0db8::0001", AF_UNSPEC, {1, IPPROTO_UDP}, "udp [2001:db8::1]:1"},
        {"2001:db8::1", AF_INET6, {7000, IPPROTO_TCP}, "tcp [2001:db8::1]:7000"},
        {"fe80::1%lo", AF_INET6, {7000, IPPROTO_TCP}, "tcp [fe80::1%lo]:7000"},
        {"192.0.2.1", AF_INET6, {1, IPPROTO_TCP}, NULL},
        {"2001:db8::1", AF_INET, {1, IPPROTO_TCP}, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct knock_target target;
        char point[KNOCK_POINT_SIZE];
        const char *why = NULL;
        bool found = knock_target_resolve(rows[i].host, rows[i].family, &target, &why);
        assert_int_equal(found, rows[i].point != NULL);
        if (!found) {
            assert_non_null(why);
            continue;
        }
        assert_false(target.named);
        assert_string_equal(knock_target_point(&target, rows[i].step, point), rows[i].point);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ports),
        cmocka_unit_test(refuses_what_is_no_port),
        cmocka_unit_test(refuses_long_names),
        cmocka_unit_test(resolves_and_names_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
