/* Steps, sequences and flags: what is read, what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/sequence.h"

static void steps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned port, proto; /* port 0: refused */
        const char *why;
    } rows[] = {
        {"7000", 7000, IPPROTO_TCP, ""},
        {"1", 1, IPPROTO_TCP, ""},
        {"65535", 65535, IPPROTO_TCP, ""},
        {"00022", 22, IPPROTO_TCP, ""},
        {"7000:tcp", 7000, IPPROTO_TCP, ""},
        {"7000:udp", 7000, IPPROTO_UDP, ""},
        {"7000:UDP", 7000, IPPROTO_UDP, ""},
        {"7000:Tcp", 7000, IPPROTO_TCP, ""},
        {"", 0, 0, "port from 1 to 65535"},
        {"0", 0, 0, "port from 1 to 65535"},
        {"65536", 0, 0, "port from 1 to 65535"},
        {"99999", 0, 0, "port from 1 to 65535"},
        {"4294967318", 0, 0, "port from 1 to 65535"},
        {"000022", 0, 0, "port from 1 to 65535"},
        {"-1", 0, 0, "port from 1 to 65535"},
        {"+22", 0, 0, "port from 1 to 65535"},
        {" 22", 0, 0, "port from 1 to 65535"},
        {"22 ", 0, 0, "port from 1 to 65535"},
        {"0x16", 0, 0, "port from 1 to 65535"},
        {"ssh", 0, 0, "port from 1 to 65535"},
        {":udp", 0, 0, "port from 1 to 65535"},
        {"22:", 0, 0, "tcp or udp"},
        {"22:icmp", 0, 0, "tcp or udp"},
        {"22:tcp ", 0, 0, "tcp or udp"},
        {"22:udp:tcp", 0, 0, "tcp or udp"},
        {"22:udplite", 0, 0, "tcp or udp"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct port_proto step = {.port = 9, .proto = 9};
        const char *why = "";
        if (rows[i].port) {
            assert_true(port_proto_parse(rows[i].text, &step, &why));
            assert_int_equal(step.port, rows[i].port);
            assert_int_equal(step.proto, rows[i].proto);
        } else {
            assert_false(port_proto_parse(rows[i].text, &step, &why));
            assert_int_equal(step.port, 9);
            if (!strstr(why, rows[i].why))
                fail_msg("'%s': %s", rows[i].text, why);
        }
    }
}

static void write_sequence(const struct sequence *seq, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < seq->count; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%u:%s", i ? "," : "",
                                 seq->steps[i].port, proto_name(seq->steps[i].proto));
}

static void sequences(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read; /* read NULL: refused */
    } rows[] = {
        {"7000", "7000:tcp"},
        {"7000,8000:udp,9000", "7000:tcp,8000:udp,9000:tcp"},
        {" 7000 ,\t8000:udp , 9000 ", "7000:tcp,8000:udp,9000:tcp"},
        {"7000,7000,7000", "7000:tcp,7000:tcp,7000:tcp"},
        {"", NULL},
        {" ", NULL},
        {",", NULL},
        {"7000,,8000", NULL},
        {",7000", NULL},
        {"7000;8000", NULL},
        {"7000 8000", NULL},
        {"7000,8000:", NULL},
        {"7000,00000000000000000000008000", NULL},
        {"7000:tcp                  x", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sequence seq = {0};
        char text[512];
        const char *why = NULL;
        bool ok = sequence_append(&seq, rows[i].text, &why);
        if (ok != (rows[i].read != NULL))
            fail_msg("'%s' was %s", rows[i].text, ok ? "taken" : "refused");
        write_sequence(&seq, text, sizeof(text));
        if (ok)
            assert_string_equal(text, rows[i].read);
        else
            assert_non_null(why);
    }
}

