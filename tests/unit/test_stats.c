/* What a source brought, and knocks that stayed behind: counted in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "listener/pipeline.h"

static void line_with(struct stats *stats, const char *prefix)
{
    stats_line(stats, LINE_PREFIX, prefix, strlen(prefix));
}

static void speaks_of_other_prefixes(void **state)
{
    (void)state;
    struct stats stats;
    stats_reset(&stats);
    unsigned said[3] = {0}, times = 0;
    for (unsigned i = 1; i <= 5000; i++) {
        line_with(&stats, i % 10 ? "[UFW BLOCK] " : "");
        if (stats_report_prefixes(&stats))
            said[times++] = i;
    }
    assert_int_equal(times, 3);
    assert_int_equal(said[0], 50);
    assert_int_equal(said[1], 500);
    assert_int_equal(said[2], 5000);
    assert_string_equal(stats_commonest(&stats)->text, "[UFW BLOCK] ");
    assert_int_equal(stats_commonest(&stats)->count, 4500);
}

static void is_quiet_once_one_was_ours(void **state)
{
    (void)state;
    struct stats stats;
    stats_reset(&stats);
    stats_line(&stats, LINE_PACKET, NULL, 0);
    for (unsigned i = 0; i < 1000; i++) {
        line_with(&stats, "X");
        assert_false(stats_report_prefixes(&stats));
    }
    assert_int_equal(stats.lines, 1001);
    assert_int_equal(stats.verdicts[LINE_PREFIX], 1000);
}

/* A thousand other prefixes can't hide the one that most lines have. */
static void keeps_the_commonest(void **state)
{
    (void)state;
    struct stats stats;
    char junk[16];
    stats_reset(&stats);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(junk, sizeof(junk), "junk%u", i);
        line_with(&stats, junk);
        line_with(&stats, "[DENY] ");
    }
    assert_string_equal(stats_commonest(&stats)->text, "[DENY] ");
    char longest[2 * PREFIX_MAX];
    memset(longest, 'p', sizeof(longest));
    stats_line(&stats, LINE_PREFIX, longest, sizeof(longest));
    assert_string_equal(stats_commonest(&stats)->text, "[DENY] ");
}

