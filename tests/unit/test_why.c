/* listener/why.h: what the last packets of an address are said to have done to each door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "listener/why.h"

#define SECOND INT64_C(1000000000)

static struct history history;
static char said[1 << 16];

/* "port/verdict" of a packet, then " door:before>after" with "!" for open, "~" for late, or "scan".
 */
static void note(void *arg, struct message *message)
{
    size_t used = strlen(said);
    (void)arg;
    if (message->type == MESSAGE_PACKET) {
        snprintf(said + used, sizeof(said) - used, "%s%u/%u", used ? " " : "",
                 message->u.packet.dpt, message->u.packet.verdict);
        assert_int_equal(message->u.packet.query, 7);
    } else {
        const struct message_effect *e = &message->u.effect;
        assert_int_equal(message->type, MESSAGE_EFFECT);
        snprintf(said + used, sizeof(said) - used, " %u:%u>%u%s%s%s", e->door, e->before, e->after,
                 e->opened ? "!" : "", e->late ? "~" : "", e->scan ? "scan" : "");
    }
}

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(text, strlen(text), &a));
    return a;
}

static void sees(const char *from, uint16_t port, int64_t now)
{
    static uint16_t spt = 1024;
    struct packet packet = {.src = address(from),
                            .dst = address("192.0.2.1"),
                            .proto = IPPROTO_TCP,
                            .spt = spt++,
                            .dpt = port,
                            .flags = TCP_SYN,
                            .has_ports = true,
                            .in_len = 4,
                            .in = "eth0"};
    history_add(&history, 0, &packet, now);
}

/* Door 0: 1000, 2000, 3000; door 1 the same, but only by eth1; 2 is a one-time sequence that begins
 * as they do, of which nothing is told. All within 10 s. */
static const char *why_by(enum source_type type, const char *of)
{
    struct match_door doors[3] = {{.timeout = 10 * SECOND, .strict = true}};
    static const uint16_t ports[] = {1000, 2000, 3000};
    doors[0].flags = (struct flag_match){.set = TCP_SYN, .clear = TCP_ACK};
    for (unsigned i = 0; i < 3; i++)
        doors[0].sequence.steps[doors[0].sequence.count++] =
            (struct port_proto){.port = ports[i], .proto = IPPROTO_TCP};
    doors[0].strays[1] = STRAYS_CAPTURED;
    doors[1] = doors[0];
    doors[2] = doors[0];
    strcpy(doors[1].interface, "eth1");
    doors[2].sequence.steps[2].port = 4000;
    doors[2].one_time = true;
    struct listener_config_source source = {.type = type};
    struct listener_config setup = {
        .config.plain = 2, .source_count = 1, .sources = &source, .door_count = 3, .doors = doors};
    struct message_query query = {.query = 7, .address = address(of)};
    said[0] = '\0';
    why_answer(&setup, &history, &query, note, NULL);
    return said;
}

static const char *why(const char *of)
{
    return why_by(SOURCE_KMSG, of);
}

/* Where they are forgiven, strays bring an attempt no step back until they are too many. */
static void test_strays(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.9", 443, 1 * SECOND);
    sees("192.0.2.9", 80, 1 * SECOND);
    sees("192.0.2.9", 443, 1 * SECOND);
    sees("192.0.2.9", 2000, 2 * SECOND);
    sees("192.0.2.9", 443, 2 * SECOND);
    sees("192.0.2.9", 3000, 3 * SECOND);
    sees("192.0.2.8", 1000, 1 * SECOND);
    sees("192.0.2.8", 443, 1 * SECOND);
    sees("192.0.2.8", 80, 1 * SECOND);
    sees("192.0.2.8", 22, 1 * SECOND);
    sees("192.0.2.7", 1000, 1 * SECOND);
    sees("192.0.2.7", 1128, 1 * SECOND);
    assert_string_equal(why_by(SOURCE_PCAP, "192.0.2.9"),
                        "1000/0 0:0>1 443/0 0:1>1 80/0 0:1>1 443/0 0:1>1 2000/0 0:1>2 443/0 0:2>2 "
                        "3000/0 0:2>3!");
    assert_string_equal(why("192.0.2.9"),
                        "1000/0 0:0>1 443/0 0:1>0 80/7 443/7 2000/0 443/7 3000/7");
    assert_string_equal(why_by(SOURCE_PCAP, "192.0.2.8"),
                        "1000/0 0:0>1 443/0 0:1>1 80/0 0:1>1 22/0 0:1>0");
    assert_string_equal(why_by(SOURCE_PCAP, "192.0.2.7"), "1000/0 0:0>1 1128/0 0:1>0");
}

/* The address of the last packet was scanning, which only the packets before show. */
static void test_scan(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.9", 2000, 2 * SECOND);
    sees("192.0.2.9", 3000, 3 * SECOND);
    history_scan(&history);
    assert_string_equal(why_by(SOURCE_PCAP, "192.0.2.9"),
                        "1000/0 0:0>1 2000/0 0:1>2 3000/0 0:2>0scan");
    /* Or which is seen here, too. */
    memset(&history, 0, sizeof(history));
    for (uint16_t i = 0; i < 12; i++)
        sees("192.0.2.9", (uint16_t)(10000 + 500 * i), 1 * SECOND);
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.9", 2000, 2 * SECOND);
    sees("192.0.2.9", 3000, 3 * SECOND);
    assert_non_null(strstr(why_by(SOURCE_PCAP, "192.0.2.9"), "3000/0 0:2>0scan"));
    assert_non_null(strstr(why("192.0.2.9"), "3000/0 0:2>3!"));
}

