/* The log line parser against the cases of tests/data/loglines.txt, whole, cut and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_help.h"

#include "lib/sequence.h"
#include "listener/log_header.h"
#include "listener/logline.h"

#define TABLE TEST_DATA "/loglines.txt"

enum { LINE_SIZE = 4096, PREFIXES_MAX = 8, TEXT_SIZE = PACKET_TEXT_SIZE + 80 };

/* One case of the table. What its pointers point to lives in `text`. */
struct row {
    unsigned number;
    struct line_spec spec;
    const char *prefixes[PREFIXES_MAX];
    const char *expected;
    char *line;
    size_t len;
    char text[LINE_SIZE];
};

static const char *const formats[] = {"kernel", "kmsg", "ulogd"};
static const char *const verdicts[] = {"packet", "foreign", "prefix", "damaged", "partial"};

static char *next_field(char **rest, const struct row *row)
{
    char *field = *rest, *bar = strstr(field, " | ");
    if (!bar)
        fail_msg("%s:%u: expected FORMAT | PREFIXES | EXPECTED | LINE", TABLE, row->number);
    *bar = '\0';
    *rest = bar + 3;
    return field;
}

static void split_prefixes(struct row *row, char *text)
{
    row->spec.prefixes = row->prefixes;
    row->spec.prefix_count = 0;
    if (strcmp(text, "-") == 0)
        return;
    unescape(text);
    for (char *p = text; p; row->spec.prefix_count++) {
        assert_true(row->spec.prefix_count < PREFIXES_MAX);
        row->prefixes[row->spec.prefix_count] = p;
        p = strchr(p, ';');
        if (p)
            *p++ = '\0';
    }
}

static void parse_row(struct row *row)
{
    char *rest = row->text;
    const char *format = next_field(&rest, row);
    for (row->spec.format = LOG_KERNEL; strcmp(formats[row->spec.format], format) != 0;)
        if (++row->spec.format > LOG_ULOGD)
            fail_msg("%s:%u: unknown format \"%s\"", TABLE, row->number, format);
    split_prefixes(row, next_field(&rest, row));
    char *expected = next_field(&rest, row);
    unescape(expected);
    row->expected = expected;
    row->line = rest;
    row->len = unescape(rest);
}

/* Calls `check` for every case of the table. */
static void each_row(void (*check)(const struct row *row))
{
    static struct row row;
    FILE *file = fopen(TABLE, "r");
    if (!file)
        fail_msg("cannot open %s: run the tests from the repository's root", TABLE);
    unsigned rows = 0;
    for (row.number = 1; fgets(row.text, sizeof(row.text), file); row.number++) {
        row.text[strcspn(row.text, "\n")] = '\0';
        if (row.text[0] == '#' || row.text[0] == '\0')
            continue;
        parse_row(&row);
        check(&row);
        rows++;
    }
    fclose(file);
    assert_true(rows > 400);
}

/* Parses a copy of exactly `len` bytes, so that a sanitizer sees one byte read beyond them. */
static enum line_verdict parse_copy(const struct row *row, const char *line, size_t len,
                                    char text[TEXT_SIZE], struct packet *packet)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, line, len);
    enum line_verdict verdict = logline_parse(&row->spec, copy, len, packet);
    if (verdict != LINE_PACKET) {
        snprintf(text, TEXT_SIZE, "%s", verdicts[verdict]);
    } else {
        assert_true(packet->in >= copy && packet->in + packet->in_len <= copy + len);
        packet_format(packet, text);
        for (char *tab = text; (tab = strchr(tab, '\t'));)
            *tab = ' ';
        size_t used = strlen(text);
        snprintf(text + used, TEXT_SIZE - used, " %.*s%s", packet->in_len ? packet->in_len : 1,
                 packet->in_len ? packet->in : "-", packet->link_group ? " group" : "");
    }
    free(copy);
    return verdict;
}

static void expect(const struct row *row, const char *line, size_t len, const char *variant)
{
    char text[TEXT_SIZE];
    struct packet packet;
    parse_copy(row, line, len, text, &packet);
    if (strcmp(text, row->expected) != 0)
        fail_msg("%s:%u%s: expected \"%s\", got \"%s\"", TABLE, row->number, variant, row->expected,
                 text);
}

static bool tells_packet(const struct row *row)
{
    return strchr(row->expected, ' ');
}

