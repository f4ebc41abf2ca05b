/* The vectors of tests/data/sealed.txt, which a second implementation checks as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "lib/carrier.h"
#include "lib/sealed.h"
#include "listener/ip_packet.h"
#include "listener/reassembly.h"
#include "sealed_help.h"

enum { WORDS_MAX = 16, SECRETS_MAX = 8, PACKET_MAX = 128 };

/* A row: its first word says what the others are. */
struct row {
    int line;
    const char *words[WORDS_MAX];
    unsigned count;
};

static struct {
    char name[16];
    uint8_t secret[SEALED_SECRET_SIZE];
} secrets[SECRETS_MAX];
static unsigned secret_count;
static unsigned messages, refusals, carriers, datagrams, noises;

static void row_secret(const struct row *row)
{
    assert_true(row->count == 3 && secret_count < SECRETS_MAX);
    snprintf(secrets[secret_count].name, sizeof(secrets->name), "%s", row->words[1]);
    assert_int_equal(unhex(row->words[2], secrets[secret_count++].secret, SEALED_SECRET_SIZE), 32);
}

static struct sealed_key key_of(const char *name, const char *server)
{
    struct sealed_key key = {{0}, {0}, {0}};
    unsigned i = 0;
    while (i < secret_count && strcmp(secrets[i].name, name) != 0)
        i++;
    assert_true(i < secret_count);
    sealed_key_derive(secrets[i].secret, server, &key);
    return key;
}

/* Points to the address, or to nothing where the word is "any" or "-". */
static const struct addr *maybe(const char *word, struct addr *out)
{
    if (strcmp(word, "any") == 0 || strcmp(word, "-") == 0)
        return NULL;
    *out = address(word);
    return out;
}

static struct sealed_request request_of(const struct row *row)
{
    struct addr a = {0};
    struct sealed_request r = {.op = (uint8_t)atoi(row->words[5]),
                               .seconds = (uint16_t)atoi(row->words[7]),
                               .port = (uint16_t)atoi(row->words[8])};
    sealed_door(row->words[6], r.door);
    maybe(row->words[9], &a);
    r.address = a;
    return r;
}

static void row_message(const struct row *row)
{
    assert_int_equal(row->count, 11);
    struct sealed_key key = key_of(row->words[1], row->words[2]);
    uint64_t time = strtoull(row->words[3], NULL, 16);
    struct addr to;
    const struct addr *bound = maybe(row->words[4], &to);
    struct sealed_request in = request_of(row), out = {.op = 0};
    uint8_t message[SEALED_LONG];
    char hex[2 * SEALED_LONG + 1];
    size_t len = sealed_make(&key, time, bound, &in, message);
    assert_string_equal(to_hex(message, len, hex), row->words[10]);
    assert_true(sealed_open(&key, message, len, bound, &out));
    assert_true(in.op == out.op && in.seconds == out.seconds && in.port == out.port);
    assert_memory_equal(in.door, out.door, SEALED_DOOR_SIZE);
    assert_true(addr_equal(&in.address, &out.address));
    assert_true(sealed_message_time(message) == time);
    assert_int_equal(sealed_message_hint(message), sealed_hint(&key, time));
    messages++;
}

static void row_refused(const struct row *row)
{
    assert_int_equal(row->count, 5);
    struct sealed_key key = key_of(row->words[1], row->words[2]);
    struct addr from;
    uint8_t message[SEALED_LONG + 1];
    struct sealed_request out = {.op = 99};
    size_t len = unhex(row->words[4], message, sizeof(message));
    assert_int_equal(2 * len, strlen(row->words[4]));
    if (sealed_open(&key, message, len, maybe(row->words[3], &from), &out))
        fail_msg("line %d: it opens", row->line);
    assert_int_equal(out.op, 99);
    refusals++;
}

static enum carrier_window window_of(const char *name)
{
    static const char *const names[CARRIER_WINDOWS] = {"tcp", "udp", "udp-long"};
    int w = 0;
    while (w < CARRIER_WINDOWS && strcmp(names[w], name) != 0)
        w++;
    assert_true(w < CARRIER_WINDOWS);
    return (enum carrier_window)w;
}

/* Reads the slot's packets: of TCP the bytes, of UDP twice as many. */
static void parity_is(const struct carrier_shape *shape, const struct carrier_piece *pieces,
                      const char *expected)
{
    uint8_t parity[CARRIER_SLOTS_MAX];
    char hex[2 * CARRIER_SLOTS_MAX + 1];
    size_t len = 0;
    for (unsigned slot = shape->message_slots; slot < shape->slots; slot++) {
        if (shape->piece == 2)
            parity[len++] = (uint8_t)(pieces[slot].value >> 8);
        parity[len++] = (uint8_t)pieces[slot].value;
    }
    assert_string_equal(to_hex(parity, len, hex), expected);
}