/* "7000," names a step that isn't there: a slip of the pen, not a sequence of one. */
static void a_comma_wants_a_step_behind_it(void **state)
{
    (void)state;
    struct sequence seq = {0};
    const char *why = NULL;
    assert_false(sequence_append(&seq, "7000,", &why));
    struct flag_match match;
    assert_false(flags_parse("syn,", &match, &why));
}

static void a_sequence_has_32_steps(void **state)
{
    (void)state;
    struct sequence seq = {0};
    const char *why = NULL;
    for (unsigned i = 0; i < STEPS_MAX / 2; i++)
        assert_true(sequence_append(&seq, "7000,8000:udp", &why));
    assert_int_equal(seq.count, STEPS_MAX);
    assert_false(sequence_append(&seq, "9000", &why));
    assert_non_null(strstr(why, "32"));
    assert_int_equal(seq.count, STEPS_MAX);
    assert_int_equal(seq.steps[STEPS_MAX - 1].port, 8000);
}

static void flags(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int set, clear; /* set -1: refused */
        const char *why;
    } rows[] = {
        {"any", 0, 0, ""},
        {"ANY", 0, 0, ""},
        {"syn", TCP_SYN, 0, ""},
        {"syn,!ack", TCP_SYN, TCP_ACK, ""},
        {" SYN , !Ack ", TCP_SYN, TCP_ACK, ""},
        {"!fin,!syn,!rst,!psh,!ack,!urg,!ece,!cwr", 0, 0xff, ""},
        {"fin,syn,rst,psh,ack,urg,ece,cwr", 0xff, 0, ""},
        {"syn,syn", TCP_SYN, 0, ""},
        {"", -1, 0, "expected flags"},
        {"!", -1, 0, "expected flags"},
        {"syn,,ack", -1, 0, "expected flags"},
        {"syn ack", -1, 0, "expected flags"},
        {"! syn", -1, 0, "expected flags"},
        {"!!syn", -1, 0, "expected flags"},
        {"any,syn", -1, 0, "expected flags"},
        {"synack", -1, 0, "expected flags"},
        {"syn,aaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1, 0, "expected flags"},
        {"syn,!syn", -1, 0, "no packet can match"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct flag_match match = {.set = 0x55, .clear = 0xaa};
        const char *why = "";
        bool ok = flags_parse(rows[i].text, &match, &why);
        if (ok != (rows[i].set >= 0))
            fail_msg("'%s' was %s", rows[i].text, ok ? "taken" : "refused");
        assert_int_equal(match.set, ok ? rows[i].set : 0x55);
        assert_int_equal(match.clear, ok ? rows[i].clear : 0xaa);
        if (!ok && !strstr(why, rows[i].why))
            fail_msg("'%s': %s", rows[i].text, why);
    }
}

static void flags_of_packets(void **state)
{
    (void)state;
    static const struct {
        struct flag_match want;
        uint8_t flags;
        bool match;
    } rows[] = {
        {{TCP_SYN, TCP_ACK}, TCP_SYN, true},
        {{TCP_SYN, TCP_ACK}, TCP_SYN | TCP_ECE | TCP_CWR, true},
        {{TCP_SYN, TCP_ACK}, TCP_SYN | TCP_ACK, false},
        {{TCP_SYN, TCP_ACK}, TCP_ACK, false},
        {{TCP_SYN, TCP_ACK}, 0, false},
        {{TCP_FIN | TCP_URG, 0}, TCP_FIN, false},
        {{TCP_FIN | TCP_URG, 0}, TCP_FIN | TCP_URG | TCP_PSH, true},
        {{0, 0xff}, 0, true},
        {{0, 0}, 0, true},
        {{0, 0}, 0xff, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(flags_match(rows[i].want, rows[i].flags), rows[i].match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(sequences),
        cmocka_unit_test(a_comma_wants_a_step_behind_it),
        cmocka_unit_test(a_sequence_has_32_steps),
        cmocka_unit_test(flags),
        cmocka_unit_test(flags_of_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
