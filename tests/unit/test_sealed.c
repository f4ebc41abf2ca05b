/* Sealed messages: the design's test vector, what binds, and that nothing altered is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/crypto.h"
#include "lib/sealed.h"
#include "sealed_help.h"

#define VECTOR "bdd46b49d20080003178ab95cf6b1e69e3df752ccebd05705d0b6a9486e309fe"

static const char *const no_source = NULL;

static struct sealed_key key_for(const char *server)
{
    struct sealed_key key;
    uint8_t secret[SEALED_SECRET_SIZE];
    for (unsigned i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)i;
    sealed_key_derive(secret, server, &key);
    return key;
}

static void the_designs_vector(void **state)
{
    (void)state;
    struct sealed_key key = key_for("gate.example");
    struct sealed_request request = {.op = SEALED_OPEN, .port = 22};
    struct addr bound = address("198.51.100.7");
    uint8_t message[SEALED_LONG];
    char hex[2 * SEALED_LONG + 1];
    sealed_door("ssh", request.door);
    size_t len = sealed_make(&key, sealed_time(1800000000, 500000000), &bound, &request, message);
    assert_int_equal(len, SEALED_SHORT);
    assert_string_equal(to_hex(message, len, hex), VECTOR);
    assert_int_equal(sealed_message_hint(message), 0xbdd4);
    assert_int_equal(sealed_message_hint(message), sealed_hint(&key, sealed_message_time(message)));
    assert_int_equal(sealed_message_time(message), (UINT64_C(1800000000) << 16) + 0x8000);
}

static void request_equal(const struct sealed_request *a, const struct sealed_request *b)
{
    assert_int_equal(a->op, b->op);
    assert_memory_equal(a->door, b->door, SEALED_DOOR_SIZE);
    assert_int_equal(a->seconds, b->seconds);
    assert_int_equal(a->port, b->port);
    assert_true(addr_equal(&a->address, &b->address));
}

static void opens_what_it_made(void **state)
{
    (void)state;
    static const struct {
        const char *bound, *source, *address, *comes_out;
    } rows[] = {
        {"198.51.100.7", "198.51.100.7", NULL, NULL},
        {"2001:db8::7", "2001:db8::7", NULL, NULL},
        {NULL, NULL, NULL, NULL},
        {"198.51.100.7", "198.51.100.7", "203.0.113.5", "203.0.113.5"},
        {"2001:db8::7", "2001:db8::7", "2001:db8::8", "2001:db8::8"},
        {NULL, NULL, "::ffff:203.0.113.5", "203.0.113.5"},
        {NULL, NULL, "::", "::"},
        {"::ffff:198.51.100.7", "198.51.100.7", NULL, NULL},
    };
    struct sealed_key key = key_for("gate.example");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sealed_request in = {.op = SEALED_CLOSE, .seconds = 0xfffe, .port = 0xfffd}, out;
        struct addr bound, source;
        uint8_t message[SEALED_LONG];
        if (rows[i].address)
            in.address = address(rows[i].address);
        if (rows[i].bound)
            bound = address(rows[i].bound);
        if (rows[i].source)
            source = address(rows[i].source);
        sealed_door("web", in.door);
        size_t len =
            sealed_make(&key, SEALED_TIME_MAX, rows[i].bound ? &bound : NULL, &in, message);
        assert_int_equal(len, rows[i].address ? SEALED_LONG : SEALED_SHORT);
        assert_true(sealed_open(&key, message, len, rows[i].source ? &source : NULL, &out));
        in.address = rows[i].comes_out ? address(rows[i].comes_out) : (struct addr){0};
        request_equal(&in, &out);
    }
}

/* Makes a message bound to `bound` and says whether it opens from `source` on `server`. */
static bool opens(const char *bound, const char *source, const char *server)
{
    struct sealed_key ours = key_for("gate.example"), theirs = key_for(server);
    struct sealed_request request = {.op = SEALED_OPEN}, out = {.op = 99};
    uint8_t message[SEALED_LONG];
    struct addr to = {0}, from = {0};
    if (bound)
        to = address(bound);
    if (source)
        from = address(source);
    size_t len = sealed_make(&ours, 1, bound ? &to : NULL, &request, message);
    bool ok = sealed_open(&theirs, message, len, source ? &from : NULL, &out);
    assert_int_equal(out.op, ok ? SEALED_OPEN : 99);
    return ok;
}