static void check_whole(const struct row *row)
{
    expect(row, row->line, row->len, "");
    if (!tells_packet(row) || row->spec.format == LOG_KMSG)
        return;
    char variant[LINE_SIZE];
    size_t len = row->len;
    memcpy(variant, row->line, len);
    variant[len] = '\r';
    expect(row, variant, len + 1, " with CR");
    while (len > 0 && variant[len - 1] == ' ')
        len--;
    expect(row, variant, len, " without its blanks at the end");
    variant[len] = ' ';
    expect(row, variant, len + 1, " with one blank at the end");
}

static void every_line_is_what_the_table_says(void **state)
{
    (void)state;
    each_row(check_whole);
}

/* The kernel's buffer cuts without a word: "DPT=70" of 7000 is a good number, but not the port. */
static void check_cuts(const struct row *row)
{
    char text[TEXT_SIZE];
    struct packet whole, cut;
    if (!tells_packet(row))
        return;
    parse_copy(row, row->line, row->len, text, &whole);
    for (size_t len = 0; len < row->len; len++) {
        if (parse_copy(row, row->line, len, text, &cut) != LINE_PACKET)
            continue;
        bool same = addr_equal(&cut.src, &whole.src) && addr_equal(&cut.dst, &whole.dst);
        if (cut.has_ports)
            same = same && whole.has_ports && cut.spt == whole.spt && cut.dpt == whole.dpt &&
                   cut.proto == whole.proto && cut.flags == whole.flags;
        if (!same)
            fail_msg("%s:%u: cut after %zu bytes it is \"%s\"", TABLE, row->number, len, text);
    }
}

static void no_cut_makes_another_packet(void **state)
{
    (void)state;
    each_row(check_cuts);
}

static void check_sanity(const struct row *row, const char *line, size_t len)
{
    char text[TEXT_SIZE];
    struct packet packet;
    if (parse_copy(row, line, len, text, &packet) != LINE_PACKET)
        return;
    bool ports = packet.proto == IPPROTO_TCP || packet.proto == IPPROTO_UDP ||
                 packet.proto == IPPROTO_UDPLITE;
    if ((packet.has_ports && !ports) || (packet.flags && packet.proto != IPPROTO_TCP) ||
        packet.src.family != packet.dst.family)
        fail_msg("%s:%u: damaged it is \"%s\"", TABLE, row->number, text);
}

/* Every byte lost, and replaced by what the grammar gives a meaning. */
static void check_damage(const struct row *row)
{
    static const char bytes[] = {'\0', ' ', ':', '=', '[', ']', '9', '\\', '\xff'};
    char line[LINE_SIZE];
    for (size_t i = 0; i < row->len; i++) {
        memcpy(line, row->line, row->len);
        for (size_t b = 0; b < sizeof(bytes); b++) {
            line[i] = bytes[b];
            check_sanity(row, line, row->len);
        }
        memmove(line + i, row->line + i + 1, row->len - i - 1);
        check_sanity(row, line, row->len - 1);
    }
}

static void damage_never_makes_nonsense(void **state)
{
    (void)state;
    each_row(check_damage);
}

/* Random bytes of the grammar's alphabet behind a good beginning; the seed is fixed, so a failure
 * comes again. */
static void survives_noise(void **state)
{
    (void)state;
    static const char *const words[] = {
        "IN=",        "OUT=",      " ",      "SRC=192.0.2.1 ", "DST=192.0.2.2 ",
        "LEN=",       "1",         "PROTO=", "TCP ",           "UDP ",
        "ICMP ",      "[",         "] ",     "OPT ( ",         ") ",
        "FRAG:",      "ID:",       "SPT=1 ", "DPT=2 ",         "TYPE=3 ",
        "CODE=1 ",    "MAC=",      "aa:",    "MARK=",          "0x",
        "INCOMPLETE", "TRUNCATED", "\\x",    "URGP=0",         "TOS=",
        "UID=1 ",     "kernel: ",  "\xff",   "65536 ",         "AH "};
    static const char *const starts[] = {"kernel: IN=", "4,1,0,-;", "Nov 23 14:28:52 a "};
    struct row row = {0};
    uint32_t seed = 20261123;
    for (int i = 0; i < 200000; i++) {
        char line[512];
        row.spec.format = (enum log_format)(i % 3);
        int len = snprintf(line, sizeof(line), "%s", starts[i % 3]);
        for (int n = 0; n < 20; n++) {
            seed = seed * 1664525 + 1013904223;
            const char *word = words[(seed >> 16) % (sizeof(words) / sizeof(*words))];
            len += snprintf(line + len, sizeof(line) - (size_t)len, "%s", word);
        }
        check_sanity(&row, line, (size_t)len);
    }
}

