/* listener/reassembly.h when many send at once: NATs, forged packets, a table that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "reassembly_help.h"

enum { USERS_MAX = 10 };

/*
 * Users behind one address, at the same time: what one round, then more, bring of their messages.
 * The NAT gives each packet one of `scatter` ports, or if that is 0 each user one.
 */
static unsigned knock_together(struct reassembly *a, unsigned users, unsigned scatter, int64_t *now,
                               unsigned rounds)
{
    struct knock knocks[USERS_MAX];
    bool came[USERS_MAX] = {false};
    unsigned all = 0;
    for (unsigned u = 0; u < users; u++)
        knocks[u] = knock_from(7, (uint16_t)(4000 + u), u % 2 ? CARRIER_TCP : CARRIER_UDP);
    for (unsigned round = 0; round < rounds; round++, *now += SECOND) {
        uint8_t order[USERS_MAX][CARRIER_SLOTS_MAX];
        for (unsigned u = 0; u < users; u++)
            shuffle(order[u], knocks[u].shape->slots);
        for (unsigned i = 0; i < CARRIER_SLOTS_MAX; i++, *now += 2 * MS)
            for (unsigned u = 0; u < users; u++) {
                if (i >= knocks[u].shape->slots)
                    continue;
                if (scatter)
                    knocks[u].spt = (uint16_t)(1024 + draw(scatter));
                struct reassembled made = send_slot(a, &knocks[u], order[u][i], *now);
                came[u] |= is_message_of(&made, &knocks[u]);
            }
    }
    for (unsigned u = 0; u < users; u++)
        all += came[u];
    return all;
}

static void users_behind_one_address(void **state)
{
    (void)state;
    static const struct {
        unsigned users;
        unsigned scatter;
    } rows[] = {{1, 0}, {2, 0}, {10, 0}, {1, 60000}, {1, 128}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        /* One after another as well: the next knock of those comes from other ports. */
        struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
        int64_t now = 0;
        for (unsigned knock = 0; knock < 5; knock++) {
            unsigned came = knock_together(a, rows[i].users, rows[i].scatter, &now, 1);
            if (came != rows[i].users)
                fail_msg("%u users, scattered to %u ports, knock %u: %u came", rows[i].users,
                         rows[i].scatter, knock, came);
            now += 31 * SECOND;
        }
        reassembly_free(a);
    }
}

/*
 * First rounds of users who each have a port, together and soon again: without further pieces
 * nothing tells a mixture, so there must be nothing to mix.
 */
static void a_crowd_hands_over_few_mixtures(void **state)
{
    (void)state;
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
        const struct carrier_shape *shape = carrier_shape(window);
        for (unsigned n = 0; n < 3; n++) {
            struct knock knocks[USERS_MAX];
            uint8_t order[USERS_MAX][CARRIER_SLOTS_MAX];
            for (unsigned u = 0; u < USERS_MAX; u++) {
                knocks[u] = knock_from(7, (uint16_t)(4000 + n * USERS_MAX + u), window);
                shuffle(order[u], shape->message_slots);
            }
            for (unsigned i = 0; i < shape->message_slots * USERS_MAX; i++)
                send_slot(a, &knocks[i % USERS_MAX], order[i % USERS_MAX][i / USERS_MAX], n);
        }
        uint64_t messages = reassembly_counters(a).messages, sent = 3ULL * USERS_MAX;
        if (messages < sent || messages > sent * (1 + shape->message_slots / 8u))
            fail_msg("window %d: %llu messages", (int)window, (unsigned long long)messages);
        reassembly_free(a);
    }
}

