/* Keys as they are loaded: what is refused and how that is told, what is only warned of. */
#include "config_help.h"
#include "keys_help.h"

#include <time.h>

#define ANY           "server = \"" KEYS_SERVER "\""
#define SEALED_SERVER " sealed { server = " KEYS_SERVER " }\n"
#define NOW           INT64_C(1800000000) /* 2027-01-15 */

struct ring_world {
    struct told told;
    struct config *config;
    struct keyring *keyring;
};

static void make_world(struct ring_world *w)
{
    memset(w, 0, sizeof(*w));
    begin(&w->told);
}

static void drop(struct ring_world *w)
{
    keyring_free(w->keyring);
    config_free(w->config);
    w->keyring = NULL;
    w->config = NULL;
}

static void end_world(struct ring_world *w)
{
    static const char *const files[] = {"alice.key", "bob.key", "carol.key"};
    drop(w);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        remove_file(w->told.dir, files[i]);
    end(&w->told);
}

/* Loads the keys of doors that are written so; key_dir is the world's folder. */
static struct keyring *load_ring(struct ring_world *w, const char *doors)
{
    char text[1024];
    struct report report = {.say = hear, .arg = &w->told};
    drop(w);
    snprintf(text, sizeof(text), "key_dir = %s" SEALED_SERVER SOURCE "%s", w->told.dir, doors);
    w->config = load_text(&w->told, text);
    if (!w->config)
        fail_msg("%s", w->told.lines);
    w->keyring = keyring_load(w->config, NOW, &report);
    assert_true((w->keyring == NULL) == (report.errors > 0));
    return w->keyring;
}

#define OF(name, keys) "door " name " { key = " keys RULE_LINE "}\n"
#define RULE_LINE      " rule = \"INPUT -s %IP% -j ACCEPT\" "

static void loads_each_key_once(void **state)
{
    (void)state;
    struct ring_world w;
    make_world(&w);
    keys_write(w.told.dir, "alice", 1, ANY);
    keys_write(w.told.dir, "bob", 2, ANY "\nexpires = 2027-02-01\ndoor = { web, ftp }");
    struct keyring *ring = load_ring(&w, OF("ssh", "alice") OF("web", "{ bob, alice, bob }") DOOR);
    assert_string_equal(w.told.lines, "");
    assert_non_null(ring);
    assert_int_equal(ring->count, 2);
    assert_string_equal(ring->keys[0].name, "alice");
    assert_string_equal(ring->keys[1].name, "bob");
    assert_true(ring->keys[0].expires == INT64_MAX);
    assert_true(ring->keys[1].expires == 1801526400);
    assert_true(key_may_open(&ring->keys[0], "ssh"));
    assert_true(key_may_open(&ring->keys[1], "web"));
    assert_false(key_may_open(&ring->keys[1], "ssh"));
    struct sealed_key bob = keys_derive(2);
    assert_memory_equal(&ring->secrets[1], &bob, sizeof(bob));
    assert_int_equal(ring->door_count, 2);
    assert_int_equal(ring->doors[1].number, 1);
    assert_false(ring->unbound);
    end_world(&w);
}

static void loads_nothing_where_nothing_is_keyed(void **state)
{
    (void)state;
    struct ring_world w;
    make_world(&w);
    assert_non_null(load_ring(&w, DOOR));
    assert_int_equal(w.keyring->count, 0);
    keys_write(w.told.dir, "alice", 1, ANY);
    assert_non_null(load_ring(&w, "door d { key = alice bound = no" RULE_LINE "}\n"));
    assert_true(w.keyring->unbound);
    /* Of a door that no sealed knock opens, bound means nothing. */
    assert_non_null(load_ring(
        &w, OF("d", "alice") "door e { sequence = { 90, 70, 80 } bound = no" RULE_LINE "}\n"));
    assert_false(w.keyring->unbound);
    end_world(&w);
}

static void tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *alice, *doors, *expected;
        mode_t mode;
    } rows[] = {
        {ANY, OF("d", "alice"), "alice.key: others than its owner may use", 0640},
        {ANY, OF("d", "alice"), "alice.key: others than its owner may use", 0602},
        {"server = other.example", OF("d", "alice"),
         "alice.key: the key is for the server \"other.example\", and this one is \"gate.example\"",
         0600},
        {"server = Gate.example", OF("d", "alice"), "for the server \"Gate.example\"", 0600},
        {"", OF("d", "alice"), "the server's name is missing", 0600},
        {ANY "\nexpires = soon", OF("d", "alice"), "expires: \"soon\" won't do", 0600},
        {ANY, OF("d", "{ alice, bob }"),
         "the keys alice and bob have the same secret: make another", 0600},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ring_world w;
        char path[128];
        make_world(&w);
        keys_write(w.told.dir, "alice", 1, rows[i].alice);
        keys_write(w.told.dir, "bob", 1, ANY);
        snprintf(path, sizeof(path), "%s/alice.key", w.told.dir);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        if (load_ring(&w, rows[i].doors) || !strstr(w.told.lines, rows[i].expected))
            fail_msg("row %zu: expected \"%s\", was told:\n%s", i, rows[i].expected, w.told.lines);
        end_world(&w);
    }
}

static void refuses_a_folder_of_others(void **state)
{
    (void)state;
    struct ring_world w;
    make_world(&w);
    keys_write(w.told.dir, "alice", 1, ANY);
    static const mode_t modes[] = {0720, 0702, 01777};
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        assert_non_null(load_ring(&w, OF("d", "alice")));
        keyring_free(w.keyring);
        struct report report = {.say = hear, .arg = &w.told};
        assert_int_equal(chmod(w.told.dir, modes[i]), 0);
        w.keyring = keyring_load(w.config, NOW, &report);
        assert_null(w.keyring);
        assert_non_null(strstr(w.told.lines, "key_dir: others than root may write to"));
        assert_int_equal(chmod(w.told.dir, 0755), 0);
    }
    assert_non_null(load_ring(&w, OF("d", "alice")));
    end_world(&w);
}

static void warns_of_keys_that_open_nothing(void **state)
{
    (void)state;
    struct ring_world w;
    make_world(&w);
    keys_write(w.told.dir, "alice", 1, ANY);
    assert_non_null(load_ring(&w, OF("d", "{ alice, carol }")));
    assert_int_equal(w.keyring->count, 1);
    assert_non_null(strstr(w.told.lines, "c:3: warning: key: there is no "));
    assert_non_null(
        strstr(w.told.lines, "/carol.key, so carol opens nothing: make it by knockctl"));
    keys_write(w.told.dir, "alice", 1, ANY "\nexpires = 2027-01-14");
    keys_write(w.told.dir, "bob", 2, ANY "\nexpires = 2027-01-15\ndoor = web");
    assert_non_null(load_ring(&w, OF("ssh", "{ alice, bob }")));
    assert_non_null(strstr(w.told.lines, "alice.key: warning: the key has expired"));
    assert_null(strstr(w.told.lines, "bob.key: warning"));
    assert_non_null(strstr(w.told.lines, "c:3: warning: door \"ssh\": the file of key bob names "
                                         "other doors"));
    assert_int_equal(w.keyring->count, 2);
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_each_key_once),
        cmocka_unit_test(loads_nothing_where_nothing_is_keyed),
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(refuses_a_folder_of_others),
        cmocka_unit_test(warns_of_keys_that_open_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
