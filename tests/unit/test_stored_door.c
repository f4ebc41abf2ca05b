/* Commands as texts, and the sum of an opening: what is parsed is whole words, whatever the bytes
 * are, and no part of an opening changes without the sum. */
#include "store_help.h"

enum { MUTATIONS = 20000 };

static void gives_back_what_was_put_in(void **state)
{
    (void)state;
    static const struct {
        const char *words, *text;
    } cases[] = {
        {"/bin/a|", "/bin/a\n"},
        {"/bin/a||b|", "/bin/a\n\nb\n"},
        {"|||", "\n\n\n"},
        {"/bin/sh|-c|a 'b' \"c\"\t\n\\n\\\xc3\xa4\xff|",
         "/bin/sh\n-c\na 'b' \"c\"\t\\n\\\\n\\\\\xc3\xa4\xff\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct commands list = {0};
        struct command parsed;
        command_add(&list, cases[i].words);
        char *text = stored_command_text(&list.items[0]);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(stored_command_parse(text, strlen(text), &parsed), 0);
        assert_int_equal(parsed.words, list.items[0].words);
        assert_int_equal(parsed.size, list.items[0].size);
        assert_memory_equal(parsed.text, list.items[0].text, parsed.size);
        free(parsed.text);
        free(text);
        commands_free(&list);
    }
}

static void refuses_what_is_no_text_of_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"", 0},       {"/bin/a", 6},    {"a\nb", 3},    {"\0", 1},    {"a\0\n", 3},
        {"a\n\0", 3},  {"a\\\n", 3},     {"a\\", 2},     {"a\n\\", 3}, {"a\\t\n", 4},
        {"a\\0\n", 4}, {"a\\\\\\\n", 5}, {"a\\\0\n", 4}, {"\\", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct command parsed;
        char *copy = malloc(cases[i].size + 1);
        memcpy(copy, cases[i].text, cases[i].size);
        copy[cases[i].size] = '\n'; /* that isn't the text's */
        if (stored_command_parse(copy, cases[i].size, &parsed) != -1)
            fail_msg("text %zu was taken", i);
        assert_null(parsed.text);
        free(copy);
    }
}

static void expect_whole_words(const struct command *command)
{
    unsigned words = 0;
    for (const char *at = command->text; at < command->text + command->size; words++)
        at += strlen(at) + 1;
    assert_true(words > 0);
    assert_int_equal(words, command->words);
}

static void survives_any_bytes(void **state)
{
    (void)state;
    static const char good[] = "/bin/sh\n-c\na\\n\\\\b\n\nc\n", likely[] = "\n\\n\0x";
    unsigned taken = 0;
    srand(seed_of("text"));
    for (int i = 0; i < MUTATIONS; i++) {
        size_t size = rand() % 4 ? sizeof(good) - 1 : (size_t)rand() % sizeof(good);
        char *copy = malloc(size + 1); /* none of them is read beyond its end */
        struct command parsed;
        memcpy(copy, good, size);
        for (int j = rand() % 3; j >= 0 && size > 0; j--)
            copy[(size_t)rand() % size] =
                (char)(rand() % 4 ? likely[(size_t)rand() % (sizeof(likely) - 1)] : rand());
        if (stored_command_parse(copy, size, &parsed) == 0) {
            expect_whole_words(&parsed);
            free(parsed.text);
            taken++;
        }
        free(copy);
    }
    assert_true(taken > 0 && taken < MUTATIONS);
}

static void change_name(struct stored_door *door)
{
    door->name[0] = 'D';
}

static void change_address(struct stored_door *door)
{
    door->address.bytes[3] ^= 1;
}

static void change_family(struct stored_door *door)
{
    door->address.family = 6;
}

static void change_port(struct stored_door *door)
{
    door->port.port ^= 0x100;
}

static void change_proto(struct stored_door *door)
{
    door->port.proto ^= 1;
}

static void change_key(struct stored_door *door)
{
    strcpy(door->by, "another");
}

static void change_time(struct stored_door *door)
{
    door->opened_wall--;
}

static void change_length(struct stored_door *door)
{
    door->length++;
}

static void change_stop_ok(struct stored_door *door)
{
    door->stop_ok[3] ^= 1;
}

static void lose_command(struct stored_door *door)
{
    free(door->stop.items[--door->stop.count].text);
}

static void add_command(struct stored_door *door)
{
    command_add(&door->check, "/bin/x|");
}

static void change_kind(struct stored_door *door)
{
    struct commands stop = door->stop;
    door->stop = door->extend;
    door->extend = stop;
}

static void change_order(struct stored_door *door)
{
    struct command first = door->start.items[0];
    door->start.items[0] = door->start.items[1];
    door->start.items[1] = first;
}

static void change_word(struct stored_door *door)
{
    door->stop.items[0].text[door->stop.items[0].size - 2] ^= 1;
}

static void join_words(struct stored_door *door)
{
    struct command *command = &door->stop.items[0];
    command->text[strlen(command->text)] = ' ';
    command->words--;
}

static void is_of_all_that_stays(void **state)
{
    (void)state;
    static void (*const changes[])(struct stored_door * door) = {
        change_name, change_address, change_family, change_port,    change_proto,
        change_key,  change_time,    change_length, change_stop_ok, lose_command,
        add_command, change_kind,    change_order,  change_word,    join_words,
    };
    struct stored_door door = door_make(5);
    uint64_t sum = stored_door_sum(&door);
    door.deadline++;
    door.state = STORED_CLOSING;
    door.this_boot = !door.this_boot;
    assert_true(stored_door_sum(&door) == sum);
    stored_door_free(&door);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        door = door_make(5);
        command_add(&door.start, "/bin/second|");
        sum = stored_door_sum(&door);
        assert_true(stored_door_sum(&door) == sum);
        changes[i](&door);
        if (stored_door_sum(&door) == sum)
            fail_msg("change %zu wasn't noticed", i);
        stored_door_free(&door);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_was_put_in),
        cmocka_unit_test(refuses_what_is_no_text_of_words),
        cmocka_unit_test(survives_any_bytes),
        cmocka_unit_test(is_of_all_that_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