/* A round of a new knock, by one port or by another one for each packet. */
static unsigned knock_once(struct reassembly *a, enum carrier_window window, bool scattered,
                           int64_t *now)
{
    struct knock knock = knock_from(7, 4000, window);
    uint8_t order[CARRIER_SLOTS_MAX];
    unsigned right = 0;
    shuffle(order, knock.shape->slots);
    for (unsigned i = 0; i < knock.shape->slots; i++, *now += 2 * MS) {
        if (scattered)
            knock.spt = (uint16_t)(1024 + draw(60000));
        struct reassembled made = send_slot(a, &knock, order[i], *now);
        right += is_message_of(&made, &knock);
    }
    return right;
}

/*
 * One knock after another from one port, or scattered: its record still holds the one before, and
 * comes to mixtures of both. None of them is handed over.
 */
static void knocks_in_a_row(void **state)
{
    (void)state;
    static const struct {
        enum carrier_window window;
        bool scattered;
        unsigned knocks;
    } rows[] = {{CARRIER_TCP, false, 3}, {CARRIER_TCP, true, 8},       {CARRIER_UDP, false, 3},
                {CARRIER_UDP, true, 8},  {CARRIER_UDP_LONG, false, 3}, {CARRIER_UDP_LONG, true, 8}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
        int64_t now = 0;
        for (unsigned n = 0; n < rows[i].knocks; n++) {
            unsigned right = knock_once(a, rows[i].window, rows[i].scattered, &now);
            if (right != 1)
                fail_msg("row %zu, knock %u came %u times", i, n, right);
        }
        /* A mixture agrees by chance once in many runs. */
        assert_in_range(reassembly_counters(a).messages, rows[i].knocks, rows[i].knocks + 1);
        reassembly_free(a);
    }
}

/*
 * One who knocks for long: a round each second or so, each from a port of its own, and a new
 * message each fourth round. Whatever the log loses of them, nobody is told of a message that
 * nobody sent.
 */
static void rounds_that_go_on_make_no_mixture(void **state)
{
    (void)state;
    static const unsigned lost[] = {0, 10, 30}; /* of 100 packets */
    for (unsigned row = 0; row < 3 * CARRIER_WINDOWS; row++) {
        enum carrier_window window = row % CARRIER_WINDOWS;
        struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
        struct knock knock = knock_from(7, 4000, window);
        for (unsigned round = 0; round < 100; round++) {
            uint8_t order[CARRIER_SLOTS_MAX];
            unsigned count = round % 4 ? knock.shape->slots : knock.shape->message_slots;
            if (round % 4 == 0)
                knock = knock_from(7, 0, window);
            knock.spt = (uint16_t)(4000 + round);
            shuffle(order, count);
            for (unsigned i = 0; i < count; i++) {
                if (draw(100) < lost[row / CARRIER_WINDOWS])
                    continue;
                struct reassembled made = send_slot(a, &knock, order[i], round * SECOND);
                if (made.length > 0 && !is_message_of(&made, &knock))
                    fail_msg("window %d, %u %% lost: a mixture in round %u", (int)window,
                             lost[row / CARRIER_WINDOWS], round);
            }
        }
        assert_in_range(reassembly_counters(a).messages, 25, 100);
        reassembly_free(a);
    }
}

/* A NAT that scatters to few ports: some of them bring more than an eighth of the message. */
static void a_nat_with_few_ports(void **state)
{
    (void)state;
    enum { KNOCKS = 100, PORTS = 24 };
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        unsigned came = 0;
        for (unsigned n = 0; n < KNOCKS; n++) {
            struct reassembly *a = reassembly_new(SPAN, 1024, hash_key);
            struct knock knock = knock_from(7, 0, window);
            bool right = false;
            for (unsigned i = 0; i < 2u * knock.shape->slots; i++) {
                knock.spt = (uint16_t)(4000 + draw(PORTS));
                struct reassembled made = send_slot(a, &knock, i % knock.shape->slots, i * 2 * MS);
                right |= is_message_of(&made, &knock);
            }
            came += right;
            reassembly_free(a);
        }
        if (came < KNOCKS - 3)
            fail_msg("window %d: %u of %d came", (int)window, came, KNOCKS);
    }
}

