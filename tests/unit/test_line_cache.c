/* Heads that are known again must change no verdict: each line is parsed with them and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listener/line_cache.h"

#define TABLE TEST_DATA "/loglines.txt"

static bool same_packet(const struct packet *a, const struct packet *b)
{
    return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) && a->length == b->length &&
           a->proto == b->proto && a->spt == b->spt && a->dpt == b->dpt && a->flags == b->flags &&
           a->has_ports == b->has_ports && a->link_group == b->link_group &&
           a->in_len == b->in_len && a->in == b->in;
}

/* Parses a copy of exactly `len` bytes, so that a sanitizer sees one byte read beyond them. */
static void compare(struct line_cache *line_cache, const struct line_spec *spec, const char *line,
                    size_t len)
{
    struct packet with, without;
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, line, len);
    enum line_verdict expected = logline_parse(spec, copy, len, &without);
    enum line_verdict got = line_cache_parse(line_cache, spec, copy, len, &with);
    if (got != expected || (got == LINE_PACKET && !same_packet(&with, &without)))
        fail_msg("verdict %d instead of %d, or another packet: %.*s", (int)got, (int)expected,
                 (int)len, line);
    free(copy);
}

/* The line once more with each byte changed, lost or doubled, and cut at each. */
static void vary(struct line_cache *line_cache, const struct line_spec *spec, const char *line)
{
    static const char bytes[] = "0569 :=[.IMSZ/\xff";
    char other[1024];
    size_t len = strlen(line);
    assert_true(len < sizeof(other) - 1);
    for (size_t i = 0; i < len; i++) {
        for (size_t b = 0; b < sizeof(bytes); b++) {
            memcpy(other, line, len);
            other[i] = bytes[b];
            compare(line_cache, spec, line, len);
            compare(line_cache, spec, other, len);
        }
        memmove(other + i, line + i + 1, len - i - 1);
        compare(line_cache, spec, other, len - 1);
        memcpy(other, line, i);
        memcpy(other + i + 1, line + i, len - i);
        compare(line_cache, spec, other, len + 1);
        compare(line_cache, spec, line, i);
    }
}

#define ITEMS                                                                                      \
    "SRC=203.0.113.9 DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 DF "                      \
    "PROTO=TCP SPT=40112 DPT=7412 WINDOW=64240 RES=0x00 SYN URGP=0 "
#define KERNEL "2026-11-23T14:28:52.123456+00:00 gate kernel: [ 4711.123456] "