static void opens_from_nowhere_else(void **state)
{
    (void)state;
    assert_true(opens("198.51.100.7", "198.51.100.7", "gate.example"));
    assert_false(opens("198.51.100.7", "198.51.100.8", "gate.example"));
    assert_false(opens("198.51.100.7", no_source, "gate.example"));
    assert_false(opens("198.51.100.7", "::c633:6407", "gate.example"));
    assert_false(opens("198.51.100.7", "198.51.100.7", "gate.example."));
    assert_true(opens(no_source, no_source, "gate.example"));
    assert_false(opens(no_source, "198.51.100.7", "gate.example"));
    assert_false(opens(no_source, "0.0.0.0", "gate.example"));
    /* Its bytes are those that say unbound. */
    assert_false(opens(no_source, "::", "gate.example"));
}

static void refuses_every_turned_bit(void **state)
{
    (void)state;
    struct sealed_key key = key_for("gate.example");
    struct addr bound = address("198.51.100.7");
    for (int with_address = 0; with_address < 2; with_address++) {
        struct sealed_request in = {.op = SEALED_OPEN}, out = {.op = 99};
        uint8_t message[SEALED_LONG];
        if (with_address)
            in.address = bound;
        size_t len = sealed_make(&key, UINT64_C(0x6b49d2008000), &bound, &in, message);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            message[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(sealed_open(&key, message, len, &bound, &out));
            assert_int_equal(out.op, 99);
            message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(sealed_open(&key, message, len, &bound, &out));
    }
}

static void refuses_every_other_length(void **state)
{
    (void)state;
    struct sealed_key key = key_for("gate.example");
    struct sealed_request in = {.op = SEALED_OPEN, .address = address("198.51.100.7")}, out;
    uint8_t message[SEALED_LONG + 1] = {0};
    assert_int_equal(sealed_make(&key, 1, NULL, &in, message), SEALED_LONG);
    for (size_t len = 0; len <= sizeof(message); len++)
        assert_int_equal(sealed_open(&key, message, len, NULL, &out), len == SEALED_LONG);
}

/* Who has the key can seal anything, but only two lengths are messages. */
static void refuses_well_sealed_texts_of_other_lengths(void **state)
{
    (void)state;
    struct sealed_key key = key_for("gate.example");
    static const uint8_t nonce[CRYPTO_NONCE_SIZE], text[25];
    uint8_t extra[31] = "knockd sealed 1", message[8 + sizeof(text) + CRYPTO_TAG_SIZE] = {0};
    for (size_t len = 0; len <= sizeof(text); len++) {
        struct sealed_request out;
        crypto_seal(key.seal, nonce, (struct keyed_extra){extra, sizeof(extra)}, text, len,
                    message + 8);
        assert_int_equal(sealed_open(&key, message, 8 + len + CRYPTO_TAG_SIZE, NULL, &out),
                         len == 8 || len == 24);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        int32_t nanoseconds;
        uint64_t time;
    } rows[] = {
        {0, 0, 0},
        {1, 0, 65536},
        {0, 15258, 0},
        {0, 15259, 1},
        {0, 999999999, 65535},
        {UINT32_MAX, 999999999, SEALED_TIME_MAX},
        {INT64_C(1) << 32, 0, SEALED_TIME_MAX},
        {INT64_MAX, 0, SEALED_TIME_MAX},
        {-1, 999999999, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(sealed_time(rows[i].seconds, rows[i].nanoseconds) == rows[i].time);
}

static void a_hint_lasts_its_period(void **state)
{
    (void)state;
    struct sealed_key key = key_for("gate.example");
    uint64_t start = UINT64_C(1800000000) / 128 * 128;
    uint16_t hint = sealed_hint(&key, sealed_time((int64_t)start, 0));
    assert_int_equal(sealed_hint(&key, sealed_time((int64_t)start + 127, 999999999)), hint);
    assert_int_not_equal(sealed_hint(&key, sealed_time((int64_t)start + 128, 0)), hint);
    assert_int_not_equal(sealed_hint(&key, sealed_time((int64_t)start, 0) - 1), hint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_designs_vector),
        cmocka_unit_test(opens_what_it_made),
        cmocka_unit_test(opens_from_nowhere_else),
        cmocka_unit_test(refuses_every_turned_bit),
        cmocka_unit_test(refuses_every_other_length),
        cmocka_unit_test(refuses_well_sealed_texts_of_other_lengths),
        cmocka_unit_test(times),
        cmocka_unit_test(a_hint_lasts_its_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
