/* What stands before the IP header, of each kind of link: whole, cut at every length, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "listener/link_header.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define MACS "020000000001020000000002"
/* So much of an IP packet. */
#define V4 "4500"
#define V6 "6000"

static const struct {
    const char *header, *ip;
    int type;
    enum line_verdict verdict;
    enum link_direction direction;
} rows[] = {
    {MACS "0800", V4, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    {MACS "86dd", V6, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    {"ffffffffffff0200000000020800", V4, LINK_ETHERNET, LINE_PACKET, LINK_GROUP},
    {"01005e0000fb0200000000020800", V4, LINK_ETHERNET, LINE_PACKET, LINK_GROUP},
    {MACS "810000050800", V4, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    {MACS "88a80005810000060800", V4, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    {MACS "91000005810000068100000786dd", V6, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    {MACS "8864110000070004"
          "0021",
     V4, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    {MACS "810000058864110000070004"
          "0057",
     V6, LINK_ETHERNET, LINE_PACKET, LINK_HERE},
    /* PPPoE that isn't of a session, or isn't version 1; LCP in one. */
    {MACS "8864110900070004"
          "0021",
     V4, LINK_ETHERNET, LINE_FOREIGN, LINK_HERE},
    {MACS "8864210000070004"
          "0021",
     V4, LINK_ETHERNET, LINE_FOREIGN, LINK_HERE},
    {MACS "8864110000070004"
          "c021",
     V4, LINK_ETHERNET, LINE_FOREIGN, LINK_HERE},
    /* ARP, the length of IEEE 802.3, MPLS. */
    {MACS "0806", V4, LINK_ETHERNET, LINE_FOREIGN, LINK_HERE},
    {MACS "0026", V4, LINK_ETHERNET, LINE_FOREIGN, LINK_HERE},
    {MACS "8847", V4, LINK_ETHERNET, LINE_FOREIGN, LINK_HERE},
    {MACS "0800", V6, LINK_ETHERNET, LINE_DAMAGED, LINK_HERE},
    {MACS "86dd", V4, LINK_ETHERNET, LINE_DAMAGED, LINK_HERE},
    {"", V4, LINK_RAW, LINE_PACKET, LINK_HERE},
    {"", V6, LINK_RAW, LINE_PACKET, LINK_HERE},
    {"", V6, LINK_RAW_BSD, LINE_PACKET, LINK_HERE},
    {"", V6, LINK_RAW_FILE, LINE_PACKET, LINK_HERE},
    {"", V4, LINK_IP4, LINE_PACKET, LINK_HERE},
    {"", V6, LINK_IP4, LINE_DAMAGED, LINK_HERE},
    {"", V6, LINK_IP6, LINE_PACKET, LINK_HERE},
    {"", V4, LINK_IP6, LINE_DAMAGED, LINK_HERE},
    /* Loopback, by the numbers of Linux, NetBSD, FreeBSD and macOS. */
    {"02000000", V4, LINK_NULL, LINE_PACKET, LINK_HERE},
    {"00000002", V4, LINK_NULL, LINE_PACKET, LINK_HERE},
    {"0a000000", V6, LINK_NULL, LINE_PACKET, LINK_HERE},
    {"18000000", V6, LINK_NULL, LINE_PACKET, LINK_HERE},
    {"0000001c", V6, LINK_NULL, LINE_PACKET, LINK_HERE},
    {"0000001e", V6, LINK_LOOP, LINE_PACKET, LINK_HERE},
    {"00000007", V4, LINK_LOOP, LINE_FOREIGN, LINK_HERE},
    {"00000202", V4, LINK_LOOP, LINE_FOREIGN, LINK_HERE},
    {"02000002", V4, LINK_LOOP, LINE_FOREIGN, LINK_HERE},
    {"00020000", V4, LINK_LOOP, LINE_FOREIGN, LINK_HERE},
    {"02000000", V6, LINK_NULL, LINE_DAMAGED, LINK_HERE},
    /* PPP: framed or not, its protocol in one byte or two. */
    {"0021", V4, LINK_PPP, LINE_PACKET, LINK_HERE},
    {"21", V4, LINK_PPP, LINE_PACKET, LINK_HERE},
    {"0057", V6, LINK_PPP, LINE_PACKET, LINK_HERE},
    {"ff030057", V6, LINK_PPP, LINE_PACKET, LINK_HERE},
    {"ff0321", V4, LINK_PPP, LINE_PACKET, LINK_HERE},
    {"c021", V4, LINK_PPP, LINE_FOREIGN, LINK_HERE},
    {"ff030021", V4, LINK_PPP_SERIAL, LINE_PACKET, LINK_HERE},
    {"0f000800", V4, LINK_PPP_SERIAL, LINE_PACKET, LINK_HERE},
    {"8f0086dd", V6, LINK_PPP_SERIAL, LINE_PACKET, LINK_HERE},
    {"8f002000", V6, LINK_PPP_SERIAL, LINE_FOREIGN, LINK_HERE},
    {"00030021", V4, LINK_PPP_DIRECTION, LINE_PACKET, LINK_HERE},
    {"01030021", V4, LINK_PPP_DIRECTION, LINE_PACKET, LINK_OUTGOING},
    {"0021", V4, LINK_PPP_DIRECTION, LINE_PACKET, LINK_HERE},
    {"1100000700040021", V4, LINK_PPPOE, LINE_PACKET, LINK_HERE},
    /* Linux cooked: to here, to all, to a group, to another host, from here, and unheard-of. */
    {"00000001000602000000000200000800", V4, LINK_SLL, LINE_PACKET, LINK_HERE},
    {"00010001000602000000000200000800", V4, LINK_SLL, LINE_PACKET, LINK_GROUP},
    {"00020001000602000000000200000800", V4, LINK_SLL, LINE_PACKET, LINK_GROUP},
    {"00030001000602000000000200000800", V4, LINK_SLL, LINE_PACKET, LINK_OTHER},
    {"00040001000602000000000200000800", V4, LINK_SLL, LINE_PACKET, LINK_OUTGOING},
    {"00070001000602000000000200000800", V4, LINK_SLL, LINE_PACKET, LINK_OTHER},
    {"0000000100060200000000020000810000050800", V4, LINK_SLL, LINE_PACKET, LINK_HERE},
    {"00000001000602000000000200000806", V4, LINK_SLL, LINE_FOREIGN, LINK_HERE},
    {"00000338000000000000000000000800", V4, LINK_SLL, LINE_FOREIGN, LINK_HERE},
    {"0800000000000002000100060200000000020000", V4, LINK_SLL2, LINE_PACKET, LINK_HERE},
    {"86dd000000000002000104060200000000020000", V6, LINK_SLL2, LINE_PACKET, LINK_OUTGOING},
    {"0800000000000002000103060200000000020000", V4, LINK_SLL2, LINE_PACKET, LINK_OTHER},
    {"0800000000000002000101060200000000020000", V4, LINK_SLL2, LINE_PACKET, LINK_GROUP},
    {"0806000000000002000100060200000000020000", V4, LINK_SLL2, LINE_FOREIGN, LINK_HERE},
    {"0800000000000002033800060200000000020000", V4, LINK_SLL2, LINE_FOREIGN, LINK_HERE},
    /* 802.11 and nothing at all. */
    {"08000000", V4, 105, LINE_FOREIGN, LINK_HERE},
    {"08000000", V4, -1, LINE_FOREIGN, LINK_HERE},
};

static size_t read_hex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

/* The bytes lie at the end of an allocation, for sanitizers to see a read beyond. */
static enum line_verdict parse(int type, const uint8_t *bytes, size_t len, struct link_packet *out,
                               size_t *at)
{
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes, len);
    enum line_verdict verdict = link_header_parse(type, copy + 1, len, out);
    *at = verdict == LINE_PACKET ? (size_t)(out->ip - copy - 1) : 0;
    free(copy);
    return verdict;
}

static void finds_the_ip_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t bytes[64];
        struct link_packet packet;
        size_t header = read_hex(rows[i].header, bytes), at;
        size_t len = header + read_hex(rows[i].ip, bytes + header);
        print_message("# %zu: type %d, %s\n", i, rows[i].type, rows[i].header);
        assert_int_equal(parse(rows[i].type, bytes, len, &packet, &at), rows[i].verdict);
        if (rows[i].verdict != LINE_PACKET)
            continue;
        assert_int_equal(packet.direction, rows[i].direction);
        assert_int_equal(at, header);
        assert_int_equal(packet.ip_len, len - header);
    }
}

/* A host's link with itself, which alone may bring packets from 127.0.0.1. */
static void knows_loopback(void **state)
{
    static const struct {
        const char *header;
        int type;
        bool loopback;
    } links[] = {
        {"000000000000000000000000"
         "0800",
         LINK_ETHERNET, true},
        {MACS "0800", LINK_ETHERNET, false},
        {"00000304000600000000000000000800", LINK_SLL, true},
        {"00000001000600000000000000000800", LINK_SLL, false},
        {"0800000000000001030400060000000000000000", LINK_SLL2, true},
        {"0800000000000001000100060000000000000000", LINK_SLL2, false},
        {"02000000", LINK_NULL, true},
        {"", LINK_RAW, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(links); i++) {
        uint8_t bytes[64];
        struct link_packet packet;
        size_t header = read_hex(links[i].header, bytes), at;
        size_t len = header + read_hex(V4, bytes + header);
        print_message("# %zu: type %d, %s\n", i, links[i].type, links[i].header);
        parse(links[i].type, bytes, len, &packet, &at);
        assert_int_equal(packet.loopback, links[i].loopback);
    }
}

/* A header that is cut is none, wherever; behind one that isn't there may be nothing. */
static void needs_the_whole_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t bytes[64];
        struct link_packet packet;
        size_t header = read_hex(rows[i].header, bytes), at;
        if (rows[i].verdict != LINE_PACKET)
            continue;
        print_message("# %zu: type %d, %s\n", i, rows[i].type, rows[i].header);
        for (size_t cut = 0; cut < header; cut++)
            assert_int_equal(parse(rows[i].type, bytes, cut, &packet, &at), LINE_PARTIAL);
        assert_int_equal(parse(rows[i].type, bytes, header, &packet, &at), LINE_PACKET);
        assert_int_equal(packet.ip_len, 0);
    }
}

static void ends_with_its_tags(void **state)
{
    uint8_t bytes[4096] = {0};
    struct link_packet packet;
    size_t at;
    (void)state;
    for (size_t i = 12; i < sizeof(bytes); i += 4)
        bytes[i] = 0x81;
    assert_int_equal(parse(LINK_ETHERNET, bytes, sizeof(bytes), &packet, &at), LINE_PARTIAL);
}

static void knows_what_it_reads(void **state)
{
    static const int known[] = {0, 1, 9, 12, 14, 50, 51, 101, 108, 113, 166, 228, 229, 276};
    unsigned count = 0;
    (void)state;
    for (int type = -1; type < 400; type++)
        count += link_header_knows(type);
    assert_int_equal(count, COUNT(known));
    for (size_t i = 0; i < COUNT(known); i++)
        assert_true(link_header_knows(known[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_ip_packet),    cmocka_unit_test(knows_loopback),
        cmocka_unit_test(needs_the_whole_header), cmocka_unit_test(ends_with_its_tags),
        cmocka_unit_test(knows_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
