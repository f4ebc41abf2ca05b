/* Sealed knocks from log lines to records: beside a strict sequence, asked for, and told of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "listener/pipeline.h"
#include "reassembly_help.h"

static struct listener_config setup;
static struct pipeline pipeline;
static struct message said[4096];
static unsigned said_count;

static void note(void *arg, struct message *msg)
{
    (void)arg;
    assert_true(said_count < sizeof(said) / sizeof(*said));
    said[said_count++] = *msg;
}

static enum listener_config_result take(struct message msg)
{
    return listener_config_receive(&setup, &msg);
}

/* One source, one strict door 7000, 8000, 9000. False if the configuration is refused. */
static bool configured_source(enum source_type type, uint32_t span)
{
    struct message door = {.type = MESSAGE_DOOR};
    door.u.door.sequence =
        (struct sequence){3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_TCP}, {9000, IPPROTO_TCP}}};
    door.u.door.timeout = 20 * SECOND;
    door.u.door.flags = (struct flag_match){.set = TCP_SYN, .clear = TCP_ACK};
    door.u.door.strict = 1;
    said_count = 0;
    listener_config_free(&setup);
    struct message config = {.type = MESSAGE_CONFIG,
                             .u.config = {.sources = 1,
                                          .doors = 1,
                                          .plain = 1,
                                          .max_sources = 1024,
                                          .span = span,
                                          .packet_port = span ? PACKET_PORT : 0}};
    if (take(config) == LISTENER_CONFIG_BAD)
        return false;
    assert_int_equal(take((struct message){.type = MESSAGE_SOURCE,
                                           .u.source = {.type = type, .format = FORMAT_KERNEL}}),
                     LISTENER_CONFIG_MORE);
    assert_int_equal(take(door), LISTENER_CONFIG_MORE);
    assert_int_equal(take((struct message){.type = MESSAGE_START}), LISTENER_CONFIG_COMPLETE);
    pipeline_init(&pipeline, &setup, note, NULL, 0);
    return true;
}

static bool configured(uint32_t span)
{
    return configured_source(SOURCE_FILE, span);
}

/* Writes the line that the kernel logs of the packet and takes it. */
static void logged(const struct packet *packet, int64_t now)
{
    char line[512], l4[128], source[ADDR_TEXT_SIZE];
    if (packet->proto == IPPROTO_TCP)
        snprintf(l4, sizeof(l4), "PROTO=TCP SPT=%u DPT=%u WINDOW=64240 RES=0x00 %s URGP=0 ",
                 packet->spt, packet->dpt, packet->flags & TCP_ACK ? "ACK SYN" : "SYN");
    else
        snprintf(l4, sizeof(l4), "PROTO=UDP SPT=%u DPT=%u LEN=%u ", packet->spt, packet->dpt,
                 packet->length);
    int len = snprintf(line, sizeof(line),
                       "Nov 25 09:00:00 gate kernel: [DENY] IN=%.*s OUT= MAC= SRC=%s "
                       "DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 %s",
                       packet->in_len, packet->in, addr_format(&packet->src, source), l4);
    assert_int_equal(pipeline_line(&pipeline, 0, line, (size_t)len,
                                   (struct line_moment){.now = now}),
                     LINE_PACKET);
}

static unsigned said_of(uint32_t type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < said_count; i++)
        count += said[i].type == type;
    return count;
}

