/* What is put into the store comes back, after a commit and only then. */
#include "store_help.h"

struct expected {
    const struct stored_door *doors;
    unsigned count;
};

static void expect_door(void *arg, struct stored_door *door)
{
    struct expected *expected = arg;
    assert_true(door_equal(door, &expected->doors[expected->count++]));
}

static void returns_every_field(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    char word[8100], text[ADDR_TEXT_SIZE] = "2001:db8::203:0:113:7";
    memset(word, 'w', sizeof(word));
    memcpy(word, "/bin/x|", 7);
    word[sizeof(word) - 2] = '|';
    word[sizeof(word) - 1] = '\0';

    struct stored_door doors[4] = {door_make(1), door_make(2), door_make(3), door_make(4)};
    stored_door_free(&doors[1]); /* no command at all */
    command_add(&doors[2].start, word);
    command_add(&doors[2].check, "/bin/true|||");
    command_add(&doors[2].extend, "/bin/sh|-c|a 'b' \"c\" \t\n\xc3\xa4\xff|");
    assert_true(addr_parse(text, strlen(text), &doors[2].address));
    memset(doors[3].name, 'n', CONFIG_NAME_MAX);
    memset(doors[3].by, 'b', STORE_BY_MAX);
    doors[3].deadline = INT64_MAX;
    doors[3].stop_ok[2] = UINT64_MAX;

    struct store *store = folder_open(&f);
    for (int i = 0; i < 4; i++) {
        doors[i].state = (enum stored_state)(i % 3);
        assert_int_equal(store_add(store, &doors[i]), 0);
        assert_true(doors[i].id > 0 && doors[i].this_boot);
    }
    assert_int_equal(store_commit(store), 0);
    for (int again = 0; again < 2; again++) {
        struct expected expected = {doors, 0};
        assert_int_equal(store_each(store, expect_door, &expected), 0);
        assert_int_equal(expected.count, 4);
        store_close(store);
        store = folder_open(&f);
        assert_null(f.moved);
    }
    store_close(store);
    for (int i = 0; i < 4; i++)
        stored_door_free(&doors[i]);
    folder_end(&f);
}

static void take_commands(void *arg, struct stored_door *door)
{
    *(struct commands *)arg = door->stop;
    door->stop = (struct commands){0};
}

static void gives_its_commands_away(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    struct stored_door door = door_make(9);
    struct commands taken = {0};
    assert_int_equal(store_add(store, &door), 0);
    assert_int_equal(store_each(store, take_commands, &taken), 0);
    store_close(store);
    assert_true(commands_equal(&taken, &door.stop));
    commands_free(&taken);
    stored_door_free(&door);
    folder_end(&f);
}

static void copy_door(void *arg, struct stored_door *door)
{
    *(struct stored_door *)arg = *door;
    door->start = door->stop = door->extend = door->check = (struct commands){0};
}

static void updates_and_removes(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    struct stored_door door = door_make(1), got = {0};
    assert_int_equal(store_add(store, &door), 0);
    assert_int_equal(store_update(store, door.id, STORED_CLOSING, 77), 0);
    door.state = STORED_CLOSING;
    door.deadline = 77;
    assert_true(store_dirty(store));
    assert_int_equal(store_commit(store), 0);
    assert_false(store_dirty(store));
    store_each(store, copy_door, &got);
    assert_true(door_equal(&got, &door));
    stored_door_free(&got);

    /* One that isn't stored: forgetting it is fine, changing it would be a lie. */
    assert_int_equal(store_remove(store, door.id + 1, 1, "closed"), 0);
    assert_int_equal(add_range(store, 5, 6), 0);
    assert_int_equal(store_update(store, 999, STORED_OPEN, 1), -1);
    assert_non_null(strstr(store_error(store), "isn't stored"));
    assert_false(store_dirty(store));
    assert_int_equal(doors_kept(store), 1);
    assert_int_equal(store_remove(store, door.id, 1, "closed"), 0);
    assert_int_equal(doors_kept(store), 0);
    store_close(store);
    store = folder_open(&f);
    assert_int_equal(doors_kept(store), 1); /* the removal wasn't committed */
    store_close(store);
    stored_door_free(&door);
    folder_end(&f);
}

