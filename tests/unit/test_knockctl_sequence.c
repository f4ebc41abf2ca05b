/* Random sequences: what each of many must be like, and the tables of ports they avoid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knockctl/generate.h"

enum { RUNS = 10000 };

/* xorshift (Marsaglia 2003): repeatable from its seed. */
static uint32_t next(void *arg)
{
    uint32_t *x = arg;
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static uint32_t seed(void)
{
    const char *text = getenv("SEED");
    uint32_t value = text ? (uint32_t)strtoul(text, NULL, 10) : (uint32_t)time(NULL) | 1;
    print_message("# SEED=%u\n", value);
    return value;
}

static void check_ports(const struct sequence *seq, const struct port_set *taken)
{
    for (unsigned i = 0; i < seq->count; i++) {
        int port = seq->steps[i].port;
        assert_in_range(port, 1024, 19999);
        assert_false(port_set_has(taken, IPPROTO_TCP, (uint16_t)port));
        assert_false(port_set_has(taken, IPPROTO_UDP, (uint16_t)port));
        for (unsigned k = 0; k < i; k++)
            assert_true(abs(port - seq->steps[k].port) > 10);
    }
}

/* Returns how many steps are UDP. */
static unsigned check_mix(const struct sequence *seq)
{
    unsigned udp = 0, up = 0;
    for (unsigned i = 0; i < seq->count; i++)
        udp += seq->steps[i].proto == IPPROTO_UDP;
    for (unsigned i = 1; i < seq->count; i++)
        up += seq->steps[i].port > seq->steps[i - 1].port;
    assert_in_range(udp, 1, seq->count - 1);
    assert_in_range(up, 1, seq->count - 2);
    return udp;
}

static void sequences_are_good(void **state)
{
    (void)state;
    uint32_t x = seed();
    struct port_set taken = {0};
    struct sequence seq = {0};
    unsigned udp = 0, steps = 0, halves[2] = {0};
    port_set_add(&taken, IPPROTO_TCP, 2000, 2999);
    port_set_add(&taken, IPPROTO_UDP, 5000, 7999);
    for (unsigned run = 0; run < RUNS; run++) {
        unsigned count = 3 + run % 30;
        assert_true(generate_sequence(&taken, count, (struct random_source){next, &x}, &seq));
        assert_int_equal(seq.count, count);
        check_ports(&seq, &taken);
        udp += check_mix(&seq);
        steps += count;
        for (unsigned i = 0; i < count; i++)
            halves[seq.steps[i].port >= 12488]++;
    }
    /* 175000 steps: a third is UDP, and the free ports below and above 12488 (7464 and 7512) come
     * as often, within many standard deviations. */
    assert_in_range(udp, steps * 32 / 100, steps * 35 / 100);
    assert_in_range(halves[0], steps * 49 / 100, steps * 51 / 100);
}

/* A value of the uneven rest of 2^32 is drawn again, not folded onto the first ports. */
static uint32_t all_then_next(void *arg)
{
    uint32_t *calls = arg;
    (*calls)++;
    return *calls == 1 ? 0 : *calls * 2654435761u;
}

static void draws_without_bias(void **state)
{
    (void)state;
    struct port_set taken = {0};
    struct sequence seq = {0};
    uint32_t calls = 0;
    assert_true(generate_sequence(&taken, 3, (struct random_source){all_then_next, &calls}, &seq));
    assert_int_not_equal(seq.steps[0].port, GENERATE_FIRST);
}

static void too_few_ports_make_no_secret(void **state)
{
    (void)state;
    struct port_set taken = {0};
    struct sequence seq = {0};
    uint32_t x = 1;
    port_set_add(&taken, IPPROTO_TCP, 1024, 19999 - 4096);
    assert_true(generate_sequence(&taken, 32, (struct random_source){next, &x}, &seq));
    check_ports(&seq, &taken);
    port_set_add(&taken, IPPROTO_UDP, 19999, 19999);
    assert_false(generate_sequence(&taken, 5, (struct random_source){next, &x}, &seq));
}

static void prints_a_line_of_the_configuration(void **state)
{
    (void)state;
    struct sequence seq = {3, {{7000, IPPROTO_TCP}, {1024, IPPROTO_UDP}, {19999, IPPROTO_TCP}}};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    generate_print(out, &seq);
    fclose(out);
    assert_string_equal(text, "sequence = { \"7000:tcp\", \"1024:udp\", \"19999:tcp\" }\n");
    free(text);
}

static FILE *text_file(const char *text)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs(text, file);
    rewind(file);
    return file;
}

static void assert_ports(const struct port_set *set, uint8_t proto, const char *expected)
{
    char text[256] = "";
    uint16_t first, last;
    for (uint32_t from = 0; port_set_range(set, proto, from, &first, &last); from = last + 1u)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u-%u ", first, last);
    assert_string_equal(text, expected);
}

static void reads_the_kernels_sockets(void **state)
{
    (void)state;
    static const char tcp[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
        "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
        "  12: 010200C0:01BB 020200C0:9C40 01 00000000:00000000 00:00000000 00000000     0\n"
        "1234: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0\n"
        "1235: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 0:0\n"
        "half a line";
    struct port_set all = {0}, listening = {0};
    FILE *file = text_file(tcp);
    ports_add_sockets(&all, IPPROTO_TCP, file, SOCKETS_ALL);
    rewind(file);
    ports_add_sockets(&listening, IPPROTO_TCP, file, SOCKETS_LISTENING);
    fclose(file);
    assert_ports(&all, IPPROTO_TCP, "22-22 25-25 443-443 8080-8081 ");
    assert_ports(&all, IPPROTO_UDP, "");
    assert_ports(&listening, IPPROTO_TCP, "22-22 8081-8081 ");
}

static void reads_services(void **state)
{
    (void)state;
    struct port_set set = {0};
    FILE *file = text_file("# comment 99/tcp\n\nssh\t\t22/tcp   # SSH\nhttp 80/tcp www\n"
                           "syslog 514/udp\nbad 70000/tcp\nworse x/tcp\nlast 65535/udp");
    ports_add_services(&set, file);
    fclose(file);
    assert_ports(&set, IPPROTO_TCP, "22-22 80-80 514-514 65535-65535 ");
    assert_ports(&set, IPPROTO_UDP, "22-22 80-80 514-514 65535-65535 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_good),
        cmocka_unit_test(draws_without_bias),
        cmocka_unit_test(too_few_ports_make_no_secret),
        cmocka_unit_test(prints_a_line_of_the_configuration),
        cmocka_unit_test(reads_the_kernels_sockets),
        cmocka_unit_test(reads_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