static void prefixes_of_accepted_packets(void **state)
{
    (void)state;
    static const char *const accepted[] = {"[UFW ALLOW] ",
                                           "[UFW AUDIT] ",
                                           "[UFW AUDIT INVALID] ",
                                           "Shorewall:net-fw:ACCEPT:",
                                           "[WAN_LOCAL-10-A]",
                                           "[LAN_IN-2000-A] ",
                                           "accepted: "};
    static const char *const others[] = {"",
                                         "[KNOCK] ",
                                         "[UFW BLOCK] ",
                                         "[UFW LIMIT BLOCK] ",
                                         "Shorewall:net-fw:DROP:",
                                         "[WAN_LOCAL-default-D]",
                                         "NOT ALLOWED: ",
                                         "unacceptable ",
                                         "A "};
    for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++)
        if (!prefix_is_of_accepted(accepted[i], strlen(accepted[i])))
            fail_msg("%s", accepted[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (prefix_is_of_accepted(others[i], strlen(others[i])))
            fail_msg("%s", others[i]);
}

/* What the firewall accepted is no candidate, however often it comes. */
static void accepted_packets_are_no_candidates(void **state)
{
    (void)state;
    struct stats stats;
    stats_reset(&stats);
    for (unsigned i = 0; i < 100; i++)
        line_with(&stats, "[UFW AUDIT] ");
    assert_null(stats_commonest(&stats));
    line_with(&stats, "[UFW BLOCK] ");
    assert_string_equal(stats_commonest(&stats)->text, "[UFW BLOCK] ");
}

#define PACKET                                                                                     \
    "IN=eth0 OUT= MAC= SRC=192.0.2.7 DST=198.51.100.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=1 "      \
    "PROTO=TCP SPT=1 DPT=2 WINDOW=1024 RES=0x00 SYN URGP=0 "
#define ULOGD_PACKET                                                                               \
    "IN=eth0 OUT= MAC= SRC=192.0.2.7 DST=198.51.100.1 LEN=40 TOS=00 PREC=0x00 TTL=64 ID=1 "        \
    "PROTO=TCP SPT=1 DPT=2 SEQ=1 ACK=0 WINDOW=1024 SYN URGP=0 MARK=0 "

static void headers_that_are_not_known(void **state)
{
    (void)state;
    static const struct {
        enum log_format format;
        const char *line;
        bool told;
        enum header_hint hint;
    } rows[] = {
        {LOG_KERNEL, "gate firewall: [DENY] " PACKET, true, HEADER_OTHER},
        {LOG_KERNEL, "Nov 23 14:28:52 gate fw[7]: [DENY] " PACKET, true, HEADER_OTHER},
        {LOG_KERNEL, "Nov 23 14:28:52 gate [DENY] " ULOGD_PACKET, true, HEADER_ULOGD},
        {LOG_KERNEL, "0 6 PVEFW-HOST-IN 16/Nov/2021:10:17:00 +0100 [DENY] " PACKET, true,
         HEADER_PROXMOX},
        {LOG_KERNEL, "{\"log\":\"[DENY] " PACKET "\"}", true, HEADER_JSON},
        {LOG_ULOGD, "[DENY] " ULOGD_PACKET, true, HEADER_ULOGD},
        /* Their header is known: it isn't that. */
        {LOG_KERNEL, "Nov 23 14:28:52 gate kernel: [DENY] " PACKET, false, 0},
        {LOG_KERNEL, "Nov 23 14:28:52 gate kernel: about [DENY] IN= SRC= DST=", false, 0},
        {LOG_ULOGD, "Nov 23 14:28:52 gate [DENY] " ULOGD_PACKET, false, 0},
        /* Not with our prefix, or not about a packet. */
        {LOG_KERNEL, "gate firewall: [OTHER] " PACKET, false, 0},
        {LOG_KERNEL, "gate firewall: [DENY] IN=eth0 OUT= ARP", false, 0},
        {LOG_KERNEL, "Nov 23 14:28:52 gate sshd[1]: [DENY]", false, 0},
        {LOG_KERNEL, "", false, 0},
        /* Of another facility: a program wrote it. */
        {LOG_KMSG, "12,1,2,-;[DENY] " PACKET, false, 0},
        {LOG_KERNEL, "12,1,2,-;[DENY] " PACKET, false, 0},
    };
    static const char *const prefixes[] = {"[KNOCK]", "[DENY]"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct line_spec spec = {rows[i].format, 2, prefixes};
        struct foreign foreign = {0};
        size_t len = strlen(rows[i].line);
        if (foreign_is_firewall(&spec, rows[i].line, len) != rows[i].told)
            fail_msg("%s", rows[i].line);
        foreign_note(&foreign, rows[i].line, len);
        if (rows[i].told && foreign.hint != rows[i].hint)
            fail_msg("%s: %u", rows[i].line, foreign.hint);
        assert_memory_equal(foreign.example, rows[i].line, len < 160 ? len : 160);
        assert_int_equal(foreign.example[len < 160 ? len : 160], '\0');
    }
}

static struct stalled_knock make(unsigned last_byte, unsigned stage, int64_t until)
{
    struct stalled_knock a = {.door = 1, .stage = stage, .until = until};
    a.address = (struct addr){.family = 4, .bytes = {192, 0, 2, (uint8_t)last_byte}};
    return a;
}

static void tells_of_the_farthest_step(void **state)
{
    (void)state;
    struct stalled stalled = {0};
    struct stalled_knock first = make(9, 1, 15), second = make(9, 2, 20), out;
    assert_int_equal(stalled_next(&stalled), INT64_MAX);
    stalled_reach(&stalled, &first);
    stalled_reach(&stalled, &second);
    assert_int_equal(stalled_next(&stalled), 15);
    assert_false(stalled_expire(&stalled, 14, &out));
    assert_true(stalled_expire(&stalled, 15, &out));
    assert_int_equal(out.stage, 2);
    assert_false(stalled_expire(&stalled, 15, &out));
    assert_int_equal(stalled_next(&stalled), INT64_MAX);
}

/* What came instead of the next step is told of the last time that the farthest step was reached.
 */
static void tells_what_came_instead(void **state)
{
    (void)state;
    struct stalled stalled = {0};
    struct stalled_knock first = make(9, 1, 15), second = make(9, 2, 20), out;
    stalled_reach(&stalled, &first);
    stalled_reach(&stalled, &second);
    stalled.list[0].instead = (struct port_proto){443, 6};
    stalled_reach(&stalled, &first);
    assert_int_equal(stalled.list[0].instead.port, 443);
    stalled_reach(&stalled, &second);
    assert_int_equal(stalled.list[0].instead.port, 0);
    stalled.list[0].instead = (struct port_proto){80, 6};
    assert_true(stalled_expire(&stalled, 15, &out));
    assert_int_equal(out.instead.port, 80);
    stalled_reach(&stalled, &first);
    assert_int_equal(stalled.list[0].instead.port, 0);
}

/* Of one knock that two sources bring, one tells, and none once one of them brought all of it. */
static void sources_tell_of_a_knock_once(void **state)
{
    (void)state;
    struct stalled stalled = {0};
    struct stalled_knock a = make(9, 2, 15), less = make(9, 1, 14), out;
    less.source = 1;
    stalled_reach(&stalled, &a);
    stalled_reach(&stalled, &less);
    assert_true(stalled_expire(&stalled, 20, &out));
    assert_int_equal(out.source, 0);
    assert_false(stalled_expire(&stalled, 20, &out));
    assert_int_equal(stalled.unreported, 0);
    stalled_reach(&stalled, &less);
    stalled_finish(&stalled, 0, &a.address, 5);
    assert_int_equal(stalled_next(&stalled), INT64_MAX);
    assert_true(stalled_is_finished(&stalled, &less, 5));
    assert_false(stalled_is_finished(&stalled, &less, 6));
    assert_false(stalled_is_finished(&stalled, &a, 5));
    less.address.bytes[3] = 8;
    assert_false(stalled_is_finished(&stalled, &less, 5));
}

static void forgets_what_opened(void **state)
{
    (void)state;
    struct stalled stalled = {0};
    struct stalled_knock a = make(9, 2, 15), other = make(8, 1, 15), out;
    stalled_reach(&stalled, &a);
    stalled_reach(&stalled, &other);
    stalled_finish(&stalled, a.source, &a.address, 5);
    assert_true(stalled_expire(&stalled, 20, &out));
    assert_true(addr_equal(&out.address, &other.address));
    assert_false(stalled_expire(&stalled, 20, &out));
}

/* Strangers begin knocks by the thousand: some are remembered, one in ten seconds is told. */
static void is_bounded(void **state)
{
    (void)state;
    const int64_t second = 1000000000;
    struct stalled stalled = {0};
    struct stalled_knock out;
    unsigned told = 0;
    for (unsigned i = 0; i < 256; i++) {
        struct stalled_knock a = make(i, 1, second);
        stalled_reach(&stalled, &a);
    }
    assert_int_equal(stalled.unreported, 256 - STALLED_MAX);
    while (stalled_expire(&stalled, 2 * second, &out))
        told++;
    assert_int_equal(told, 1);
    assert_int_equal(stalled_next(&stalled), INT64_MAX);
    struct stalled_knock later = make(1, 1, 5 * second);
    stalled_reach(&stalled, &later);
    assert_false(stalled_expire(&stalled, 11 * second, &out));
    stalled_reach(&stalled, &later);
    assert_true(stalled_expire(&stalled, 12 * second, &out));
}

static void on_tell(void *arg, struct message *message)
{
    struct message_event *told = arg;
    assert_int_equal(message->type, MESSAGE_EVENT);
    assert_int_equal(told->kind, 0);
    *told = message->u.event;
}

/* Ten minutes without any denied packet are told of, once. */
static void silence_is_told(void **state)
{
    (void)state;
    const int64_t minute = INT64_C(60) * 1000000000;
    static struct pipeline pipeline;
    struct listener_config_source source = {.spec = {.format = LOG_KERNEL}};
    struct listener_config setup = {.source_count = 1, .sources = &source};
    struct message_event told = {0};
    pipeline_init(&pipeline, &setup, on_tell, &told, 0);
    assert_int_equal(pipeline_next(&pipeline), 10 * minute);
    pipeline_due(&pipeline, 10 * minute - 1);
    assert_int_equal(told.kind, 0);
    pipeline_due(&pipeline, 10 * minute);
    assert_int_equal(told.kind, EVENT_SILENT);
    assert_int_equal(told.number, 600);
    told.kind = 0;
    pipeline_due(&pipeline, 100 * minute);
    assert_int_equal(told.kind, 0);
    assert_int_equal(pipeline_next(&pipeline), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_told),
        cmocka_unit_test(speaks_of_other_prefixes),
        cmocka_unit_test(is_quiet_once_one_was_ours),
        cmocka_unit_test(keeps_the_commonest),
        cmocka_unit_test(tells_what_came_instead),
        cmocka_unit_test(prefixes_of_accepted_packets),
        cmocka_unit_test(accepted_packets_are_no_candidates),
        cmocka_unit_test(headers_that_are_not_known),
        cmocka_unit_test(sources_tell_of_a_knock_once),
        cmocka_unit_test(forgets_what_opened),
        cmocka_unit_test(tells_of_the_farthest_step),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