static void row_carrier(const struct row *row)
{
    assert_true(row->count > 5);
    enum carrier_window window = window_of(row->words[1]);
    const struct carrier_shape *shape = carrier_shape(window);
    uint16_t span = (uint16_t)atoi(row->words[2]);
    uint8_t message[SEALED_LONG], again[SEALED_LONG];
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    struct carrier_piece pieces[CARRIER_SLOTS_MAX];
    assert_int_equal(unhex(row->words[3], message, sizeof(message)), shape->length);
    carrier_packets(window, span, message, packets);
    for (unsigned i = 5; i < row->count; i++) {
        unsigned slot = 99, port = 0, length = 0;
        assert_true(sscanf(row->words[i], "%u:%u/%u", &slot, &port, &length) >= 2);
        assert_true(slot < shape->slots);
        assert_int_equal(packets[slot].port, port);
        assert_int_equal(packets[slot].length, length);
        assert_int_equal(packets[slot].proto, window == CARRIER_TCP ? IPPROTO_TCP : IPPROTO_UDP);
    }
    for (unsigned i = 0; i < shape->slots; i++)
        assert_true(
            carrier_read(span, packets[i].proto, packets[i].port, packets[i].length, &pieces[i]));
    parity_is(shape, pieces, row->words[4]);
    carrier_recover(window, pieces + shape->slots - shape->message_slots, again);
    assert_memory_equal(again, message, shape->length);
    carriers++;
}

/* The message that a packet carries, in hex; "": none. */
static const char *whole_message(const char *packet, const char *port, char out[2 * PACKET_MAX + 1])
{
    uint8_t *bytes = malloc(PACKET_MAX); /* with nothing behind them, so that ASan watches */
    assert_non_null(bytes);
    size_t len = unhex(packet, bytes, PACKET_MAX);
    assert_int_equal(2 * len, strlen(packet));
    uint8_t *exact = realloc(bytes, len);
    assert_non_null(exact);
    static const uint8_t key[16];
    struct ip_packet read;
    struct reassembled made = {0};
    struct reassembly *r = reassembly_new(20000, 4, key);
    assert_non_null(r);
    reassembly_set_packet_port(r, (uint16_t)atoi(port));
    out[0] = '\0';
    if (ip_packet_parse(exact, len, &read) == LINE_PACKET &&
        reassembly_whole(r, 0, &read, 1, &made))
        to_hex(made.message, made.length, out);
    reassembly_free(r);
    free(exact);
    return out;
}

static void row_packet(const struct row *row)
{
    char hex[2 * PACKET_MAX + 1];
    assert_int_equal(row->count, 7);
    assert_string_equal(whole_message(row->words[6], row->words[4], hex), row->words[5]);
    datagrams++;
}

static void row_nomessage(const struct row *row)
{
    char hex[2 * PACKET_MAX + 1];
    assert_int_equal(row->count, 3);
    if (strlen(whole_message(row->words[2], row->words[1], hex)) > 0)
        fail_msg("line %d: it carries %s", row->line, hex);
    noises++;
}

static void check(const struct row *row)
{
    static const struct {
        const char *word;
        void (*check)(const struct row *row);
    } kinds[] = {{"secret", row_secret},   {"message", row_message}, {"refused", row_refused},
                 {"carrier", row_carrier}, {"packet", row_packet},   {"nomessage", row_nomessage}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i].word, row->words[0]) == 0) {
            kinds[i].check(row);
            return;
        }
    fail_msg("line %d: no such row: %s", row->line, row->words[0]);
}

static void all_vectors(void **state)
{
    (void)state;
    char text[1024];
    struct row row = {.line = 0};
    FILE *file = fopen(TEST_DATA "/sealed.txt", "r");
    assert_non_null(file);
    while (fgets(text, sizeof(text), file)) {
        char *rest = text;
        row.line++;
        row.count = 0;
        text[strcspn(text, "#\n")] = '\0';
        for (char *word; row.count < WORDS_MAX && (word = strtok_r(rest, " ", &rest));)
            row.words[row.count++] = word;
        if (row.count)
            check(&row);
    }
    fclose(file);
    assert_true(messages >= 24 && refusals >= 20 && carriers >= 15 && datagrams >= 4 &&
                noises >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