/* The next message of a key begins like the one before, and comes from another port. */
static void the_next_knock_begins_alike(void **state)
{
    (void)state;
    for (enum carrier_window window = 0; window < CARRIER_WINDOWS; window++) {
        struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
        struct knock first = knock_from(7, 4000, window), next = knock_from(7, 4001, window);
        int64_t now = 0;
        memcpy(next.message, first.message, 2);
        carrier_packets(window, SPAN, next.message, next.packets);
        assert_int_equal(send_round(a, &first, &now), 1);
        assert_int_equal(send_slot(a, &next, 0, now).length, 0);
        assert_int_equal(send_round(a, &next, &now), 1);
        assert_int_equal(reassembly_counters(a).messages, 2);
        reassembly_free(a);
    }
}

/* 1,000 forged pieces a second with the address of who knocks, by random ports and values. */
static void forged_pieces_with_the_same_address(void **state)
{
    (void)state;
    enum { KNOCKS = 20 };
    struct reassembly *a = reassembly_new(SPAN, 65536, hash_key);
    unsigned came = 0;
    int64_t now = 0;
    for (unsigned n = 0; n < KNOCKS; n++) {
        struct knock knock = knock_from(7, (uint16_t)(40000 + n), n % CARRIER_WINDOWS);
        uint8_t order[CARRIER_SLOTS_MAX];
        bool right = false;
        shuffle(order, knock.shape->slots);
        for (unsigned i = 0; i < knock.shape->slots; i++, now += 2 * MS) {
            struct reassembled made = send_slot(a, &knock, order[i], now);
            right |= is_message_of(&made, &knock);
            for (unsigned junk = 0; junk < 2; junk++) {
                struct knock other = knock_from(7, (uint16_t)(1024 + draw(38000)), knock.window);
                send_slot(a, &other, draw(other.shape->slots), now);
            }
        }
        came += right;
        now += SECOND;
    }
    assert_int_equal(came, KNOCKS);
    reassembly_free(a);
}

/* Of pieces from forged addresses, each another one, the table is full all the time. */
static void a_flood_of_forged_addresses(void **state)
{
    (void)state;
    enum { MAX = 1024 };
    struct reassembly *a = reassembly_new(SPAN, MAX, hash_key);
    int64_t now = 0;
    uint32_t address = 0;
    for (unsigned n = 0; n < 50; n++) {
        struct knock knock = knock_from(7, (uint16_t)(4000 + n), n % CARRIER_WINDOWS);
        uint8_t order[CARRIER_SLOTS_MAX];
        bool right = false;
        shuffle(order, knock.shape->slots);
        for (unsigned i = 0; i < knock.shape->slots; i++, now += 2 * MS) {
            struct reassembled made = send_slot(a, &knock, order[i], now);
            right |= is_message_of(&made, &knock);
            /* Each makes two records: they fill what earlier knocks leave of the table. */
            for (unsigned junk = 0; junk < MAX / 2 - 64; junk++, address++) {
                struct packet packet = packet_of(&knock, draw(knock.shape->slots));
                packet.src = (struct addr){4, {10}};
                memcpy(packet.src.bytes + 1, &address, 3);
                reassembly_feed(a, 0, &packet, now, &made);
                assert_int_equal(made.length, 0);
            }
        }
        if (!right)
            fail_msg("knock %u didn't come", n);
    }
    assert_in_range(reassembly_counters(a).evicted, 2 * address - MAX, 2 * address);
    reassembly_free(a);
}

/* Forged whole messages, 100,000 a second from one address: of others' each comes through, and of
 * its own some round does; a knock in pieces comes through beside them, too. */