static void envelopes_keep_their_times(void **state)
{
    (void)state;
    static const struct {
        enum log_format format;
        const char *line, *timestamp, *uptime, *delta;
    } rows[] = {
        {LOG_KERNEL, "Nov  3 14:28:52 gate kernel: [   12.5] x", "Nov  3 14:28:52", "12.5", NULL},
        {LOG_KERNEL, "Tue Nov 23 14:28:52 2026 kern.warn kernel: x", "Tue Nov 23 14:28:52 2026",
         NULL, NULL},
        {LOG_KERNEL, "2026-11-23T14:28:52.5+01:00 gate kernel: x", "2026-11-23T14:28:52.5+01:00",
         NULL, NULL},
        {LOG_KERNEL, "[Mon Nov 23 14:28:52 2026] x", "Mon Nov 23 14:28:52 2026", NULL, NULL},
        {LOG_KERNEL, "<4>[    1.25][    T1] x", NULL, "1.25", NULL},
        {LOG_KMSG, "4,1,1250000,-;x", NULL, "1250000", NULL},
        {LOG_KERNEL, "<4>1 2026-11-23T14:28:52Z gate kernel - - - x", "2026-11-23T14:28:52Z", NULL,
         NULL},
        {LOG_KERNEL, "1795444132.123456 gate kernel: x", "1795444132.123456", NULL, NULL},
        {LOG_KERNEL, "[    1.25 <    0.5 >] x", NULL, "1.25", "0.5"},
        {LOG_KERNEL, "[Mon Nov  2 14:28:52 2026 <   0.5>] x", "Mon Nov  2 14:28:52 2026", NULL,
         "0.5"},
        {LOG_KERNEL, "[<   12,5>] x", NULL, NULL, "12,5"},
        {LOG_KERNEL, "kern  :warn  : [  -0.5] x", NULL, NULL, "-0.5"},
        {LOG_KERNEL, "[Nov23 14:28] x", "Nov23 14:28", NULL, NULL},
        {LOG_KERNEL, "kern  :warn  : x", NULL, NULL, NULL},
        {LOG_ULOGD, "Nov 23 14:28:52 gate x", "Nov 23 14:28:52", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct log_header env;
        assert_true(log_header_parse(rows[i].format, rows[i].line, strlen(rows[i].line), &env));
        assert_string_equal(env.message, "x");
        assert_int_equal(env.timestamp_len, rows[i].timestamp ? strlen(rows[i].timestamp) : 0);
        assert_int_equal(env.uptime_len, rows[i].uptime ? strlen(rows[i].uptime) : 0);
        if (rows[i].timestamp)
            assert_memory_equal(env.timestamp, rows[i].timestamp, env.timestamp_len);
        if (rows[i].uptime)
            assert_memory_equal(env.uptime, rows[i].uptime, env.uptime_len);
        assert_true(!rows[i].delta == !env.delta);
        if (rows[i].delta) {
            assert_int_equal(env.delta_len, strlen(rows[i].delta));
            assert_memory_equal(env.delta, rows[i].delta, env.delta_len);
        }
    }
}

/* Who wrote a line goes on to people's terminals. */
static void headers_name_their_host(void **state)
{
    (void)state;
    static const char cut[] = "a23456789b23456789c23456789d23456789e23456789f23456789g23";
    static const struct {
        enum log_format format;
        const char *line, *host;
    } rows[] = {
        {LOG_KERNEL, "Nov  3 14:28:52 gw-b kernel: [   12.5] x", "gw-b"},
        {LOG_KERNEL, "2026-11-23T14:28:52.5+01:00 gw-b.example.org kernel: x", "gw-b.example.org"},
        {LOG_KERNEL, "Nov  3 14:28:52 192.0.2.7 gw-b kernel: x", "gw-b"},
        {LOG_KERNEL, "Nov  3 14:28:52 gw-b gw-b.example.org kernel: x", "gw-b.example.org"},
        {LOG_KERNEL, "Nov  3 14:28:52 gw-b kern.warn kernel: x", "gw-b"},
        {LOG_KERNEL, "Nov  3 14:28:52 2001:db8::7 kernel: x", "2001:db8::7"},
        {LOG_KERNEL, "Tue Nov 23 14:28:52 2026 kern.warn kernel: x", ""},
        {LOG_KERNEL, "kernel: x", ""},
        {LOG_KERNEL, "<4>[    1.25] gw-b kernel: x", ""}, /* may be the message's own */
        {LOG_KERNEL, "<4>1 2026-11-23T14:28:52Z gw-b kernel - - - x", "gw-b"},
        {LOG_KERNEL, "<4>1 2026-11-23T14:28:52Z - kernel - - - x", ""},
        {LOG_KERNEL, "<4>1 2026-11-23T14:28:52Z gw;$(id) kernel - - - x", ""},
        {LOG_KERNEL, "<4>1 2026-11-23T14:28:52Z gw\033[2J kernel - - - x", ""},
        {LOG_KERNEL, "Nov  3 14:28:52 gw\033[2J kernel: x", ""},
        {LOG_KERNEL, "Nov  3 14:28:52 gw-b sshd: x", ""},
        {LOG_KMSG, "4,1,1250000,-;Nov  3 14:28:52 gw-b kernel: x", ""},
        {LOG_ULOGD, "Nov 23 14:28:52 gw-b x", "gw-b"},
        {LOG_KERNEL,
         "Nov  3 14:28:52 a23456789b23456789c23456789d23456789e23456789f23456789g23456789h kernel: x",
         cut},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char host[HOST_NAME_SIZE], expected[HOST_NAME_SIZE] = "";
        snprintf(expected, sizeof(expected), "%s%s", rows[i].host,
                 rows[i].host == cut ? "456789h" : "");
        log_header_host(rows[i].format, rows[i].line, strlen(rows[i].line), host);
        assert_string_equal(host, expected);
        assert_true(host_name_is_valid(host));
    }
    assert_true(host_name_equal("gw-b", "GW-B.example.org"));
    assert_true(host_name_equal("gw-b.example.org", "gw-b"));
    assert_false(host_name_equal("gw-b", "gw-bb"));
    assert_false(host_name_equal("", "gw-b"));
    assert_null(host_name_other(""));
}

static void shows_foreign_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *line, *prefix;
    } rows[] = {
        {"kernel: [    1.25] [UFW BLOCK] IN=eth0 OUT= SRC=", "[UFW BLOCK] "},
        {"kernel: testIN=eth0 OUT=", "test"},
        {"kernel: IN= OUT=eth0 SRC=", ""},
        {"kernel: usb 1-1: new device", NULL},
        {"kernel: message repeated 2 times: [ [DENY] IN=eth0 OUT= ]", NULL},
        {"sshd[1]: [DENY] IN=eth0 OUT=", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t len = 0;
        const char *prefix = logline_prefix(LOG_KERNEL, rows[i].line, strlen(rows[i].line), &len);
        if (!rows[i].prefix) {
            assert_null(prefix);
            continue;
        }
        assert_non_null(prefix);
        assert_int_equal(len, strlen(rows[i].prefix));
        assert_memory_equal(prefix, rows[i].prefix, len);
    }
}

static void packets_as_text(void **state)
{
    (void)state;
    struct packet packet = {.proto = IPPROTO_TCP, .spt = 1, .dpt = 65535, .has_ports = true};
    char text[PACKET_TEXT_SIZE];
    packet.flags = TCP_SYN | TCP_ACK | TCP_CWR;
    packet.length = UINT32_MAX;
    assert_true(addr_parse("2001:db8::1", 11, &packet.src));
    assert_string_equal(packet_format(&packet, text),
                        "TCP\t2001:db8::1\t1\t-\t65535\tCWR,ACK,SYN\t4294967295");
    packet = (struct packet){.proto = -1};
    assert_string_equal(packet_format(&packet, text), "-\t-\t-\t-\t-\t-\t0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_is_what_the_table_says),
        cmocka_unit_test(no_cut_makes_another_packet),
        cmocka_unit_test(damage_never_makes_nonsense),
        cmocka_unit_test(survives_noise),
        cmocka_unit_test(envelopes_keep_their_times),
        cmocka_unit_test(headers_name_their_host),
        cmocka_unit_test(shows_foreign_prefixes),
        cmocka_unit_test(packets_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