static void span_is_checked(void **state)
{
    (void)state;
    static const struct {
        uint32_t span;
        bool good, assembles;
    } rows[] = {{0, true, false},
                {1024, true, true},
                {20000, true, true},
                {CARRIER_SPAN_END - CARRIER_SPAN_SIZE, true, true},
                {CARRIER_SPAN_END - CARRIER_SPAN_SIZE + 1, false, false},
                {UINT32_MAX, false, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(configured(rows[i].span), rows[i].good);
        assert_int_equal(setup.reassembly != NULL, rows[i].assembles);
    }
}

/* The keeper is handed each message once; packets of the knock are no strays for the door. */
static void messages_and_sequences_side_by_side(void **state)
{
    (void)state;
    static const uint16_t steps[] = {7000, 8000, 9000};
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        assert_true(configured(SPAN));
        struct knock knock = knock_from(7, 4000, window);
        unsigned step = 0;
        for (unsigned slot = 0; slot < knock.shape->slots; slot++) {
            struct packet packet = packet_of(&knock, slot);
            logged(&packet, slot * MS);
            /* What answers a SYN isn't a piece, and no stray either. */
            packet.flags |= TCP_ACK;
            if (packet.proto == IPPROTO_TCP)
                logged(&packet, slot * MS);
            if (slot % 8 != 7 || step == 3)
                continue;
            packet = packet_of(&knock, slot);
            packet.proto = IPPROTO_TCP;
            packet.flags = TCP_SYN;
            packet.dpt = steps[step++];
            logged(&packet, slot * MS);
        }
        assert_int_equal(said_of(MESSAGE_OPEN), 1);
        assert_int_equal(said_of(MESSAGE_SEALED), 1);
        for (unsigned i = 0; i < said_count; i++) {
            const struct message_sealed *sealed = &said[i].u.sealed;
            if (said[i].type != MESSAGE_SEALED)
                continue;
            assert_int_equal(sealed->length, knock.shape->length);
            assert_memory_equal(sealed->message, knock.message, sealed->length);
            assert_true(addr_equal(&sealed->address, &knock.from));
        }
    }
}

/* Where no door takes sealed knocks, those ports are like any other. */
static void without_sealed_knocks_they_are_strays(void **state)
{
    (void)state;
    static const uint16_t ports[] = {7000, SPAN, 8000, 9000};
    struct knock knock = knock_from(7, 4000, CARRIER_TCP);
    for (unsigned sealed = 0; sealed < 2; sealed++) {
        assert_true(configured(sealed ? SPAN : 0));
        for (unsigned i = 0; i < 4; i++) {
            struct packet packet = packet_of(&knock, 0);
            packet.spt = (uint16_t)(4000 + i);
            packet.dpt = ports[i];
            logged(&packet, i);
        }
        assert_int_equal(said_of(MESSAGE_OPEN), sealed);
    }
}

/* Own packets are no knock; what goes to groups the matcher judges first, too. */
static void own_packets_are_no_pieces(void **state)
{
    (void)state;
    assert_true(configured(SPAN));
    struct knock knock = knock_from(7, 4000, CARRIER_UDP);
    for (unsigned slot = 0; slot < knock.shape->slots; slot++) {
        struct packet packet = packet_of(&knock, slot);
        packet.in_len = 0;
        logged(&packet, 0);
    }
    assert_int_equal(said_of(MESSAGE_SEALED), 0);
    assert_int_equal(reassembly_counters(setup.reassembly).fragments, 0);
}

static void why_tells_of_pieces(void **state)
{
    (void)state;
    assert_true(configured(SPAN));
    struct knock knock = knock_from(7, 4000, CARRIER_UDP);
    for (unsigned slot = 0; slot < 18; slot++) {
        struct packet packet = packet_of(&knock, slot);
        if (slot == 17)
            packet.length = 4000;
        logged(&packet, slot);
    }
    said_count = 0;
    pipeline_query(&pipeline, &(struct message_query){.query = 3, .address = knock.from});
    assert_int_equal(said_of(MESSAGE_PACKET), 18);
    for (unsigned i = 0; i < 18; i++) {
        const struct message_packet *packet = &said[i].u.packet;
        assert_int_equal(packet->verdict, MATCH_SEALED);
        assert_int_equal(packet->pieces, i < 17 ? i + 1 : 0);
        assert_int_equal(packet->needed, i < 17 ? 16 : 0);
        assert_int_equal(packet->message, i == 15);
    }
    const struct message *counters = &said[18];
    assert_int_equal(counters->type, MESSAGE_COUNTERS);
    assert_int_equal(counters->u.counters.counts[COUNT_SEALED], 18);
    assert_int_equal(counters->u.counters.counts[COUNT_PIECES], 17);
    assert_int_equal(counters->u.counters.counts[COUNT_MESSAGES], 1);
    assert_int_equal(counters->u.counters.counts[COUNT_SPENT], 0);
}

static unsigned captured(struct ip_packet packet, int64_t now)
{
    unsigned before = said_of(MESSAGE_SEALED);
    pipeline_packet(&pipeline, 0, LINE_PACKET, NULL, 0, &packet, now);
    return said_of(MESSAGE_SEALED) - before;
}

/* A packet's payload makes a message where it may, is no stray, and isn't kept: `why` tells of it.
 */