static void a_flood_with_one_address(void **state)
{
    (void)state;
    enum { MAX = 1024, SECONDS = 5, EVERY = 1000 };
    struct reassembly *a = reassembly_new(SPAN, MAX, hash_key);
    struct knock forged = knock_from(7, 4000, CARRIER_UDP);
    unsigned others = 0, own = 0, pieces = 0;
    reassembly_set_packet_port(a, PACKET_PORT);
    for (unsigned i = 0; i < SECONDS * 100000; i++) {
        int64_t now = i * (SECOND / 100000);
        forged.spt = (uint16_t)draw(65536);
        memcpy(forged.message, &i, sizeof(i));
        send_whole(a, &forged, now);
        if (i % EVERY > 0)
            continue;
        struct knock knock = knock_from((uint8_t)(8 + draw(200)), 5000, CARRIER_UDP);
        others += send_whole(a, &knock, now);
        knock.from = forged.from;
        own += send_whole(a, &knock, now);
        int64_t at = now;
        knock.spt = (uint16_t)(6000 + i / EVERY);
        pieces += send_round(a, &knock, &at) > 0;
    }
    assert_int_equal(others, SECONDS * 100000 / EVERY);
    assert_int_equal(pieces, others);
    if (own == 0)
        fail_msg("of %u own knocks none came", others);
    reassembly_free(a);
}

/* Forged whole messages, each from an address of its own, 20,000 a second for 10 s: the keeper
 * reads them all, knocks come through, whole and in pieces, and no piece makes room. */
static void a_flood_of_whole_messages(void **state)
{
    (void)state;
    enum { MAX = 1024, FLOOD = 200000, EVERY = 10000 };
    struct reassembly *a = reassembly_new(SPAN, MAX, hash_key);
    struct knock forged = knock_from(7, 4000, CARRIER_UDP), knock = {0};
    unsigned whole = 0, pieces = 0;
    uint32_t address = 0;
    reassembly_set_packet_port(a, PACKET_PORT);
    for (unsigned i = 0; i < FLOOD; i++) {
        int64_t now = i * (SECOND / 20000);
        forged.from = (struct addr){4, {10}};
        memcpy(forged.from.bytes + 1, &address, 3);
        address++;
        send_whole(a, &forged, now);
        if (i % EVERY == 0) {
            knock = knock_from((uint8_t)(20 + i / EVERY), 4000, CARRIER_UDP);
            whole += send_whole(a, &knock, now);
        }
        /* 2 ms between the pieces. */
        if (i % EVERY % 40 == 0 && i % EVERY / 40 < knock.shape->slots) {
            struct reassembled made = send_slot(a, &knock, i % EVERY / 40, now);
            pieces += is_message_of(&made, &knock);
        }
    }
    assert_int_equal(whole, FLOOD / EVERY);
    assert_int_equal(pieces, FLOOD / EVERY);
    reassembly_free(a);
}

/*
 * Forged addresses that each came to one piece less than a message fill the table, and a new one a
 * millisecond is weaker than all of them: no weaker than whoever begins to knock.
 */