/* Heads of which one might be taken for another. */
static const char *const lines[] = {
    KERNEL "[DENY] IN=eth0 OUT= " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:86:dd " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= MAC=01:00:00:00:00:01:02:00:00:00:00:02:08:00 " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 "
           "TUNNEL=192.0.2.7->192.0.2.8 " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 TUNN",
    KERNEL "[DENY] IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 "
           "SRC=203.0.113.9 DST=192.0.2.11 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=2 ",
    KERNEL "[DENY] IN=eth0 OUT= SRC=203.0.113.9 DST=1.0.2.1 LEN=28 TOS=0x00 PREC=0x00 TTL=64 ID=1 "
           "PROTO=2 ",
    KERNEL "[DENY] IN=eth0 OUT= SRC=203.0.113.9 DST=192.0.2.1 LEN=56 TOS=0x00 PREC=0x00 TTL=64 "
           "ID=1 PROTO=ICMP TYPE=3 CODE=3 [SRC=192.0.2.1 DST=192.0.2.12 LEN=28 TOS=0x00 PREC=0x00 "
           "TTL=1 ID=2 PROTO=2 ] ",
    KERNEL "[DENY] IN=eth0 OUT= SRC=2001:db8::9 DST=2001:db8::1 LEN=60 TC=0 HOPLIMIT=64 FLOWLBL=0 "
           "PROTO=TCP SPT=40112 DPT=7412 WINDOW=64240 RES=0x00 SYN URGP=0 ",
    KERNEL "[DENY] IN=eth0 OUT=eth1 " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= PHYSIN=eth1 " ITEMS,
    KERNEL
    "[DENY] IN=eth0 OUT= MACSRC=02:00:00:00:00:02 MACDST=03:00:00:00:00:01 MACPROTO=0800 " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= TRUNCATED",
    KERNEL "[DENY]IN=eth0 OUT= " ITEMS,
    /* Behind the head of the line above stands what has precedence over it. */
    KERNEL "[DENY]IN=eth0 OUT= SRC=192.0.2.1 IN=eth1 OUT= " ITEMS,
    KERNEL "[DENY] IN=eth0 OUT= SRC=x IN=eth1 OUT= " ITEMS,
    KERNEL "IN=eth0 OUT= " ITEMS,
    KERNEL "[DENY] IN=IN=eth0 OUT= " ITEMS,
    "2026-11-23T14:28:60.123456+00:00 gate kernel: [ 4711.123456] [DENY] IN=eth0 OUT= " ITEMS,
    "2026-11-23T23:59:59Z gate kernel: [    0.5][    T1] [DENY] IN=eth0 OUT= " ITEMS,
    "Nov 23 14:28:52 gate kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "<4>Nov  3 14:28:52 gate kernel: [12345.678901] [DENY] IN=eth0 OUT= " ITEMS,
    "[Mon Nov 23 14:28:52 2026] [DENY] IN=eth0 OUT= " ITEMS,
    "Mon Nov 23 14:28:52 2026 kern.warn kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "Nov 23 2026 14:28:52 192.0.2.1 gate kernel[]: [DENY] IN=eth0 OUT= " ITEMS,
    "Mon 2026-11-23 14:28:52 UTC gate kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "2026-11-23T14:28:52,123456+00:00 [DENY] IN=eth0 OUT= " ITEMS,
    "1795444132.123456 gate kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "<4>1 2026-11-23T14:28:52.123456Z gate kernel - - [a b=\"c\"] [DENY] IN=eth0 OUT= " ITEMS,
    "[12345.678901] gate kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "[12345.678901] kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "[12345.678901 <    0.010306 >] gate kernel: [DENY] IN=eth0 OUT= " ITEMS,
    "kern  :warn  : [  +0.010306] [DENY] IN=eth0 OUT= " ITEMS,
    "kern  :warn  : [DENY] IN=eth0 OUT= " ITEMS,
    "[Nov23 14:28] [DENY] IN=eth0 OUT= " ITEMS,
    "[\xd0\x9f\xd0\xbd \xd0\xbd\xd0\xbe\xd1\x8f 23 14:28:52 2026] [DENY] IN=eth0 OUT= " ITEMS,
    "4,1234,4711123456,-;[DENY] IN=eth0 OUT= " ITEMS,
    "4,1234,4711123456,-;[DENY] IN=eth0 OUT= " ITEMS "\n SUBSYSTEM=net",
    "Nov 23 14:28:52 gate [DENY] IN=eth0 OUT= " ITEMS,
};
enum { LINES = sizeof(lines) / sizeof(*lines) };

/* What is longer than a head may be decided by what follows the head. */
static const char *const prefixes[] = {
    "[DENY] IN=eth0 OUT= SRC=x",
    "[DENY] ",
    "[DEN",
    "[DENY] IN=eth0 OUT= SRC=203.0.113.9 DST=",
    "kernel: ",
};

/* Calls `check` for every format and some choices of prefixes. */
static void each_spec(void (*check)(const struct line_spec *spec))
{
    for (int format = LOG_KERNEL; format <= LOG_ULOGD; format++)
        for (unsigned first = 0; first < 3; first++)
            for (unsigned count = 0; count <= 5 - first; count++)
                check(&(struct line_spec){(enum log_format)format, count, prefixes + first});
}

static void check_pairs(const struct line_spec *spec)
{
    for (int a = 0; a < LINES; a++) {
        struct line_cache line_cache = {0};
        for (int b = 0; b < LINES; b++) {
            compare(&line_cache, spec, lines[a], strlen(lines[a]));
            compare(&line_cache, spec, lines[b], strlen(lines[b]));
        }
    }
}

static void check_variants(const struct line_spec *spec)
{
    if (spec->prefix_count > 1 || (spec->prefix_count == 0 && spec->prefixes != prefixes))
        return;
    for (int a = 0; a < LINES; a++) {
        struct line_cache line_cache = {0};
        vary(&line_cache, spec, lines[a]);
    }
}

static void one_head_is_not_taken_for_another(void **state)
{
    (void)state;
    each_spec(check_pairs);
}

static void a_changed_head_is_read_anew(void **state)
{
    (void)state;
    each_spec(check_variants);
}

/* All lines of the parser's table, whatever it says of them, as the kernel's. */
static void the_table_is_the_same(void **state)
{
    (void)state;
    char text[4096];
    unsigned rows = 0;
    struct line_cache line_cache = {0};
    struct line_spec any = {.format = LOG_KERNEL};
    FILE *file = fopen(TABLE, "r");
    assert_non_null(file);
    while (fgets(text, sizeof(text), file)) {
        const char *line = strrchr(text, '|');
        if (!line || text[0] == '#' || strlen(line) > 900)
            continue;
        for (const char *p = line + 2; *p; p++) {
            compare(&line_cache, &any, line + 2, strlen(line + 2));
            compare(&line_cache, &any, line + 2, (size_t)(p - line - 2));
        }
        rows++;
    }
    fclose(file);
    assert_true(rows > 400);
}

/* That heads are known at all: then a digit of the fraction makes no new one. */
static void only_times_differ(void **state)
{
    (void)state;
    struct line_cache line_cache = {0};
    struct line_spec any = {.format = LOG_KERNEL};
    char line[1024];
    for (int i = 0; i < 10; i++) {
        int len = snprintf(line, sizeof(line),
                           "2026-11-23T14:28:5%d.%06d+00:00 gate kernel: [ 4711.%06d] [DENY] "
                           "IN=eth0 OUT= %s",
                           i, 99999 * i, 77777 * i, ITEMS);
        compare(&line_cache, &any, line, (size_t)len);
    }
    assert_int_equal(line_cache.oldest, 1);
}

/* That the link's header and the destination are known: each from the line before alone. */
static void link_and_destination_are_known(void **state)
{
    (void)state;
    struct line_cache line_cache = {0};
    struct line_spec any = {.format = LOG_KERNEL};
    const char *line =
        KERNEL "[DENY] IN=eth0 OUT= MAC=01:00:00:00:00:01:02:00:00:00:00:02:08:00 " ITEMS;
    compare(&line_cache, &any, line, strlen(line));
    assert_true(line_cache.link.known && line_cache.link.group);
    assert_int_equal(line_cache.destination.len, strlen("192.0.2.1"));
    /* What is taken from there isn't read in the line. */
    struct packet packet;
    line_cache.link.group = false;
    line_cache.destination.address.bytes[3] = 7;
    assert_int_equal(line_cache_parse(&line_cache, &any, line, strlen(line), &packet), LINE_PACKET);
    assert_false(packet.link_group);
    assert_int_equal(packet.dst.bytes[3], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_head_is_not_taken_for_another),
        cmocka_unit_test(a_changed_head_is_read_anew),
        cmocka_unit_test(the_table_is_the_same),
        cmocka_unit_test(only_times_differ),
        cmocka_unit_test(link_and_destination_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
