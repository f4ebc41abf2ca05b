/*
 * Captured packets: the same fields as the kernel's log line of the same packet has, whole and cut
 * at every length; the payload of UDP; what contradicts itself, and what is no IP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listener/ip_packet.h"
#include "listener/packet_fields.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* IPv4 from 203.0.113.9 to 198.51.100.1: total length, flags with fragment offset, protocol. */
#define IP4(len, fragment, proto) "4500" len "1234" fragment "40" proto "beefcb007109c6336401"
#define LOG4(len)                 "SRC=203.0.113.9 DST=198.51.100.1 LEN=" len " TOS=0x00 PREC=0x00 TTL=64 ID=4660 "

/* IPv6 from 2001:db8::9 to 2001:db8::1: payload length, next header. */
#define IP6(len, next)                                                                             \
    "60000000" len next "4020010db800000000000000000000000920010db8000000000000000000000001"
#define LOG6(len)                                                                                  \
    "SRC=2001:0db8:0000:0000:0000:0000:0000:0009 "                                                 \
    "DST=2001:0db8:0000:0000:0000:0000:0000:0001 LEN=" len " TC=0 HOPLIMIT=64 FLOWLBL=0 "

/* 49152 -> 7000, and -> 8000 with the length. */
#define TCP(flags)   "c0001b580000000100000000" flags "faf000000000"
#define UDP(len)     "c0001f40" len "0000"
#define PORTS        "SPT=49152 DPT=7000 "
#define LOG_UDP(len) "SPT=49152 DPT=8000 LEN=" len " "
#define BYTES8       "0011223344556677"

/* Extension headers of 8, 16 and 12 bytes. */
#define EXTENSION(next)   next "00010400000000"
#define EXTENSION16(next) next "010104000000000104000000000000"
#define AH(next)                                                                                   \
    next "01000000000001"                                                                          \
         "00000001"
#define FRAGMENT(next, offset) next "00" offset "0000abcd"