static void messages_in_one_packet(void **state)
{
    (void)state;
    static const struct {
        uint32_t pieces, message;
    } told[] = {{1, 1}, {1, 0}, {0, 0}, {0, 0}, {1, 1}};
    struct knock knock = knock_from(7, 4000, CARRIER_UDP);
    struct ip_packet step = whole_of(&knock), whole = whole_of(&knock), cut = whole_of(&knock);
    step.packet.proto = IPPROTO_TCP;
    step.packet.flags = TCP_SYN;
    cut.payload = NULL;
    assert_true(configured(SPAN));
    step.packet.dpt = 7000;
    captured(step, 1);
    assert_int_equal(captured(whole, 2), 1);
    assert_memory_equal(said[said_count - 1].u.sealed.message, knock.message, SEALED_SHORT);
    assert_true(addr_equal(&said[said_count - 1].u.sealed.address, &knock.from));
    assert_int_equal(captured(whole, 3), 0);
    assert_int_equal(captured(cut, 4), 0);
    step.packet.dpt = 8000;
    captured(step, 5);
    /* By a log the same is nothing, and no stray either. */
    logged(&whole.packet, 6);
    assert_int_equal(said_of(MESSAGE_SEALED), 1);
    whole.packet.spt++;
    assert_int_equal(captured(whole, 7), 1);
    step.packet.dpt = 9000;
    captured(step, 8);
    assert_int_equal(said_of(MESSAGE_OPEN), 1);
    for (unsigned i = 0; i < HISTORY_PACKETS; i++)
        assert_null(
            memmem(&pipeline.history.list[i], sizeof(pipeline.history.list[i]), knock.message, 8));

    said_count = 0;
    pipeline_query(&pipeline, &(struct message_query){.query = 3, .address = knock.from});
    unsigned n = 0;
    for (unsigned i = 0; i < said_count; i++) {
        const struct message_packet *packet = &said[i].u.packet;
        if (said[i].type != MESSAGE_PACKET || packet->dpt != PACKET_PORT)
            continue;
        assert_int_equal(packet->verdict, MATCH_SEALED);
        assert_int_equal(packet->pieces, told[n].pieces);
        assert_int_equal(packet->needed, told[n].pieces);
        assert_int_equal(packet->message, told[n++].message);
    }
    assert_int_equal(n, 5);
}

static void syn(struct packet packet, uint16_t port, int64_t now)
{
    struct ip_packet step = {.packet = packet};
    step.packet.proto = IPPROTO_TCP;
    step.packet.flags = TCP_SYN;
    step.packet.dpt = port;
    captured(step, now);
}

/* Of an address that scans, or in whose name others do, no sequence opens, but each sealed knock is
 * handed over; and its packets make no scan of a plain knock. */
static void a_scan_keeps_no_sealed_knock_from_opening(void **state)
{
    (void)state;
    for (unsigned scans = 0; scans < 2; scans++)
        for (enum carrier_window window = 0; window <= CARRIER_WINDOWS; window++) {
            bool whole = window == CARRIER_WINDOWS;
            struct knock knock = knock_from(7, 4000, whole ? CARRIER_UDP : window);
            struct packet any = packet_of(&knock, 0);
            unsigned sealed = 0;
            assert_true(configured_source(SOURCE_PCAP, SPAN));
            for (unsigned slot = 0; slot < (whole ? 1 : knock.shape->slots); slot++) {
                for (unsigned i = 0; scans && i < 2 * SCAN_PORTS; i++)
                    syn(any, (uint16_t)(50000 + i), slot * MS);
                sealed += captured(whole ? whole_of(&knock)
                                         : (struct ip_packet){.packet = packet_of(&knock, slot)},
                                   slot * MS);
            }
            assert_int_equal(sealed, 1);
            for (unsigned step = 0; step < 3; step++)
                syn(any, (uint16_t)(7000 + 1000 * step), SECOND);
            assert_int_equal(said_of(MESSAGE_OPEN), !scans);
        }
}

static int tear_down(void **state)
{
    (void)state;
    listener_config_free(&setup);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span_is_checked),
        cmocka_unit_test(messages_and_sequences_side_by_side),
        cmocka_unit_test(without_sealed_knocks_they_are_strays),
        cmocka_unit_test(own_packets_are_no_pieces),
        cmocka_unit_test(why_tells_of_pieces),
        cmocka_unit_test(messages_in_one_packet),
        cmocka_unit_test(a_scan_keeps_no_sealed_knock_from_opening),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