/* What a host discards is told, and is neither step nor stray. */
static void test_malformed(void **state)
{
    char expected[64];
    (void)state;
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.9", 2000, 2 * SECOND);
    history_malformed(&history);
    sees("192.0.2.9", 2000, 3 * SECOND);
    snprintf(expected, sizeof(expected), "1000/0 0:0>1 2000/%d 2000/0 0:1>2", MATCH_MALFORMED);
    assert_string_equal(why("192.0.2.9"), expected);
}

static void test_what_packets_do(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.8", 1000, 1 * SECOND);
    sees("192.0.2.9", 2000, 2 * SECOND);
    sees("192.0.2.8", 80, 2 * SECOND);
    sees("192.0.2.9", 3000, 3 * SECOND);
    sees("192.0.2.7", 80, 4 * SECOND);
    sees("192.0.2.6", 1000, 5 * SECOND);
    sees("192.0.2.6", 2000, 6 * SECOND);
    sees("192.0.2.6", 3000, 5 * SECOND + 10 * SECOND + 1);
    assert_string_equal(why("192.0.2.9"), "1000/0 0:0>1 2000/0 0:1>2 3000/0 0:2>3!");
    assert_string_equal(why("192.0.2.8"), "1000/0 0:0>1 80/0 0:1>0");
    assert_string_equal(why("192.0.2.7"), "80/7");
    assert_string_equal(why("192.0.2.6"), "1000/0 0:0>1 2000/0 0:1>2 3000/7 0:2>0~");
    assert_string_equal(why("192.0.2.5"), "");
    assert_string_equal(why("2001:db8::1"), "");
}

/* What opened its door is no attempt any more: neither under way, nor too late for the next one. */
static void test_what_follows_an_opening(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.9", 2000, 1 * SECOND);
    sees("192.0.2.9", 3000, 1 * SECOND);
    sees("192.0.2.9", 22, 1 * SECOND);
    sees("192.0.2.9", 3000, 2 * SECOND);
    sees("192.0.2.9", 1000, 30 * SECOND);
    assert_string_equal(why("192.0.2.9"), "1000/0 0:0>1 2000/0 0:1>2 3000/0 0:2>3! 22/7 3000/7 "
                                          "1000/0 0:0>1");
}

/* Doubled packets go no step further, and none back. */
static void test_doubled_packets(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    for (unsigned i = 0; i < 6; i++)
        sees("192.0.2.9", (uint16_t)(1000 * (1 + i / 2)), 1 * SECOND);
    assert_string_equal(why("192.0.2.9"), "1000/0 0:0>1 1000/0 0:1>1 2000/0 0:1>2 2000/0 0:2>2 "
                                          "3000/0 0:2>3! 3000/7");
}

/* Lost lines start over what their source was told of so far, as they did when they were lost. */
static void test_lost_lines(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    sees("192.0.2.9", 2000, 1 * SECOND);
    history_gap(&history, 0, 2 * SECOND);
    sees("192.0.2.9", 3000, 3 * SECOND);
    sees("192.0.2.9", 1000, 4 * SECOND);
    assert_string_equal(why("192.0.2.9"), "1000/0 0:0>1 2000/0 0:1>2 3000/7 1000/0 0:0>1");
    /* Those of another source don't. */
    memset(&history, 0, sizeof(history));
    sees("192.0.2.9", 1000, 1 * SECOND);
    history_gap(&history, 1, 2 * SECOND);
    sees("192.0.2.9", 2000, 3 * SECOND);
    assert_string_equal(why("192.0.2.9"), "1000/0 0:0>1 2000/0 0:1>2");
}

static void test_only_the_newest(void **state)
{
    (void)state;
    memset(&history, 0, sizeof(history));
    for (int i = 0; i < HISTORY_PACKETS; i++)
        sees("192.0.2.9", 80, i);
    assert_int_equal(history_count(&history), HISTORY_PACKETS);
    unsigned packets = 0;
    for (const char *p = why("192.0.2.9"); (p = strstr(p, "80/7")); p++)
        packets++;
    assert_int_equal(packets, WHY_PACKETS);
    /* Others push it out. */
    for (int i = 0; i < HISTORY_PACKETS - 1; i++)
        sees("192.0.2.8", 80, i);
    assert_string_equal(why("192.0.2.9"), "80/7");
    sees("192.0.2.8", 80, 0);
    assert_string_equal(why("192.0.2.9"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strays),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_what_packets_do),
        cmocka_unit_test(test_what_follows_an_opening),
        cmocka_unit_test(test_doubled_packets),
        cmocka_unit_test(test_lost_lines),
        cmocka_unit_test(test_only_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