static void tells_boots_apart(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    struct stored_door got = {0};
    assert_int_equal(add_range(store, 1, 2), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    for (int i = 0; i < 2; i++) {
        store = store_open(f.dir, "another boot", 0, &f.found, f.why, sizeof(f.why));
        assert_int_equal(store_each(store, copy_door, &got), 0);
        assert_int_equal(got.this_boot, i);
        stored_door_free(&got);
        /* With a deadline of the new boot, it is the new boot's. */
        assert_int_equal(store_update(store, got.id, STORED_CLOSING, 5), 0);
        assert_int_equal(store_commit(store), 0);
        store_close(store);
    }
    folder_end(&f);
}

static void uses_sequences_once(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    assert_int_equal(store_once_used(store, "ssh", "1,2,3"), 0);
    assert_int_equal(store_once_use(store, "ssh", "1,2,3", 5), 0);
    assert_int_equal(store_once_use(store, "ssh", "1,2,3", 6), 1);
    assert_int_equal(store_once_used(store, "ssh", "1,2,3"), 1);
    assert_int_equal(store_once_used(store, "web", "1,2,3"), 0);
    assert_int_equal(store_once_used(store, "ssh", "1,2,4"), 0);
    store_close(store);
    store = folder_open(&f);
    assert_int_equal(store_once_used(store, "ssh", "1,2,3"), 0);
    assert_int_equal(store_once_use(store, "ssh", "1,2,3", 5), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    store = folder_open(&f);
    assert_int_equal(store_once_used(store, "ssh", "1,2,3"), 1);
    store_close(store);
    folder_end(&f);
}

struct lines {
    struct stored_event event[4];
    unsigned count;
};

static void take_line(void *arg, const struct stored_event *event)
{
    struct lines *lines = arg;
    if (lines->count < 4)
        lines->event[lines->count] = *event;
    lines->count++;
}

static void tells_who_what_when(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    struct stored_door door = door_make(3);
    assert_int_equal(store_add(store, &door), 0);
    assert_int_equal(add_range(store, 4, 5), 0);
    assert_int_equal(store_remove(store, door.id, 1900000000, "closed"), 0);
    /* What has ended has ended. */
    assert_int_equal(store_remove(store, door.id, 1900000009, "failed"), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    store = folder_open(&f);
    struct lines lines = {.count = 0};
    assert_int_equal(store_history(store, 10, take_line, &lines), 0);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.event[0].closed_wall, 0);
    assert_string_equal(lines.event[0].name, "door4");
    assert_string_equal(lines.event[0].end, "");
    assert_string_equal(lines.event[1].name, "door3");
    assert_string_equal(lines.event[1].by, "key 3");
    assert_string_equal(lines.event[1].end, "closed");
    assert_true(addr_equal(&lines.event[1].address, &door.address));
    assert_int_equal(lines.event[1].opened_wall, door.opened_wall);
    assert_int_equal(lines.event[1].closed_wall, 1900000000);
    store_close(store);
    stored_door_free(&door);
    folder_end(&f);
}

static void forgets_the_oldest_history(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    struct store *store = folder_open(&f);
    assert_int_equal(add_range(store, 0, STORE_HISTORY_MAX + 50), 0);
    assert_int_equal(store_commit(store), 0);
    struct lines lines = {.count = 0};
    assert_int_equal(store_history(store, UINT32_MAX, take_line, &lines), 0);
    assert_int_equal(lines.count, STORE_HISTORY_MAX);
    assert_int_equal(lines.event[0].opened_wall, 1800000000 + STORE_HISTORY_MAX + 49);
    lines.count = 0;
    assert_int_equal(store_history(store, 3, take_line, &lines), 0);
    assert_int_equal(lines.count, 3);
    assert_int_equal(lines.event[2].opened_wall, 1800000000 + STORE_HISTORY_MAX + 47);
    /* An opening outlives its line. */
    assert_int_equal(store_remove(store, 1, 5, "closed"), 0);
    assert_int_equal(doors_kept(store), STORE_HISTORY_MAX + 49);
    store_close(store);
    folder_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_every_field),        cmocka_unit_test(gives_its_commands_away),
        cmocka_unit_test(updates_and_removes),        cmocka_unit_test(tells_boots_apart),
        cmocka_unit_test(uses_sequences_once),        cmocka_unit_test(tells_who_what_when),
        cmocka_unit_test(forgets_the_oldest_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
