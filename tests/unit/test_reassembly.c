/* listener/reassembly.h: pieces in any order, lost, doubled, changed; users beside one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "reassembly_help.h"

enum { MAX = 1024 };

static struct reassembly *fresh(void)
{
    struct reassembly *a = reassembly_new(SPAN, MAX, hash_key);
    assert_non_null(a);
    reassembly_set_packet_port(a, PACKET_PORT);
    return a;
}

/* Sends these slots of a new knock: each but the last must come to nothing. */
static void assert_last_completes(const uint8_t *order, unsigned count, enum carrier_window window,
                                  const char *what)
{
    struct reassembly *a = fresh();
    struct knock knock = knock_from(7, 4000, window);
    for (unsigned i = 0; i < count; i++) {
        struct reassembled made = send_slot(a, &knock, order[i], i);
        bool last = i == count - 1;
        if (made.fragments != i + 1 || made.needed != knock.shape->message_slots)
            fail_msg("%s, window %d: packet %u: %u of %u pieces", what, window, i, made.fragments,
                     made.needed);
        if (last ? !is_message_of(&made, &knock) : made.length != 0)
            fail_msg("%s, window %d: packet %u of %u", what, window, i + 1, count);
    }
    assert_int_equal(reassembly_counters(a).messages, 1);
    reassembly_free(a);
}

static void any_so_many_slots_make_the_message(void **state)
{
    (void)state;
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        const struct carrier_shape *shape = carrier_shape(window);
        unsigned n = shape->message_slots, parity = shape->slots - n;
        uint8_t order[2 * CARRIER_SLOTS_MAX];
        /* As many as may be lost, from each place on, backwards as well. */
        for (unsigned lost = 0; lost < shape->slots; lost++) {
            for (unsigned i = 0; i < n; i++)
                order[i] = (uint8_t)((lost + parity + i) % shape->slots);
            assert_last_completes(order, n, window, "a run is lost");
            for (unsigned i = 0; i < n / 2; i++) {
                uint8_t swapped = order[i];
                order[i] = order[n - 1 - i];
                order[n - 1 - i] = swapped;
            }
            assert_last_completes(order, n, window, "backwards");
        }
        for (int round = 0; round < 300; round++) {
            shuffle(order, shape->slots);
            assert_last_completes(order, n, window, "random slots in random order");
        }
    }
}

/* After it came in whole, whatever else there is of the same message brings it no second time. */
static void a_message_is_handed_over_once(void **state)
{
    (void)state;
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        struct reassembly *a = fresh();
        struct knock knock = knock_from(7, 4000, window);
        int64_t now = 0;
        unsigned right = 0;
        for (int round = 0; round < 4; round++)
            right += send_round(a, &knock, &now);
        assert_int_equal(right, 1);
        assert_int_equal(reassembly_counters(a).messages, 1);
        assert_int_equal(reassembly_counters(a).spent[0], 0);
        reassembly_free(a);
    }
}

/* A knock that a network damages: how many of a hundred packets are lost, how many come twice. */
static void rounds_repair_what_is_lost(void **state)
{
    (void)state;
    static const struct {
        unsigned lost, doubled, rounds, least; /* of 100 knocks */
    } rows[] = {{0, 0, 1, 100},   {1, 0, 1, 100},   {10, 0, 1, 95}, {20, 0, 2, 100},
                {0, 100, 1, 100}, {20, 50, 2, 100}, {50, 0, 4, 95}};
    for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
        unsigned came = 0;
        for (unsigned i = 0; i < 100; i++) {
            struct reassembly *a = fresh();
            struct knock knock = knock_from(7, 4000, i % CARRIER_WINDOWS);
            unsigned right = 0;
            for (unsigned round = 0; round < rows[row].rounds; round++) {
                uint8_t order[CARRIER_SLOTS_MAX];
                shuffle(order, knock.shape->slots);
                for (unsigned k = 0; k < knock.shape->slots; k++)
                    for (unsigned times = 1 + (draw(100) < rows[row].doubled); times > 0; times--) {
                        if (draw(100) < rows[row].lost)
                            continue;
                        struct reassembled made = send_slot(a, &knock, order[k], 0);
                        right += is_message_of(&made, &knock);
                        assert_true(made.length == 0 || is_message_of(&made, &knock));
                    }
            }
            assert_in_range(right, 0, 1);
            came += right;
            reassembly_free(a);
        }
        if (came < rows[row].least)
            fail_msg("%u %% lost, %u %% twice, %u rounds: %u of 100 came", rows[row].lost,
                     rows[row].doubled, rows[row].rounds, came);
    }
}

