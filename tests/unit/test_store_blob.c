/* Commands as a blob: what decodes is a list of whole words, whatever the bytes are. */
#include "store_help.h"

#include "lib/crypto.h"

enum { SUM = 8, LISTS_AT = 32, MUTATIONS = 20000 };

/* Puts the right sum under `blob`, so that what follows is judged by itself. */
static void sum_up(uint8_t *blob, size_t size, const struct stored_door *door)
{
    static const uint8_t key[CRYPTO_KEY_SIZE];
    enum { OF_ALL = 8 + 8 + 8 + CONFIG_NAME_MAX + 1 + 17, OF_PORT = 3 };
    uint8_t all[OF_ALL + OF_PORT] = {0};
    uint64_t numbers[3] = {crypto_keyed_hash(key, blob, size - SUM), (uint64_t)door->opened_wall,
                           (uint64_t)door->length};
    for (int i = 0; i < 24; i++)
        all[i] = (uint8_t)(numbers[i / 8] >> 8 * (i % 8));
    memcpy(all + 24, door->name, strlen(door->name));
    all[24 + CONFIG_NAME_MAX + 1] = door->address.family;
    memcpy(all + 24 + CONFIG_NAME_MAX + 2, door->address.bytes, 16);
    all[OF_ALL] = (uint8_t)door->port.port;
    all[OF_ALL + 1] = (uint8_t)(door->port.port >> 8);
    all[OF_ALL + 2] = door->port.proto;
    uint64_t sum = crypto_keyed_hash(key, all, OF_ALL + (door->port.port ? OF_PORT : 0));
    for (int i = 0; i < 8; i++)
        blob[size - SUM + (size_t)i] = (uint8_t)(sum >> 8 * i);
}

static struct stored_door same_row(const struct stored_door *door)
{
    struct stored_door row = *door;
    row.start = row.stop = row.extend = row.check = (struct commands){0};
    memset(row.stop_ok, 0, sizeof(row.stop_ok));
    return row;
}

static void gives_back_what_was_put_in(void **state)
{
    (void)state;
    struct stored_door door = door_make(5);
    command_add(&door.stop, "/bin/a||b|");
    command_add(&door.check, "/bin/c|");
    size_t size;
    uint8_t *blob = store_blob_encode(&door, &size);
    struct stored_door row = same_row(&door);
    assert_int_equal(store_blob_decode(blob, size, &row), 0);
    assert_true(door_equal(&row, &door));
    assert_int_equal(row.stop.items[1].words, 3);
    stored_door_free(&row);
    free(blob);
    stored_door_free(&door);
}

static void belongs_to_its_row(void **state)
{
    (void)state;
    struct stored_door door = door_make(5);
    size_t size;
    uint8_t *blob = store_blob_encode(&door, &size);
    struct stored_door rows[7];
    for (int i = 0; i < 7; i++)
        rows[i] = same_row(&door);
    rows[0].name[0] = 'D';
    rows[1].address.bytes[3] ^= 1;
    rows[2].address.family = 6;
    rows[3].length++;
    rows[4].opened_wall--;
    rows[5].port.port ^= 0x100;
    rows[6].port = (struct port_proto){0};
    for (int i = 0; i < 7; i++) {
        assert_int_equal(store_blob_decode(blob, size, &rows[i]), -1);
        assert_null(rows[i].start.items);
    }
    free(blob);
    stored_door_free(&door);
}

/* Numbers at their places, after 32 bytes of stop_ok: count, words, size, "/b", "x", counts. */
static const uint8_t good[] = {1,   0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, '/', 'b', 0,
                               'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0};

static int decode_changed(size_t at, uint8_t value, size_t size)
{
    struct stored_door row = {.address = {.family = 4}};
    uint8_t blob[LISTS_AT + sizeof(good) + 4 + SUM] = {0};
    memcpy(blob + LISTS_AT, good, sizeof(good));
    blob[LISTS_AT + at] = value;
    sum_up(blob, LISTS_AT + size + SUM, &row);
    int rc = store_blob_decode(blob, LISTS_AT + size + SUM, &row);
    stored_door_free(&row);
    return rc;
}

static void refuses_what_is_no_list(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {0, 2},    {0, 0},    {3, 255},                      /* count */
        {4, 0},    {4, 1},    {4, 3},   {7, 1},              /* words */
        {8, 0},    {8, 4},    {8, 6},   {8, 255}, {11, 255}, /* size */
        {16, 'y'}, {14, 'y'}, {13, 0},                       /* ends of words */
        {17, 1},   {28, 128},                                /* counts after it */
    };
    assert_int_equal(decode_changed(0, 1, sizeof(good)), 0);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
        if (decode_changed(changes[i].at, changes[i].value, sizeof(good)) != -1)
            fail_msg("change %zu was taken", i);
    for (size_t size = 0; size < sizeof(good); size++)
        assert_int_equal(decode_changed(0, 1, size), -1);
    assert_int_equal(decode_changed(0, 1, sizeof(good) + 1), -1);
    assert_int_equal(decode_changed(0, 1, sizeof(good) + 4), -1);
    struct stored_door row = {.length = 0};
    for (size_t size = 0; size < LISTS_AT + SUM; size++)
        assert_int_equal(store_blob_decode((const uint8_t[LISTS_AT + SUM]){0}, size, &row), -1);
}

static void expect_whole_words(const struct commands *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        const struct command *command = &list->items[i];
        unsigned words = 0;
        for (const char *at = command->text; at < command->text + command->size; words++)
            at += strlen(at) + 1;
        assert_true(words > 0);
        assert_int_equal(words, command->words);
    }
}

static void survives_any_bytes(void **state)
{
    (void)state;
    srand(seed_of("blob"));
    struct stored_door door = door_make(5);
    command_add(&door.check, "/bin/c|d|");
    size_t size;
    unsigned taken = 0;
    uint8_t *blob = store_blob_encode(&door, &size);
    for (int i = 0; i < MUTATIONS; i++) {
        size_t left = rand() % 4 ? size : SUM + (size_t)rand() % (size - SUM);
        uint8_t *copy = malloc(left);
        memcpy(copy, blob, left);
        for (int j = rand() % 3; j >= 0 && left > SUM; j--)
            copy[(size_t)rand() % (left - SUM)] = (uint8_t)(rand() % 4 ? rand() % 4 : rand());
        struct stored_door row = same_row(&door);
        sum_up(copy, left, &row);
        if (store_blob_decode(copy, left, &row) == 0) {
            expect_whole_words(&row.start);
            expect_whole_words(&row.stop);
            expect_whole_words(&row.check);
            taken++;
        }
        stored_door_free(&row);
        free(copy);
    }
    assert_true(taken > 0 && taken < MUTATIONS);
    free(blob);
    stored_door_free(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_put_in),
        cmocka_unit_test(belongs_to_its_row),
        cmocka_unit_test(refuses_what_is_no_list),
        cmocka_unit_test(survives_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
