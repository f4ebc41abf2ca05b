/* Carriers: where each slot's packet goes, what is read of any packet, what is made of any slots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "lib/carrier.h"
#include "sealed_help.h"

enum { SPAN = 20000 };

/* The message of the design's test vector, and its parity. */
#define MESSAGE "bdd46b49d20080003178ab95cf6b1e69e3df752ccebd05705d0b6a9486e309fe"

static void vector(enum carrier_window window, const char *parity)
{
    const struct carrier_shape *shape = carrier_shape(window);
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    uint8_t all[CARRIER_SLOTS_MAX], message[32], expected[16];
    assert_int_equal(unhex(MESSAGE, message, 32), 32);
    assert_int_equal(unhex(parity, expected, 16), 16);
    carrier_packets(window, SPAN, message, packets);
    for (unsigned slot = 0; slot < shape->slots; slot++) {
        struct carrier_piece piece;
        assert_true(carrier_read(SPAN, packets[slot].proto, packets[slot].port,
                                 packets[slot].length, &piece));
        assert_int_equal(piece.slot, slot);
        if (shape->piece == 2)
            all[2 * slot] = (uint8_t)(piece.value >> 8);
        all[shape->piece * (slot + 1u) - 1] = (uint8_t)piece.value;
    }
    assert_memory_equal(all, message, 32);
    assert_memory_equal(all + 32, expected, 16);
}

static void the_vectors_parity(void **state)
{
    (void)state;
    vector(CARRIER_TCP, "efc7fb4b9e8696d193a723cd26d1e987");
    vector(CARRIER_UDP, "97c74fd4592941190e4d745ee7c2a1f1");
}

static void ports_and_lengths(void **state)
{
    (void)state;
    static const struct {
        enum carrier_window window;
        unsigned slot, proto, port, length;
    } rows[] = {
        {CARRIER_TCP, 0, IPPROTO_TCP, SPAN + 0xbd, 0},
        {CARRIER_TCP, 1, IPPROTO_TCP, SPAN + 256 + 0xd4, 0},
        {CARRIER_TCP, 31, IPPROTO_TCP, SPAN + 31 * 256 + 0xfe, 0},
        {CARRIER_TCP, 47, IPPROTO_TCP, SPAN + 47 * 256 + 0x87, 0},
        {CARRIER_UDP, 0, IPPROTO_UDP, SPAN + 0x2f, 0x1d4},
        {CARRIER_UDP, 15, IPPROTO_UDP, SPAN + 15 * 64 + 0x02, 0x1fe},
        {CARRIER_UDP, 23, IPPROTO_UDP, SPAN + 23 * 64 + 0x28, 0x1f1},
        {CARRIER_UDP_LONG, 0, IPPROTO_UDP, SPAN + 2048 + 0x2f, 0x1d4},
        {CARRIER_UDP_LONG, 23, IPPROTO_UDP, SPAN + 2048 + 23 * 64, 0},
    };
    uint8_t message[48] = {0};
    unhex(MESSAGE, message, 32);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct carrier_packet packets[CARRIER_SLOTS_MAX];
        carrier_packets(rows[i].window, SPAN, message, packets);
        const struct carrier_packet *p = &packets[rows[i].slot];
        assert_int_equal(p->proto, rows[i].proto);
        assert_int_equal(p->port, rows[i].port);
        assert_int_equal(p->length, rows[i].length);
    }
}

static void read_all(enum carrier_window window, uint16_t span, const uint8_t *message,
                     struct carrier_piece out[CARRIER_SLOTS_MAX])
{
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    carrier_packets(window, span, message, packets);
    for (unsigned slot = 0; slot < carrier_shape(window)->slots; slot++) {
        const struct carrier_packet *p = &packets[slot];
        assert_true(carrier_has(span, p->proto, p->port));
        assert_true(carrier_read(span, p->proto, p->port, p->length, &out[slot]));
        assert_int_equal(out[slot].window, window);
        assert_int_equal(out[slot].slot, slot);
    }
}

static void recover_from_any(enum carrier_window window, uint16_t span)
{
    const struct carrier_shape *shape = carrier_shape(window);
    struct carrier_piece all[CARRIER_SLOTS_MAX], some[CARRIER_SLOTS_MAX];
    uint8_t message[48], again[48], order[CARRIER_SLOTS_MAX];
    random_bytes(message, shape->length);
    read_all(window, span, message, all);
    shuffle(order, shape->slots);
    for (unsigned i = 0; i < shape->message_slots; i++)
        some[i] = all[order[i]];
    carrier_recover(window, some, again);
    assert_memory_equal(again, message, shape->length);
}

static void any_slots_give_the_message(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++)
        for (int w = 0; w < CARRIER_WINDOWS; w++)
            recover_from_any((enum carrier_window)w, (uint16_t)(1 + rand() % 20480));
}