/* What isn't a piece, though it goes to a port of the span. */
static void what_is_no_piece(void **state)
{
    (void)state;
    struct knock tcp = knock_from(7, 4000, CARRIER_TCP), udp = knock_from(7, 4000, CARRIER_UDP);
    static const uint8_t flags[] = {TCP_SYN | TCP_ACK, TCP_SYN | TCP_RST, TCP_SYN | TCP_FIN,
                                    TCP_ACK,           TCP_FIN,           0};
    struct packet packets[sizeof(flags) + 5];
    unsigned count = 0;
    for (; count < sizeof(flags); count++) {
        packets[count] = packet_of(&tcp, count);
        packets[count].flags = flags[count];
    }
    for (unsigned i = 0; i < 5; i++)
        packets[count + i] = packet_of(i == 4 ? &tcp : &udp, i);
    packets[count].length = UDP_HEADER - 1;
    packets[count + 1].length = UDP_HEADER + 1024;
    packets[count + 2].dpt = SPAN + 64 * 24;        /* behind the last slot of the short window */
    packets[count + 3].dpt = SPAN + 2048 + 64 * 36; /* and of the long one */
    packets[count + 4].dpt = SPAN - 1;
    count += 5;
    struct reassembly *a = fresh();
    for (unsigned i = 0; i < count; i++) {
        struct reassembled made;
        reassembly_feed(a, 0, &packets[i], 0, &made);
        if (made.fragments != 0 || made.length != 0)
            fail_msg("packet %u was taken for a piece", i);
    }
    assert_int_equal(reassembly_counters(a).fragments, 0);
    /* ECN asks for more flags in a SYN (RFC 3168). */
    struct reassembled made;
    packets[0].flags = TCP_SYN | TCP_ECE | TCP_CWR;
    reassembly_feed(a, 0, &packets[0], 0, &made);
    assert_int_equal(made.fragments, 1);
    reassembly_free(a);
}

/* A wrong piece in a round is mended by the next packets: the latest ones count. */
static void the_latest_value_wins(void **state)
{
    (void)state;
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        const struct carrier_shape *shape = carrier_shape(window);
        /* Forged before its own slot comes, or after it. */
        for (unsigned after = 0; after < 2; after++) {
            struct reassembly *a = fresh();
            struct knock knock = knock_from(7, 4000, window);
            unsigned right = 0;
            for (unsigned slot = 0; slot < shape->slots; slot++) {
                struct packet packet = forged(&knock, 3);
                struct reassembled made;
                if (slot == (after ? 4 : 2))
                    reassembly_feed(a, 0, &packet, 0, &made);
                made = send_slot(a, &knock, slot, 0);
                right += is_message_of(&made, &knock);
            }
            if (right != 1)
                fail_msg("window %d: %u times, forged %s", window, right,
                         after ? "after" : "before");
            reassembly_free(a);
        }
    }
}

