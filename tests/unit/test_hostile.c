/* Lines that strangers bring into a log, tests/data/hostile.txt: none is a packet, however read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_help.h"

#include "listener/logline.h"

#define TABLE TEST_DATA "/hostile.txt"

enum { LINE_SIZE = 4096 };

static const char *const one[] = {"[DENY] "};
static const char *const some[] = {"[UFW BLOCK] ", "test", "[DENY]"};
static const char *const kernels_tag[] = {"kernel: "};
static const struct line_spec specs[] = {
    {LOG_KERNEL, 1, one},         {LOG_KMSG, 1, one},         {LOG_ULOGD, 1, one},
    {LOG_KERNEL, 3, some},        {LOG_KMSG, 3, some},        {LOG_ULOGD, 3, some},
    {LOG_KERNEL, 1, kernels_tag}, {LOG_KMSG, 1, kernels_tag}, {LOG_KERNEL, 0, NULL},
    {LOG_KMSG, 0, NULL},
};

/* Parses a copy of exactly `len` bytes, so that a sanitizer sees one byte read beyond them. */
static bool is_packet(const struct line_spec *spec, const char *line, size_t len, bool *ports)
{
    struct packet packet;
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, line, len);
    bool found = logline_parse(spec, copy, len, &packet) == LINE_PACKET;
    free(copy);
    *ports = found && packet.has_ports;
    return found;
}

static void check_row(char *text, unsigned number)
{
    char format[8], prefix[2];
    int at = 0;
    if (sscanf(text, "%7[a-z] | %1[-+] |%n", format, prefix, &at) != 2 || text[at] != ' ')
        fail_msg("%s:%u: expected FORMAT | PREFIX | LINE", TABLE, number);
    char *line = text + at + 1;
    size_t len = unescape(line);
    bool ports;
    for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++)
        if ((specs[i].prefix_count > 0 || *prefix == '-') &&
            is_packet(&specs[i], line, len, &ports))
            fail_msg("%s:%u: is a packet, format %d, %u prefixes", TABLE, number, specs[i].format,
                     specs[i].prefix_count);
}

static void no_line_is_a_packet(void **state)
{
    (void)state;
    char text[LINE_SIZE];
    unsigned rows = 0;
    FILE *file = fopen(TABLE, "r");
    if (!file)
        fail_msg("cannot open %s: run the tests from the repository's root", TABLE);
    for (unsigned number = 1; fgets(text, sizeof(text), file); number++) {
        text[strcspn(text, "\n")] = '\0';
        if (*text == '#' || *text == '\0')
            continue;
        check_row(text, number);
        rows++;
    }
    fclose(file);
    assert_true(rows > 200);
}

/* Good lines, of which each end is needed. */
static const char *const good[] = {
    ("Nov 23 14:28:52 gate kernel: [ 1238.672393] [DENY] IN=eth0 OUT= "
     "MAC=1e:5f:e6:e4:0a:82:62:43:83:38:2f:d2:08:00 SRC=203.0.113.9 DST=192.0.2.2 LEN=60 TOS=0x00 "
     "PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=40112 DPT=7000 WINDOW=64240 RES=0x00 SYN URGP=0"),
    ("2026-11-23T14:28:52.123456+0000 gate kernel: [DENY] IN=eth0 OUT= "
     "SRC=2001:0db8:0000:0000:0000:0000:0000:0009 DST=2001:0db8:0000:0000:0000:0000:0000:0002 "
     "LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=0 PROTO=TCP SPT=40112 DPT=7000 WINDOW=64240 RES=0x00 SYN "
     "URGP=0"),
    ("4,1,1238672393,-;[DENY] IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.2 LEN=28 TOS=0x00 PREC=0x00 "
     "TTL=64 ID=1 PROTO=UDP SPT=40112 DPT=7000 LEN=8"),
};

/* Whether the first `len` bytes of the good line tell of ports. Without them it may be a packet, of
 * IPv6: the kernel names no protocol where it is ESP. */
static bool knocks(size_t i, size_t len)
{
    struct line_spec spec = {i == 2 ? LOG_KMSG : LOG_KERNEL, 1, one};
    bool ports;
    is_packet(&spec, good[i], len, &ports);
    return ports;
}

static void nor_knocks_a_line_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        size_t whole = strlen(good[i]);
        assert_true(knocks(i, whole));
        for (size_t len = 0; len < whole; len++)
            if (knocks(i, len))
                fail_msg("line %zu, cut after %zu bytes, knocks", i, len);
    }
}

/* A writer that was cut off, and the next line right behind it. Records of /dev/kmsg can't be. */
static void nor_are_two_lines_in_one(void **state)
{
    (void)state;
    char line[2048];
    bool ports;
    static const struct line_spec spec = {LOG_KERNEL, 1, one};
    for (size_t i = 0; i < 2; i++) {
        size_t whole = strlen(good[i]);
        for (size_t len = 1; len <= whole; len++) {
            int joined = snprintf(line, sizeof(line), "%.*s%s", (int)len, good[i], good[i]);
            if (is_packet(&spec, line, (size_t)joined, &ports))
                fail_msg("line %zu, cut after %zu bytes and joined, is a packet", i, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_line_is_a_packet),
        cmocka_unit_test(nor_knocks_a_line_cut_anywhere),
        cmocka_unit_test(nor_are_two_lines_in_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