static void a_table_full_of_patient_strangers(void **state)
{
    (void)state;
    enum { MAX = 1024 };
    struct reassembly *a = reassembly_new(SPAN, MAX, hash_key);
    struct reassembled made;
    int64_t now = 0;
    struct knock filler = knock_from(7, 4000, CARRIER_TCP);
    /* One after another, since each has two records until he has sent half a message. */
    for (unsigned i = 0; i < MAX - 1; i++)
        for (unsigned slot = 0; slot + 1u < filler.shape->message_slots; slot++) {
            struct packet packet = packet_of(&filler, slot);
            packet.src = (struct addr){4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
            reassembly_feed(a, 0, &packet, now, &made);
        }
    assert_int_equal(reassembly_counters(a).evicted, 0);
    now += SECOND;
    for (unsigned n = 0; n < 3 * CARRIER_WINDOWS; n++, now += SECOND) {
        struct knock knock = knock_from((uint8_t)(20 + n), 4000, n % CARRIER_WINDOWS);
        uint8_t order[CARRIER_SLOTS_MAX];
        bool right = false;
        shuffle(order, knock.shape->slots);
        for (unsigned i = 0; i < 2 * knock.shape->slots; i++, now += MS) {
            struct packet packet = packet_of(&knock, order[i / 2]);
            if (i % 2)
                packet.src = (struct addr){4, {11, (uint8_t)n, 0, (uint8_t)i}};
            reassembly_feed(a, 0, &packet, now, &made);
            right |= is_message_of(&made, &knock);
        }
        if (!right)
            fail_msg("knock %u didn't come", n);
    }
    reassembly_free(a);
}

/* Who makes room: the fewest slots, of these the longest without another. */
static void the_weakest_makes_room(void **state)
{
    (void)state;
    /* Each letter is a user, who sends his next piece; a user has an own and a common record, so
     * there is room for 3. */
    static const struct {
        const char *sent;
        const char *left; /* who then has how many pieces, his next one included */
    } rows[] = {
        {"abc", "a2b2c2"},     {"abcd", "b2c2d2"},    {"aabbccd", "b3c3d2"},
        {"aabcd", "a3c2d2"},   {"abbcd", "b3c2d2"},   {"abcad", "a3c2d2"},
        {"abcabcd", "b3c3d2"}, {"aaabbcd", "a4b3d2"}, {"bbacacd", "c3a3d2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct reassembly *a = reassembly_new(SPAN, 6, hash_key);
        struct knock users[4];
        unsigned sent[4] = {0};
        for (unsigned u = 0; u < 4; u++)
            users[u] = knock_from((uint8_t)u, 4000, CARRIER_TCP);
        for (const char *p = rows[i].sent; *p; p++)
            send_slot(a, &users[*p - 'a'], sent[*p - 'a']++, 0);
        for (const char *p = rows[i].left; *p; p += 2) {
            unsigned u = (unsigned)(*p - 'a'), pieces = (unsigned)(p[1] - '0');
            struct reassembled made = send_slot(a, &users[u], sent[u]++, 0);
            if (made.fragments != pieces)
                fail_msg("%s: %c has %u pieces, not %u", rows[i].sent, *p, made.fragments, pieces);
        }
        reassembly_free(a);
    }
}

/* With room for no more than the two records of one packet, they don't displace each other. */
static void a_packet_spares_its_own_record(void **state)
{
    (void)state;
    struct reassembly *a = reassembly_new(SPAN, 2, hash_key);
    struct knock knock = knock_from(7, 4000, CARRIER_TCP), other = knock_from(8, 4000, CARRIER_TCP);
    int64_t now = 0;
    send_slot(a, &other, 0, 0);
    assert_int_equal(send_round(a, &knock, &now), 1);
    assert_int_equal(reassembly_counters(a).evicted, 2);
    /* Other addresses, sources and windows are no part of it. */
    struct reassembled made;
    struct packet packet = packet_of(&knock, 0);
    reassembly_feed(a, 1, &packet, now, &made);
    assert_int_equal(made.fragments, 1);
    reassembly_free(a);
}

int main(void)
{
    random_state = (uint64_t)time(NULL);
    print_message("# seed %llu\n", (unsigned long long)random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_behind_one_address),
        cmocka_unit_test(a_crowd_hands_over_few_mixtures),
        cmocka_unit_test(knocks_in_a_row),
        cmocka_unit_test(rounds_that_go_on_make_no_mixture),
        cmocka_unit_test(a_nat_with_few_ports),
        cmocka_unit_test(the_next_knock_begins_alike),
        cmocka_unit_test(forged_pieces_with_the_same_address),
        cmocka_unit_test(a_flood_of_forged_addresses),
        cmocka_unit_test(a_flood_with_one_address),
        cmocka_unit_test(a_flood_of_whole_messages),
        cmocka_unit_test(a_table_full_of_patient_strangers),
        cmocka_unit_test(the_weakest_makes_room),
        cmocka_unit_test(a_packet_spares_its_own_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
