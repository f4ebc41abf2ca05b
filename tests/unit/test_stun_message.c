/* STUN's messages: the test vectors of RFC 5769, old servers, answers that are cut, hostile or not
 * ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knock/stun_message.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Of all messages here. */
static const uint8_t id[STUN_ID_SIZE] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                         0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

#define COOKIE "2112a442"
#define ID     COOKIE "b7e7a701bc34d686fa87dfae"

/* RFC 5769, 2.2 and 2.3: SOFTWARE, XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT. */
#define VECTOR4                                                                                    \
    "0101003c" ID "8022000b7465737420766563746f7220"                                               \
    "002000080001a147e112a643"                                                                     \
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
#define VECTOR6                                                                                    \
    "01010048" ID "8022000b7465737420766563746f7220"                                               \
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"                                             \
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"

static size_t read_hex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

/* "OTHER", "UNCLEAR", an address, or "CODE REASON". The bytes lie at the end of an allocation, for
 * sanitizers to see a read beyond. */
static const char *told(const uint8_t *bytes, size_t len, char out[128])
{
    struct stun_answer answer;
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes, len);
    stun_read(copy + 1, len, id, &answer);
    free(copy);
    if (answer.kind == STUN_ADDRESS)
        return addr_format(&answer.address, out);
    if (answer.kind != STUN_ERROR)
        return answer.kind == STUN_OTHER ? "OTHER" : "UNCLEAR";
    snprintf(out, 128, "%u %s", answer.code, answer.reason);
    return out;
}

static const struct {
    const char *hex, *told;
} rows[] = {
    {VECTOR4, "192.0.2.1"},
    {VECTOR6, "2001:db8:1234:5678:11:2233:4455:6677"},
    /* MAPPED-ADDRESS alone, as of RFC 3489, with what its servers add; and beside the other one. */
    {"0101000c" ID "000100080001a147c0000207", "192.0.2.7"},
    {"01010024" ID "000100080001a147c00002070004000800010d96c0000209000500080001"
     "0d97c000020a",
     "192.0.2.7"},
    {"01010018" ID "000100080001a147c0000207002000080001a147e112a643", "192.0.2.1"},
    /* The first of two counts. */
    {"01010018" ID "002000080001a147e112a643002000080001a147e112a644", "192.0.2.1"},
    {"0101000c" ID "002000080001a147ffffffff", "222.237.91.189"},
    /* Errors; the reason is printable, and not longer than there is room. */
    {"01110010" ID "00090009000003046c61746572000000", "304 later"},
    {"0111000c" ID "00090008000003006c617465", "300 late"},
    {"01110010" ID "00090009000004141b5b324a07000000", "420 ?[2J?"},
    {"01110008" ID "0009000400000563", "599 "},
    {"01110008" ID "0009000400000264", "UNCLEAR"}, /* 2xx */
    {"01110008" ID "0009000400000464", "UNCLEAR"}, /* 100 as number */
    {"01110000" ID, "UNCLEAR"},
    /* Another request's, or no answer. */
    {"0101000c" COOKIE "b7e7a701bc34d686fa87dfaf002000080001a147e112a643", "OTHER"},
    {"0101000c2112a443b7e7a701bc34d686fa87dfae002000080001a147e112a643", "OTHER"},
    {"00010000" ID, "OTHER"},
    {"00110000" ID, "OTHER"},
    {"0102000c" ID "002000080001a147e112a643", "OTHER"},
    {"8101000c" ID "002000080001a147e112a643", "OTHER"},
    {"", "OTHER"},
    {"0101000c2112a442", "OTHER"},
    /* Ours, but wrong. */
    {"01010000" ID, "UNCLEAR"},
    {"01010008" ID "002000080001a147e112a643", "UNCLEAR"},
    {"01010010" ID "002000080001a147e112a643", "UNCLEAR"},
    {"0101000c" ID "002000090001a147e112a643", "UNCLEAR"},
    {"0101000c" ID "00200004e112a64300010000", "UNCLEAR"},
    {"0101000c" ID "002000080002a147e112a643", "UNCLEAR"},
    {"0101000c" ID "002000080003a147e112a643", "UNCLEAR"},
    {"01010018" ID "002000140001a1470113a9faa5d3f179bc25f4b5bed2b9d9", "UNCLEAR"},
    {"01010002" ID "0020", "UNCLEAR"},
    {"01010004" ID "0020ffff", "UNCLEAR"},
    {"01010010" ID "002000080001a147e112a6437fff0000", "UNCLEAR"}, /* has to be understood */
    {"01010010" ID "002000080001a147e112a643ffff0000", "192.0.2.1"},
    {"01010010" ID "002000080001a147e112a64300210000", "UNCLEAR"},
};

static void reads_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t bytes[256];
        char out[128];
        const char *got = told(bytes, read_hex(rows[i].hex, bytes), out);
        if (strcmp(got, rows[i].told) != 0)
            fail_msg("row %zu: \"%s\", expected \"%s\"", i, got, rows[i].told);
    }
}

static void cuts_a_long_reason(void **state)
{
    (void)state;
    uint8_t bytes[20 + 8 + 760] = {0x01, 0x11, (768 >> 8), (768 & 255)};
    char out[128];
    read_hex(ID, bytes + 4);
    read_hex("000902fc00000414", bytes + 20);
    memset(bytes + 28, 'x', 760);
    assert_int_equal(strlen(told(bytes, sizeof(bytes), out)), 4 + STUN_REASON_SIZE - 1);
}

/* No beginning of an answer is one. */
static void takes_no_part(void **state)
{
    (void)state;
    static const char *const whole[] = {VECTOR4, VECTOR6};
    for (size_t i = 0; i < COUNT(whole); i++) {
        uint8_t bytes[256];
        char out[128];
        size_t len = read_hex(whole[i], bytes);
        for (size_t part = 0; part < len; part++)
            assert_string_equal(told(bytes, part, out), part < 20 ? "OTHER" : "UNCLEAR");
    }
}

static void asks(void **state)
{
    (void)state;
    uint8_t expected[STUN_REQUEST_SIZE], got[STUN_REQUEST_SIZE];
    read_hex("00010000" ID, expected);
    stun_request(id, got);
    assert_memory_equal(got, expected, sizeof(got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers),
        cmocka_unit_test(cuts_a_long_reason),
        cmocka_unit_test(takes_no_part),
        cmocka_unit_test(asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