static void a_record_lives_30_seconds(void **state)
{
    (void)state;
    static const struct {
        int64_t last; /* when the last piece comes; the first at 0, others a second later */
        unsigned messages;
    } rows[] = {{2 * SECOND, 1}, {30 * SECOND - 1, 1}, {30 * SECOND, 0}, {90 * SECOND, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct reassembly *a = fresh();
        struct knock knock = knock_from(7, 4000, CARRIER_TCP);
        for (unsigned slot = 0; slot < 31; slot++)
            assert_int_equal(send_slot(a, &knock, slot, slot ? SECOND : 0).length, 0);
        struct reassembled made = send_slot(a, &knock, 31, rows[i].last);
        assert_int_equal(is_message_of(&made, &knock), rows[i].messages);
        assert_int_equal(made.fragments, rows[i].messages ? 32 : 1);
        /* Dead records make no room: they are no loss. */
        assert_int_equal(reassembly_counters(a).evicted, 0);
        reassembly_free(a);
    }
}

/* A record hands over 4 messages in its life, a common one 256, whatever is sent to it. */
static void a_record_has_a_budget(void **state)
{
    (void)state;
    for (unsigned common = 0; common < 2; common++) {
        struct reassembly *a = fresh();
        unsigned budget = common ? REASSEMBLY_HANDED_COMMON : REASSEMBLY_HANDED;
        for (unsigned n = 0; n < budget + 3; n++) {
            struct knock knock = knock_from(7, 4000, CARRIER_UDP);
            unsigned right = 0;
            for (unsigned slot = 0; slot < knock.shape->slots; slot++) {
                knock.spt = (uint16_t)(common ? 1024 + draw(60000) : 4000);
                struct reassembled made = send_slot(a, &knock, slot, 0);
                right += is_message_of(&made, &knock);
            }
            assert_int_equal(right, n < budget);
        }
        assert_int_equal(reassembly_counters(a).messages, budget);
        /* The last one's further pieces may be others' for all that is known. */
        assert_in_range(reassembly_counters(a).spent[common], 3 * 24, 3 * 24 + 7);
        assert_int_equal(reassembly_counters(a).spent[!common], 0);
        /* A new life, a new budget. */
        struct knock next = knock_from(7, 4000, CARRIER_UDP);
        int64_t now = 30 * SECOND;
        assert_int_equal(send_round(a, &next, &now), 1);
        reassembly_free(a);
    }
}

/* Noise comes to one message, of the first pieces that are enough, and then to mixtures. */
static void noise_is_given_up(void **state)
{
    (void)state;
    for (unsigned common = 0; common < 2; common++) {
        struct reassembly *a = fresh();
        unsigned mixtures = common ? REASSEMBLY_INCONSISTENT_COMMON : REASSEMBLY_INCONSISTENT;
        unsigned sent = 16 + mixtures + 50;
        for (unsigned i = 0; i < sent; i++) {
            struct knock knock = knock_from(7, (uint16_t)(common ? 1024 + i : 4000), CARRIER_UDP);
            send_slot(a, &knock, i % 24, 0);
        }

        struct reassembly_counters counters = reassembly_counters(a);
        assert_int_equal(counters.messages, 1);
        assert_int_equal(counters.inconsistent, mixtures);
        assert_int_equal(counters.spent[common], 50);
        reassembly_free(a);
    }
}

/* All own records together hand over 20,000 a second, all common ones 2,000. */
static void all_records_have_a_rate(void **state)
{
    (void)state;
    for (unsigned common = 0; common < 2; common++) {
        struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
        unsigned rate = common ? REASSEMBLY_RATE_COMMON : REASSEMBLY_RATE, made_in_all = 0;
        for (unsigned i = 0; i < rate + 100; i++) {
            struct knock knock = knock_from((uint8_t)i, 4000, CARRIER_UDP);
            knock.from.bytes[1] = (uint8_t)(i >> 8);
            for (unsigned slot = 0; slot < 16; slot++, knock.spt += (uint16_t)common)
                made_in_all += send_slot(a, &knock, slot, 0).length > 0;
        }
        assert_int_equal(made_in_all, rate);
        assert_int_equal(reassembly_counters(a).limited[common], 100);
        /* Who was held back needs one packet more, a moment later. */
        struct knock late = knock_from(7, 9, CARRIER_UDP);
        late.from.bytes[1] = 255;
        for (unsigned slot = 0; slot < 16; slot++, late.spt += (uint16_t)common)
            assert_int_equal(send_slot(a, &late, slot, 0).length, 0);
        struct reassembled made = send_slot(a, &late, 16, MS);
        assert_true(is_message_of(&made, &late));
        reassembly_free(a);
    }
}

/* Only a whole message, by UDP, to the one port is one. */
static void what_is_a_whole_message(void **state)
{
    (void)state;
    const struct knock knock = knock_from(7, 4000, CARRIER_UDP_LONG);
    const struct {
        uint16_t port;
        int16_t proto;
        uint32_t len;
        bool payload, ports, whole;
    } rows[] = {{PACKET_PORT, IPPROTO_UDP, SEALED_SHORT, true, true, true},
                {PACKET_PORT, IPPROTO_UDP, SEALED_LONG, true, true, true},
                {PACKET_PORT, IPPROTO_UDP, SEALED_SHORT - 1, true, true, false},
                {PACKET_PORT, IPPROTO_UDP, SEALED_SHORT + 1, true, true, false},
                {PACKET_PORT, IPPROTO_UDP, SEALED_LONG + 1, true, true, false},
                {PACKET_PORT, IPPROTO_UDP, 0, true, true, false},
                {PACKET_PORT, IPPROTO_UDP, SEALED_SHORT, false, true, false},
                {PACKET_PORT, IPPROTO_UDP, SEALED_SHORT, true, false, false},
                {PACKET_PORT, IPPROTO_TCP, SEALED_SHORT, true, true, false},
                {PACKET_PORT, IPPROTO_UDPLITE, SEALED_SHORT, true, true, false},
                {PACKET_PORT + 1, IPPROTO_UDP, SEALED_SHORT, true, true, false},
                {SPAN, IPPROTO_UDP, SEALED_SHORT, true, true, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct reassembly *a = fresh();
        struct ip_packet packet = whole_of(&knock);
        struct reassembled made = {.needed = 77};
        packet.packet.dpt = rows[i].port;
        packet.packet.proto = rows[i].proto;
        packet.packet.has_ports = rows[i].ports;
        packet.payload = rows[i].payload ? knock.message : NULL;
        packet.payload_len = rows[i].len;
        if (reassembly_whole(a, 0, &packet, 0, &made) != rows[i].whole)
            fail_msg("row %zu", i);
        assert_int_equal(made.needed, rows[i].whole ? 1 : 77);
        assert_int_equal(made.length, rows[i].whole ? rows[i].len : 0);
        assert_memory_equal(made.message, knock.message, made.length);
        reassembly_set_packet_port(a, 0);
        assert_false(reassembly_whole(a, 0, &packet, 0, &made));
        reassembly_free(a);
    }
}

/* The same again from the same port is nothing new, in the record's life; all else is. */
static void a_whole_message_is_handed_over_once(void **state)
{
    (void)state;
    struct reassembly *a = fresh();
    struct knock knock = knock_from(7, 4000, CARRIER_UDP), other = knock_from(7, 4000, CARRIER_UDP);
    assert_true(send_whole(a, &knock, 0));
    assert_false(send_whole(a, &knock, 0));
    assert_false(send_whole(a, &knock, 30 * SECOND - 1));
    assert_true(send_whole(a, &other, 1));
    assert_true(send_whole(a, &knock, 2));
    knock.spt++;
    assert_true(send_whole(a, &knock, 3));
    knock.from.bytes[3]++;
    assert_true(send_whole(a, &knock, 3));
    assert_true(send_whole(a, &knock, 30 * SECOND + 3));
    assert_int_equal(reassembly_counters(a).messages, 6);
    assert_int_equal(reassembly_counters(a).fragments, 8);
    /* Beside fragments it has an entry of its own. */
    int64_t now = 40 * SECOND;
    assert_int_equal(send_round(a, &knock, &now), 1);
    reassembly_free(a);
}

/* 256 of one address go by the large rate, all that it brings further by the small one. */
static void whole_messages_have_a_budget(void **state)
{
    (void)state;
    struct reassembly *a = fresh();
    unsigned made = 0, sent = REASSEMBLY_HANDED_COMMON + REASSEMBLY_RATE_COMMON + 100;
    struct knock knock = knock_from(7, 4000, CARRIER_UDP);
    for (unsigned i = 0; i < sent; i++, knock.spt++)
        made += send_whole(a, &knock, 0);
    assert_int_equal(made, sent - 100);
    assert_int_equal(reassembly_counters(a).limited[1], 100);
    assert_int_equal(reassembly_counters(a).limited[0], 0);
    /* A token more, a moment later. */
    assert_false(send_whole(a, &knock, 0));
    assert_true(send_whole(a, &knock, MS));
    /* All addresses together. */
    for (made = 0; made < REASSEMBLY_RATE + 100; made++) {
        knock.from = (struct addr){4, {10, 0, (uint8_t)(made >> 8), (uint8_t)made}};
        if (!send_whole(a, &knock, MS))
            break;
    }
    assert_in_range(made, REASSEMBLY_RATE - REASSEMBLY_HANDED_COMMON, REASSEMBLY_RATE);
    reassembly_free(a);
}

int main(void)
{
    random_state = (uint64_t)time(NULL);
    print_message("# seed %llu\n", (unsigned long long)random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_so_many_slots_make_the_message),
        cmocka_unit_test(a_message_is_handed_over_once),
        cmocka_unit_test(rounds_repair_what_is_lost),
        cmocka_unit_test(what_is_no_piece),
        cmocka_unit_test(the_latest_value_wins),
        cmocka_unit_test(a_record_lives_30_seconds),
        cmocka_unit_test(a_record_has_a_budget),
        cmocka_unit_test(noise_is_given_up),
        cmocka_unit_test(all_records_have_a_rate),
        cmocka_unit_test(what_is_a_whole_message),
        cmocka_unit_test(a_whole_message_is_handed_over_once),
        cmocka_unit_test(whole_messages_have_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