/* The other way round: what is read of a packet is sent as that packet, and is of one window. */
static void writes_what_it_reads(void **state)
{
    (void)state;
    unsigned read = 0;
    for (unsigned port = SPAN; port < SPAN + CARRIER_SPAN_SIZE; port++)
        for (uint32_t length = 0; length < 1024; length += port % 7 ? 511 : 1) {
            struct carrier_piece piece;
            struct carrier_packet packets[CARRIER_SLOTS_MAX];
            if (!carrier_read(SPAN, IPPROTO_UDP, (uint16_t)port, length, &piece))
                continue;
            const struct carrier_shape *shape = carrier_shape((enum carrier_window)piece.window);
            assert_true(piece.slot < shape->slots);
            if (piece.slot >= shape->message_slots)
                continue;
            uint8_t message[48] = {0};
            message[2 * piece.slot] = (uint8_t)(piece.value >> 8);
            message[2 * piece.slot + 1] = (uint8_t)piece.value;
            carrier_packets((enum carrier_window)piece.window, SPAN, message, packets);
            assert_int_equal(packets[piece.slot].port, port);
            assert_int_equal(packets[piece.slot].length, length);
            read++;
        }
    assert_true(read > (16 + 24) * 64 * 3);
}

static void refuses_everything_outside(void **state)
{
    (void)state;
    static const struct {
        unsigned proto, port;
        uint32_t length;
        int has, read;
    } rows[] = {
        {IPPROTO_TCP, SPAN - 1, 0, 0, 0},
        {IPPROTO_TCP, SPAN, 0, 1, 1},
        {IPPROTO_TCP, SPAN, 99999, 1, 1}, /* of TCP the length says nothing */
        {IPPROTO_TCP, SPAN + 12287, 0, 1, 1},
        {IPPROTO_TCP, SPAN + 12288, 0, 0, 0},
        {IPPROTO_UDP, SPAN - 1, 0, 0, 0},
        {IPPROTO_UDP, SPAN, 0, 1, 1},
        {IPPROTO_UDP, SPAN, 1023, 1, 1},
        {IPPROTO_UDP, SPAN, 1024, 1, 0},
        {IPPROTO_UDP, SPAN, UINT32_MAX, 1, 0},
        {IPPROTO_UDP, SPAN + 24 * 64 - 1, 0, 1, 1},
        {IPPROTO_UDP, SPAN + 24 * 64, 0, 1, 0},
        {IPPROTO_UDP, SPAN + 2047, 0, 1, 0},
        {IPPROTO_UDP, SPAN + 2048, 0, 1, 1},
        {IPPROTO_UDP, SPAN + 2048 + 36 * 64 - 1, 1023, 1, 1},
        {IPPROTO_UDP, SPAN + 2048 + 36 * 64, 0, 1, 0},
        {IPPROTO_UDP, SPAN + 12287, 32, 1, 0}, /* whole messages in one packet */
        {IPPROTO_UDP, SPAN + 12288, 0, 0, 0},
        {IPPROTO_UDPLITE, SPAN, 0, 0, 0},
        {IPPROTO_ICMP, SPAN, 0, 0, 0},
        {0, SPAN, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct carrier_piece piece = {.window = 99};
        uint8_t proto = (uint8_t)rows[i].proto;
        uint16_t port = (uint16_t)rows[i].port;
        assert_int_equal(carrier_has(SPAN, proto, port), rows[i].has);
        if (carrier_read(SPAN, proto, port, rows[i].length, &piece) != rows[i].read)
            fail_msg("%u:%u length %u", rows[i].port, rows[i].proto, rows[i].length);
        assert_int_equal(piece.window == 99, !rows[i].read);
        if (rows[i].read && proto == IPPROTO_TCP)
            assert_int_equal(piece.value, (port - SPAN) % 256);
    }
}

/* The lowest and the highest span, and messages of which each bit is set in turn. */
static void spans_at_their_limits(void **state)
{
    (void)state;
    static const uint16_t spans[] = {1, CARRIER_SPAN_END - CARRIER_SPAN_SIZE};
    for (size_t i = 0; i < 2; i++)
        for (int w = 0; w < CARRIER_WINDOWS; w++) {
            struct carrier_piece all[CARRIER_SLOTS_MAX];
            uint8_t message[48];
            memset(message, 0xff, sizeof(message));
            read_all((enum carrier_window)w, spans[i], message, all);
            recover_from_any((enum carrier_window)w, spans[i]);
        }
    assert_false(carrier_has(CARRIER_SPAN_END - CARRIER_SPAN_SIZE, IPPROTO_TCP, 32768));
    assert_true(carrier_has(CARRIER_SPAN_END - CARRIER_SPAN_SIZE, IPPROTO_TCP, 32767));
    assert_false(carrier_has(1, IPPROTO_TCP, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_parity),         cmocka_unit_test(ports_and_lengths),
        cmocka_unit_test(any_slots_give_the_message), cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(refuses_everything_outside), cmocka_unit_test(spans_at_their_limits),
    };
    return cmocka_run_group_tests(tests, sow, NULL);
}