/* A packet, how the kernel logs it, and how many bytes of payload it has for us; -1: none. */
static const struct row {
    const char *hex, *log;
    int payload;
} rows[] = {
    /* TCP: every flag; AE is none of ours; a header that the packet is too short for. */
    {IP4("0028", "4000", "06") TCP("5002"),
     LOG4("40") "DF PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    {IP4("0028", "0000", "06") TCP("50ff"),
     LOG4("40") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 CWR ECE URG ACK PSH RST SYN FIN URGP=0 ",
     -1},
    {IP4("0028", "0000", "06") TCP("5112"),
     LOG4("40") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 AE ACK SYN URGP=0 ", -1},
    {IP4("0028", "0000", "06") TCP("5000"),
     LOG4("40") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 URGP=0 ", -1},
    {IP4("0027", "0000", "06") TCP("5002"), LOG4("39") "PROTO=TCP INCOMPLETE [19 bytes] ", -1},
    {IP4("0014", "0000", "06"), LOG4("20") "PROTO=TCP INCOMPLETE [0 bytes] ", -1},
    /* The kernel's log doesn't ask for the header's own length. */
    {IP4("0028", "0000", "06") TCP("0002"),
     LOG4("40") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    /* Behind the packet's own length lies the padding of the link. */
    {IP4("0028", "0000", "06") TCP("5002") "000000000000",
     LOG4("40") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    /* Options of IPv4, 4 and 40 bytes, and such as the packet is too short for. */
    {"4600002c12340000400600"
     "00cb007109c6336401"
     "01010100" TCP("5002"),
     LOG4("44") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    {"4f00005012340000400600"
     "00cb007109c6336401" BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 TCP("5002"),
     LOG4("80") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    /* UDP: its length says the same as IP's, more, less, less than its header, nothing. */
    {IP4("0024", "0000", "11") UDP("0010") BYTES8, LOG4("36") "PROTO=UDP " LOG_UDP("16"), 8},
    {IP4("001c", "0000", "11") UDP("0008"), LOG4("28") "PROTO=UDP " LOG_UDP("8"), 0},
    {IP4("0024", "0000", "11") UDP("0011") BYTES8, LOG4("36") "PROTO=UDP " LOG_UDP("17"), -1},
    {IP4("0024", "0000", "11") UDP("000f") BYTES8, LOG4("36") "PROTO=UDP " LOG_UDP("15"), -1},
    {IP4("001c", "0000", "11") UDP("0007"), LOG4("28") "PROTO=UDP " LOG_UDP("7"), -1},
    {IP4("0024", "0000", "11") UDP("0000") BYTES8, LOG4("36") "PROTO=UDP " LOG_UDP("0"), -1},
    {IP4("0024", "0000", "11") UDP("ffff") BYTES8, LOG4("36") "PROTO=UDP " LOG_UDP("65535"), -1},
    {IP4("001b", "0000", "11") "c0001f40000800", LOG4("27") "PROTO=UDP INCOMPLETE [7 bytes] ", -1},
    {IP4("0024", "0000", "11") UDP("0012") BYTES8 "ffff", LOG4("36") "PROTO=UDP " LOG_UDP("18"),
     -1},
    {IP4("0024", "0000", "88") UDP("0010") BYTES8, LOG4("36") "PROTO=UDPLITE " LOG_UDP("16"), -1},
    {IP4("0024", "0000", "88") UDP("0000") BYTES8, LOG4("36") "PROTO=UDPLITE " LOG_UDP("0"), -1},
    /* Fragments of IPv4: the first has ports, a later one none, and neither a payload. */
    {IP4("0024", "2000", "11") UDP("0010") BYTES8, LOG4("36") "MF PROTO=UDP " LOG_UDP("16"), -1},
    {IP4("0024", "2001", "11") UDP("0010") BYTES8, LOG4("36") "MF FRAG:1 PROTO=UDP ", -1},
    {IP4("0024", "1fff", "11") UDP("0010") BYTES8, LOG4("36") "FRAG:8191 PROTO=UDP ", -1},
    {IP4("0028", "0001", "06") TCP("5002"), LOG4("40") "FRAG:1 PROTO=TCP ", -1},
    {IP4("0028", "2000", "06") TCP("5002"),
     LOG4("40") "MF PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    {IP4("0024", "c000", "11") UDP("0010") BYTES8, LOG4("36") "CE DF PROTO=UDP " LOG_UDP("16"), 8},
    {IP4("0020", "0001", "33") AH("06"), LOG4("32") "FRAG:1 ", -1},
    /* Protocols without ports of ours. */
    {IP4("001c", "0000", "01") "0800000012340001",
     LOG4("28") "PROTO=ICMP TYPE=8 CODE=0 ID=4660 SEQ=1 ", -1},
    {IP4("0014", "0000", "01"), LOG4("20") "PROTO=ICMP INCOMPLETE [0 bytes] ", -1},
    {IP4("0020", "0000", "33") AH("06"), LOG4("32") "PROTO=AH SPI=0x1 ", -1},
    {IP4("001c", "0000", "32") "0000000100000001", LOG4("28") "PROTO=ESP SPI=0x1 ", -1},
    {IP4("001c", "0000", "84") UDP("0008"), LOG4("28") "PROTO=132 ", -1},
    {IP4("0014", "0000", "00"), LOG4("20") "PROTO=0 ", -1},
    {IP4("0014", "0000", "ff"), LOG4("20") "PROTO=255 ", -1},
    {IP4("0024", "0000", "3a") UDP("0010") BYTES8, LOG4("36") "PROTO=58 ", -1},
    /* IPv6 in IPv4, IPv4 in IPv4: the outer packet counts, the inner one isn't looked at. */
    {IP4("0050", "0000", "29") IP6("0014", "06") TCP("5002"), LOG4("80") "PROTO=41 ", -1},
    {IP4("003c", "0000", "04") IP4("0028", "0000", "06") TCP("5002"), LOG4("60") "PROTO=4 ", -1},
    /* IPv6. */
    {IP6("0014", "06") TCP("5002"),
     LOG6("60") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    {IP6("0013", "06") TCP("5002"), LOG6("59") "PROTO=TCP INCOMPLETE [19 bytes] ", -1},
    {IP6("0010", "11") UDP("0010") BYTES8, LOG6("56") "PROTO=UDP " LOG_UDP("16"), 8},
    {IP6("0010", "11") UDP("0010") BYTES8 "0000", LOG6("56") "PROTO=UDP " LOG_UDP("16"), 8},
    {IP6("0010", "11") UDP("000f") BYTES8, LOG6("56") "PROTO=UDP " LOG_UDP("15"), -1},
    {IP6("0010", "11") UDP("0000") BYTES8, LOG6("56") "PROTO=UDP " LOG_UDP("0"), -1},
    {IP6("0010", "88") UDP("0010") BYTES8, LOG6("56") "PROTO=UDPLITE " LOG_UDP("16"), -1},
    {IP6("0008", "3a") "8000000012340001", LOG6("48") "PROTO=ICMPv6 TYPE=128 CODE=0 ID=4660 SEQ=1 ",
     -1},
    {IP6("0008", "01") "0800000012340001", LOG6("48") "PROTO=1 ", -1},
    {IP6("0000", "3b"), LOG6("40") "PROTO=59 ", -1},
    {IP6("0000", "06") TCP("5002"), LOG6("40") "PROTO=TCP INCOMPLETE [0 bytes] ", -1},
    {IP6("0008", "32") "0000000100000001", LOG6("48"), -1},
    {IP6("0028", "29") IP6("0000", "3b"), LOG6("80") "PROTO=41 ", -1},
    /* Extension headers: each, all of them, one twice, and such as the packet is too short for. */
    {IP6("0018", "00") EXTENSION("11") UDP("0010") BYTES8, LOG6("64") "PROTO=UDP " LOG_UDP("16"),
     8},
    {IP6("0020", "3c") EXTENSION16("11") UDP("0010") BYTES8, LOG6("72") "PROTO=UDP " LOG_UDP("16"),
     8},
    {IP6("0018", "2b") EXTENSION("11") UDP("0010") BYTES8, LOG6("64") "PROTO=UDP " LOG_UDP("16"),
     8},
    {IP6("001c", "33") AH("11") UDP("0010") BYTES8, LOG6("68") "PROTO=UDP " LOG_UDP("16"), 8},
    {IP6("0044", "00") EXTENSION("3c") EXTENSION16("2b") EXTENSION("33") AH("3c") EXTENSION("06")
         TCP("5002") /* 8 + 16 + 8 + 12 + 8 + 20 - 4: four bytes of the last are cut off */,
     LOG6("108") "PROTO=TCP INCOMPLETE [16 bytes] ", -1},
    {IP6("0048", "00") EXTENSION("3c") EXTENSION16("2b") EXTENSION("33") AH("3c") EXTENSION("06")
         TCP("5002"),
     LOG6("112") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    {IP6("0024", "00") EXTENSION("00") EXTENSION("06") TCP("5002"),
     LOG6("76") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
    {IP6("0001", "00") "11", LOG6("41") "TRUNCATED", -1},
    {IP6("0002", "00") "1101", LOG6("42") "PROTO=UDP INCOMPLETE [0 bytes] ", -1},
    {IP6("0008", "00") "11ff010400000000", LOG6("48") "PROTO=UDP INCOMPLETE [0 bytes] ", -1},
    {IP6("0008", "00") "3c00010400000000", LOG6("48") "TRUNCATED", -1},
    {IP6("0002", "33") "1100", LOG6("42") "PROTO=UDP INCOMPLETE [0 bytes] ", -1},
    /* Fragments of IPv6: the first, a later one, one of one, cut, one within another. */
    {IP6("0018", "2c") FRAGMENT("11", "0001") UDP("0010") BYTES8,
     LOG6("64") "FRAG:0 INCOMPLETE ID:0000abcd PROTO=UDP " LOG_UDP("16"), -1},
    {IP6("0018", "2c") FRAGMENT("11", "0009") UDP("0010") BYTES8,
     LOG6("64") "FRAG:8 INCOMPLETE ID:0000abcd PROTO=UDP ", -1},
    {IP6("001c", "2c") FRAGMENT("06", "fff8") TCP("5002"),
     LOG6("68") "FRAG:65528 ID:0000abcd PROTO=TCP ", -1},
    {IP6("0018", "2c") FRAGMENT("11", "0000") UDP("0010") BYTES8,
     LOG6("64") "FRAG:0 ID:0000abcd PROTO=UDP " LOG_UDP("16"), 8},
    {IP6("0018", "2c") FRAGMENT("11", "0006") UDP("0010") BYTES8,
     LOG6("64") "FRAG:0 ID:0000abcd PROTO=UDP " LOG_UDP("16"), 8},
    {IP6("0004", "2c") "11000000", LOG6("44") "FRAG:TRUNCATED ", -1},
    {IP6("0020", "2c") FRAGMENT("3c", "0008") EXTENSION("11") UDP("0010") BYTES8,
     LOG6("72") "FRAG:8 ID:0000abcd ", -1},
    {IP6("0020", "2c") FRAGMENT("2c", "0001") FRAGMENT("11", "0008") UDP("0010") BYTES8,
     LOG6("72") "FRAG:0 INCOMPLETE ID:0000abcd FRAG:8 ID:0000abcd PROTO=UDP ", -1},
    {IP6("0020", "2c") FRAGMENT("2c", "0000") FRAGMENT("11", "0000") UDP("0010") BYTES8,
     LOG6("72") "FRAG:0 ID:0000abcd FRAG:0 ID:0000abcd PROTO=UDP " LOG_UDP("16"), 8},
    /* A jumbogram: the header's length is what the kernel logs. */
    {IP6("0000", "00") "1100c204000100"
                       "10" UDP("0000") BYTES8,
     LOG6("40") "PROTO=UDP " LOG_UDP("0"), -1},
    {IP6("0000", "00") "1100c204000100"
                       "10" UDP("0010") BYTES8,
     LOG6("40") "PROTO=UDP " LOG_UDP("16"), -1},
    {IP6("0000", "00") "0600c204000100"
                       "10" TCP("5002"),
     LOG6("40") "PROTO=TCP " PORTS "WINDOW=64240 RES=0x00 SYN URGP=0 ", -1},
};

/* No packet that a host would take. */
static const struct {
    const char *hex;
    enum line_verdict verdict;
} others[] = {
    {"", LINE_PARTIAL},
    {"45", LINE_PARTIAL},
    {"60", LINE_PARTIAL},
    {"00", LINE_FOREIGN},
    {"5500", LINE_FOREIGN},
    {"f0" BYTES8 BYTES8 BYTES8 BYTES8 BYTES8, LINE_FOREIGN},
    /* ARP. */
    {"0001080006040001" BYTES8 BYTES8 BYTES8, LINE_FOREIGN},
    /* A header of 0 and of 16 bytes; longer than the packet; a packet of 0 and 19 bytes. */
    {"4000002812340000400600"
     "00cb007109c6336401" TCP("5002"),
     LINE_DAMAGED},
    {"4400002812340000400600"
     "00cb007109c6336401" TCP("5002"),
     LINE_DAMAGED},
    {"4f00002812340000400600"
     "00cb007109c6336401" TCP("5002"),
     LINE_DAMAGED},
    {"4600001412340000400600"
     "00cb007109c6336401" TCP("5002"),
     LINE_DAMAGED},
    {IP4("0000", "0000", "06") TCP("5002"), LINE_DAMAGED},
    {IP4("0013", "0000", "06") TCP("5002"), LINE_DAMAGED},
};

/* Returns the bytes at the end of an allocation, for sanitizers to see a read beyond. */
static uint8_t *read_hex(const char *hex, size_t *len)
{
    *len = strlen(hex) / 2;
    uint8_t *bytes = malloc(*len + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < *len; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[1 + i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

static void assert_same(const struct packet *captured, const struct packet *logged)
{
    assert_true(addr_equal(&captured->src, &logged->src));
    assert_true(addr_equal(&captured->dst, &logged->dst));
    assert_int_equal(captured->length, logged->length);
    assert_int_equal(captured->proto, logged->proto);
    assert_int_equal(captured->has_ports, logged->has_ports);
    assert_int_equal(captured->spt, logged->has_ports ? logged->spt : 0);
    assert_int_equal(captured->dpt, logged->has_ports ? logged->dpt : 0);
    assert_int_equal(captured->flags, logged->flags);
}

static void has_the_fields_of_its_log_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct packet logged = {0};
        struct ip_packet captured;
        size_t len;
        uint8_t *bytes = read_hex(row->hex, &len);
        print_message("# %zu: %s\n", i, row->log);
        assert_int_equal(packet_fields(row->log, row->log + strlen(row->log), false, NULL, &logged),
                         LINE_PACKET);
        assert_int_equal(ip_packet_parse(bytes + 1, len, &captured), LINE_PACKET);
        assert_same(&captured.packet, &logged);
        assert_int_equal(captured.packet.in_len, 0);
        assert_false(captured.packet.link_group);
        free(bytes);
    }
}

static void has_the_payload_of_a_whole_datagram(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ip_packet captured;
        size_t len;
        uint8_t *bytes = read_hex(rows[i].hex, &len);
        print_message("# %zu: %s\n", i, rows[i].log);
        ip_packet_parse(bytes + 1, len, &captured);
        assert_int_equal(captured.payload ? (int)captured.payload_len : -1, rows[i].payload);
        if (rows[i].payload > 0)
            assert_memory_equal(captured.payload, "\x00\x11\x22\x33\x44\x55\x66\x77", 8);
        free(bytes);
    }
}

/* Whether what was captured of a packet may be what is known of the whole one. */
static void assert_part(const struct ip_packet *part, const struct ip_packet *whole)
{
    assert_true(addr_equal(&part->packet.src, &whole->packet.src));
    assert_true(addr_equal(&part->packet.dst, &whole->packet.dst));
    if (part->packet.proto != -1)
        assert_int_equal(part->packet.proto, whole->packet.proto);
    if (part->packet.has_ports)
        assert_same(&part->packet, &whole->packet);
    else
        assert_int_equal(part->packet.flags, 0);
    if (part->payload)
        assert_int_equal(part->payload_len, whole->payload_len);
}

static void tells_of_a_part_what_it_tells_of_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ip_packet whole, part;
        size_t len, header = rows[i].hex[0] == '4' ? 20 : 40;
        uint8_t *bytes = read_hex(rows[i].hex, &len);
        print_message("# %zu: %s\n", i, rows[i].log);
        ip_packet_parse(bytes + 1, len, &whole);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *copy = malloc(cut + 1);
            assert_non_null(copy);
            memcpy(copy + 1, bytes + 1, cut);
            enum line_verdict verdict = ip_packet_parse(copy + 1, cut, &part);
            assert_int_equal(verdict, cut < header ? LINE_PARTIAL : LINE_PACKET);
            if (verdict == LINE_PACKET)
                assert_part(&part, &whole);
            if (part.payload && whole.payload)
                assert_int_equal(part.payload - copy, whole.payload - bytes);
            free(copy);
        }
        free(bytes);
    }
}

/* The ports are there with the last byte of the transport's header, not before. */
static void needs_the_whole_header_of_the_transport(void **state)
{
    static const struct {
        const char *hex;
        size_t needed;
    } table[] = {
        {IP4("0028", "0000", "06") TCP("5002"), 40},
        {IP4("0024", "0000", "11") UDP("0010") BYTES8, 28},
        {IP6("0018", "00") EXTENSION("11") UDP("0010") BYTES8, 56},
        {IP6("001c", "2c") FRAGMENT("06", "0000") TCP("5002"), 68},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct ip_packet captured;
        size_t len;
        uint8_t *bytes = read_hex(table[i].hex, &len);
        for (size_t cut = table[i].hex[0] == '4' ? 20 : 40; cut <= len; cut++) {
            ip_packet_parse(bytes + 1, cut, &captured);
            assert_int_equal(captured.packet.has_ports, cut >= table[i].needed);
            assert_int_equal(captured.payload != NULL,
                             captured.packet.proto == IPPROTO_UDP && cut == len);
        }
        free(bytes);
    }
}

static void refuses_what_contradicts_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        struct ip_packet captured;
        size_t len;
        uint8_t *bytes = read_hex(others[i].hex, &len);
        print_message("# %zu: %s\n", i, others[i].hex);
        assert_int_equal(ip_packet_parse(bytes + 1, len, &captured), others[i].verdict);
        assert_null(captured.payload);
        free(bytes);
    }
}

/* --- captured before the host has looked at it --- */

/* IPv4 from and to these addresses, IPv6 likewise, with a SYN to 7000. */
#define SYN4(from, to)                                                                             \
    "4500002812344000400600"                                                                       \
    "00" from to TCP("5002")
#define SYN6(from, to) "6000000000140640" from to TCP("5002")
#define HERE4          "c6336401"
#define HERE6          "20010db8000000000000000000000001"
#define LOOPBACK6      "00000000000000000000000000000001"
/* With options of IPv4: 4 bytes. */
#define OPTIONS4(options)                                                                          \
    "4600002c12340000400600"                                                                       \
    "00cb007109c6336401" options TCP("5002")
/* With an extension header of IPv6 of 8 bytes, behind its length. */
#define HEADER6(kind, rest) IP6("001c", kind) "0600" rest TCP("5002")

/* What comes of it, and whether it has ports; its bytes on the wire beyond those that are there. */
static const struct {
    const char *what, *hex;
    enum line_verdict verdict;
    bool ports;
    int beyond;
    bool wrong_checksum;
} captured_rows[] = {
    {"a SYN", IP4("0028", "4000", "06") TCP("5002"), LINE_PACKET, true, 0, false},
    {"UDP", IP4("0024", "0000", "11") UDP("0010") BYTES8, LINE_PACKET, true, 0, false},
    {"UDP that ends before IP does", IP4("0024", "0000", "11") UDP("000f") BYTES8, LINE_PACKET,
     true, 0, false},
    {"the padding of a link", IP4("0028", "4000", "06") TCP("5002") BYTES8, LINE_PACKET, true, 0,
     false},
    {"a wrong checksum", IP4("0028", "4000", "06") TCP("5002"), LINE_DAMAGED, true, 0, true},
    {"a wrong checksum of options", OPTIONS4("01010101"), LINE_DAMAGED, true, 0, true},
    {"longer than what came", IP4("0029", "4000", "06") TCP("5002"), LINE_DAMAGED, true, 0, false},
    {"longer than what was captured", IP4("0030", "4000", "06") TCP("5002"), LINE_PACKET, true, 8,
     false},
    {"longer than what was captured by more than came", IP4("0031", "4000", "06") TCP("5002"),
     LINE_DAMAGED, true, 8, false},
    {"longer than what was captured of it, nobody knows", IP4("0031", "4000", "06") TCP("5002"),
     LINE_PACKET, true, -1, false},
    {"a time to live of 0",
     "45000028123440000006"
     "0000cb007109c6336401" TCP("5002"),
     LINE_PACKET, true, 0, false},
    {"options that say nothing", OPTIONS4("01010100"), LINE_PACKET, true, 0, false},
    {"options that end early", OPTIONS4("00ff8300"), LINE_PACKET, true, 0, false},
    {"an unknown option", OPTIONS4("94040000"), LINE_PACKET, true, 0, false},
    {"a loose source route", OPTIONS4("83030400"), LINE_DAMAGED, true, 0, false},
    {"a strict source route", OPTIONS4("01890304"), LINE_DAMAGED, true, 0, false},
    {"an option without a length", OPTIONS4("01010194"), LINE_DAMAGED, true, 0, false},
    {"an option of no length", OPTIONS4("94000000"), LINE_DAMAGED, true, 0, false},
    {"an option of one byte that has a length", OPTIONS4("94010000"), LINE_DAMAGED, true, 0, false},
    {"an option longer than the header", OPTIONS4("01940400"), LINE_DAMAGED, true, 0, false},
    /* TCP and UDP. */
    {"a TCP header of 16 bytes", IP4("0028", "4000", "06") TCP("4002"), LINE_DAMAGED, true, 0,
     false},
    {"a TCP header of none", IP4("0028", "4000", "06") TCP("0002"), LINE_DAMAGED, true, 0, false},
    {"a TCP header that is longer than its packet", IP4("002b", "4000", "06") TCP("6002") "010101",
     LINE_DAMAGED, true, 0, false},
    {"one that is as long", IP4("002c", "4000", "06") TCP("6002") "01010101", LINE_PACKET, true, 0,
     false},
    {"one of which only the beginning was captured", IP4("002c", "4000", "06") TCP("6002"),
     LINE_PACKET, true, 4, false},
    {"a UDP length of 7", IP4("0024", "0000", "11") UDP("0007") BYTES8, LINE_DAMAGED, true, 0,
     false},
    {"a UDP length of 0", IP4("0024", "0000", "11") UDP("0000") BYTES8, LINE_DAMAGED, true, 0,
     false},
    {"a UDP length of more than IP's", IP4("0024", "0000", "11") UDP("0011") BYTES8, LINE_DAMAGED,
     true, 0, false},
    {"one of which only the beginning was captured", IP4("0024", "0000", "11") UDP("0010"),
     LINE_PACKET, true, 8, false},
    {"UDP-Lite, whose length may be 0", IP4("0024", "0000", "88") UDP("0000") BYTES8, LINE_PACKET,
     true, 0, false},
    {"by IPv6: a TCP header of 16 bytes", IP6("0014", "06") TCP("4002"), LINE_DAMAGED, true, 0,
     false},
    {"by IPv6: a UDP length of 0", IP6("0010", "11") UDP("0000") BYTES8, LINE_DAMAGED, true, 0,
     false},
    {"by IPv6: a UDP length of more", IP6("0010", "11") UDP("0011") BYTES8, LINE_DAMAGED, true, 0,
     false},
    /* Fragments: the firewall sees them whole. */
    {"the first fragment", IP4("0028", "2000", "06") TCP("5002"), LINE_PACKET, false, 0, false},
    {"a later one", IP4("0028", "0001", "06") TCP("5002"), LINE_PACKET, false, 0, false},
    {"the first of IPv6", IP6("001c", "2c") FRAGMENT("06", "0001") TCP("5002"), LINE_PACKET, false,
     0, false},
    {"one of one", IP6("001c", "2c") FRAGMENT("06", "0000") TCP("5002"), LINE_PACKET, true, 0,
     false},
    {"the first fragment, its header cut short", IP4("0028", "2000", "06") TCP("0002"), LINE_PACKET,
     false, 0, false},
    /* Addresses. */
    {"from 0.1.2.3", SYN4("00010203", HERE4), LINE_PACKET, true, 0, false},
    /* The matcher leaves these out, as those of a log. */
    {"from nobody", SYN4("00000000", HERE4), LINE_PACKET, true, 0, false},
    {"from a group", SYN4("e0000001", HERE4), LINE_PACKET, true, 0, false},
    {"from 127.0.0.1", SYN4("7f000001", HERE4), LINE_PACKET, true, 0, false},
    {"to ::1", SYN6(HERE6, LOOPBACK6), LINE_PACKET, true, 0, false},
    {"from ::ffff:203.0.113.9", SYN6("00000000000000000000ffffcb007109", HERE6), LINE_PACKET, true,
     0, false},
    /* IPv6. */
    {"IPv6", IP6("0014", "06") TCP("5002"), LINE_PACKET, true, 0, false},
    {"IPv6 longer than what came", IP6("0015", "06") TCP("5002"), LINE_DAMAGED, true, 0, false},
    {"a hop limit of 0",
     "60000000001406"
     "0020010db8000000000000000000000009" HERE6 TCP("5002"),
     LINE_PACKET, true, 0, false},
    {"hop by hop: padding", HEADER6("00", "010400000000"), LINE_PACKET, true, 0, false},
    {"hop by hop: router alert", HEADER6("00", "050200000100"), LINE_PACKET, true, 0, false},
    {"hop by hop: unknown, to be skipped", HEADER6("00", "1e0400000000"), LINE_PACKET, true, 0,
     false},
    {"hop by hop: unknown, to be discarded", HEADER6("00", "5e0400000000"), LINE_DAMAGED, true, 0,
     false},
    {"hop by hop: beyond its end", HEADER6("00", "1e0500000000"), LINE_DAMAGED, true, 0, false},
    {"hop by hop: without a length", HEADER6("00", "01030000001e"), LINE_DAMAGED, true, 0, false},
    {"a jumbogram", IP6("0000", "00") "0600c20400010010" TCP("5002"), LINE_DAMAGED, true, 0, false},
    {"a jumbogram that isn't one", HEADER6("00", "c20400010010"), LINE_DAMAGED, true, 0, false},
    {"for its destination: unknown, to be discarded", HEADER6("3c", "9e0400000000"), LINE_DAMAGED,
     true, 0, false},
    {"hop by hop, but later", IP6("0024", "3c") EXTENSION("00") EXTENSION("06") TCP("5002"),
     LINE_DAMAGED, true, 0, false},
    {"a route of type 0", HEADER6("2b", "000100000000"), LINE_DAMAGED, true, 0, false},
    {"a segment route", HEADER6("2b", "040100000000"), LINE_DAMAGED, true, 0, false},
    {"a route that is done", HEADER6("2b", "000000000000"), LINE_PACKET, true, 0, false},
};

static void set_checksum(uint8_t *bytes, bool wrong)
{
    uint32_t sum = 0;
    bytes[10] = bytes[11] = 0;
    for (size_t i = 0; i < 4U * (bytes[0] & 15); i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffff;
    sum ^= wrong ? 0x0100 : 0;
    bytes[10] = (uint8_t)(sum >> 8);
    bytes[11] = (uint8_t)sum;
}

static void refuses_what_a_host_discards(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(captured_rows); i++) {
        struct ip_packet captured;
        size_t len;
        uint8_t *bytes = read_hex(captured_rows[i].hex, &len);
        int beyond = captured_rows[i].beyond;
        if (bytes[1] >> 4 == 4)
            set_checksum(bytes + 1, captured_rows[i].wrong_checksum);
        enum line_verdict verdict = ip_packet_captured(
            bytes + 1, len, beyond < 0 ? SIZE_MAX : len + (size_t)beyond, &captured);
        if (verdict != captured_rows[i].verdict ||
            captured.packet.has_ports != captured_rows[i].ports)
            fail_msg("%s: verdict %d, ports %d", captured_rows[i].what, verdict,
                     captured.packet.has_ports);
        if (captured.packet.has_ports)
            assert_in_range(captured.packet.dpt, 7000, 8000);
        else
            assert_int_equal(captured.packet.dpt + captured.packet.spt + captured.packet.flags, 0);
        if (verdict != LINE_PACKET)
            assert_null(captured.payload);
        free(bytes);
    }
}

/* But for what is refused and fragments, it is the same as by NFLOG, cut at every length. */
static void captured_is_the_same_as_logged(void **state)
{
    unsigned same = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len;
        uint8_t *bytes = read_hex(rows[i].hex, &len);
        if (rows[i].hex[0] == '4')
            set_checksum(bytes + 1, false);
        for (size_t cut = 0; cut <= len; cut++) {
            struct ip_packet captured, logged;
            uint8_t *copy = malloc(cut + 1);
            assert_non_null(copy);
            memcpy(copy + 1, bytes + 1, cut);
            enum line_verdict verdict = ip_packet_captured(copy + 1, cut, len + 100, &captured);
            enum line_verdict other = ip_packet_parse(copy + 1, cut, &logged);
            if (verdict != LINE_DAMAGED)
                assert_int_equal(verdict, other);
            if (verdict == LINE_PACKET && captured.packet.has_ports) {
                assert_same(&captured.packet, &logged.packet);
                assert_ptr_equal(captured.payload, logged.payload);
                same++;
            }
            free(copy);
        }
        free(bytes);
    }
    assert_true(same > 30);
}

/* As many extension headers as the longest packet holds, and behind them the ports. */
static void follows_as_many_headers_as_there_are(void **state)
{
    enum { HEADERS = (65535 - 8) / 8, LEN = 40 + 8 * HEADERS + 8 };
    struct ip_packet captured;
    uint8_t *bytes = calloc(1, LEN);
    (void)state;
    assert_non_null(bytes);
    bytes[0] = 0x60;
    bytes[4] = (LEN - 40) >> 8;
    bytes[5] = (LEN - 40) & 0xff;
    bytes[6] = IPPROTO_DSTOPTS;
    for (size_t i = 0; i < HEADERS; i++)
        bytes[40 + 8 * i] = i + 1 < HEADERS ? IPPROTO_DSTOPTS : IPPROTO_UDP;
    memcpy(bytes + LEN - 8, "\xc0\x00\x1f\x40\x00\x08\x00\x00", 8);
    assert_int_equal(ip_packet_parse(bytes, LEN, &captured), LINE_PACKET);
    assert_true(captured.packet.has_ports);
    assert_int_equal(captured.packet.dpt, 8000);
    assert_non_null(captured.payload);
    bytes[LEN - 16] = IPPROTO_DSTOPTS;
    assert_int_equal(ip_packet_parse(bytes, LEN, &captured), LINE_PACKET);
    assert_int_equal(captured.packet.proto, 0xc0);
    assert_false(captured.packet.has_ports);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_fields_of_its_log_line),
        cmocka_unit_test(has_the_payload_of_a_whole_datagram),
        cmocka_unit_test(tells_of_a_part_what_it_tells_of_the_whole),
        cmocka_unit_test(needs_the_whole_header_of_the_transport),
        cmocka_unit_test(refuses_what_contradicts_itself),
        cmocka_unit_test(refuses_what_a_host_discards),
        cmocka_unit_test(captured_is_the_same_as_logged),
        cmocka_unit_test(follows_as_many_headers_as_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
