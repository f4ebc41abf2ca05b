/* The state folder is found in files that are wrong elsewhere, and no other text is taken for it.
 */
#include "config_help.h"

#include <sys/stat.h>

static const struct {
    const char *text, *want; /* NULL: none */
} rows[] = {
    {"", NULL},
    {"state_dir = \"/a\"", "/a"},
    {"state_dir=\"/a\"", "/a"},
    {"state_dir = /a/b\n", "/a/b"},
    {"state_dir = '/a b'\n", "/a b"},
    {"state_dir\n=\n\"/a\"\n", "/a"},
    {"user = \"x\" state_dir = \"/a\" control = \"/c\"", "/a"},
    {"user = \"x\nstate_dir = \"/a\"\n", "/a"},
    {"door { sequence = { 1, 2\nstate_dir = \"/a\"", "/a"},
    {"}}}} ;;; === state_dir = /a", "/a"},
    {"# state_dir = \"/x\"\nstate_dir = \"/a\"", "/a"},
    {"// state_dir = \"/x\"\nstate_dir = \"/a\"", "/a"},
    {"/* state_dir = \"/x\"\n*/ state_dir = \"/a\"", "/a"},
    {"/* state_dir = \"/x\"", NULL},
    {"user = \"state_dir = /x\"", NULL},
    {"user = 'state_dir' = \"/x\"", NULL},
    {"my_state_dir = \"/x\"\nstate_dirs = \"/y\"", NULL},
    {"state_dir", NULL},
    {"state_dir =", NULL},
    {"state_dir = \"", NULL},
    {"state_dir = \"relative\"", NULL},
    {"state_dir = \"/a\\x62\"", NULL},
    {"state_dir = \"/a", "/a"},
    {"state_dir = \"/123456789012345678\"", "/123456789012345678"},
    {"state_dir = \"/1234567890123456789\"", NULL},
};

static void a_text_is_scanned(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[20] = "";
        bool found =
            config_scan_path(rows[i].text, strlen(rows[i].text), "state_dir", out, sizeof(out));
        if (found != (rows[i].want != NULL) || strcmp(out, found ? rows[i].want : "") != 0)
            fail_msg("'%s': %s", rows[i].text, out);
    }
}

/* Any bytes at all: it comes to an end, and never looks beyond theirs. */
static void any_bytes_will_do(void **state)
{
    (void)state;
    static const char alphabet[] = "state_dir=\"'/* \n#\\{}\0";
    unsigned seed = (unsigned)getpid();
    print_message("# SEED=%u\n", seed);
    srand(seed);
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)rand() % 40;
        char *text = malloc(len ? len : 1), out[64];
        assert_non_null(text);
        for (size_t j = 0; j < len; j++)
            text[j] = alphabet[(size_t)rand() % sizeof(alphabet)];
        if (config_scan_path(text, len, "state_dir", out, sizeof(out)))
            assert_int_equal(*out, '/');
        free(text);
    }
}

static void a_file_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } files[] = {
        {SOURCE "state_dir = \"/a\"\n" DOOR, "/a"},
        {"state_dir = \"/a\"\n", "/a"},
        {"no_such_key = 1\nstate_dir = \"/a\"\n", "/a"},
        {"no_such_key = 1\n", CONFIG_STATE_DIR},
        {"", CONFIG_STATE_DIR},
    };
    struct told told;
    begin(&told);
    char path[128], out[64];
    snprintf(path, sizeof(path), "%s/x.conf", told.dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        write_file(told.dir, "x.conf", files[i].text, strlen(files[i].text));
        assert_true(config_find_state_dir(path, out, sizeof(out)));
        assert_string_equal(out, files[i].want);
    }
    remove_file(told.dir, "x.conf");
    assert_false(config_find_state_dir(path, out, sizeof(out)));
    assert_int_equal(rmdir(told.dir), 0);
}

static void the_socket_of_a_wrong_file(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        mode_t mode;
    } files[] = {
        {"no_such_key = 1\ncontrol = \"/a\"\n", "/a", 0600},
        {"no_such_key = 1\nstate_dir = \"/a\"\n", CONFIG_CONTROL, 0600},
        {"control = \"/a\"\n", CONFIG_CONTROL, 0602}, /* others could have written it */
    };
    struct told told;
    begin(&told);
    char path[128], out[64];
    snprintf(path, sizeof(path), "%s/x.conf", told.dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        write_file(told.dir, "x.conf", files[i].text, strlen(files[i].text));
        assert_int_equal(chmod(told.dir, 0755), 0); /* else nobody but its owner reaches the file */
        assert_int_equal(chmod(path, files[i].mode), 0);
        assert_true(config_scan_control(path, out, sizeof(out)));
        assert_string_equal(out, files[i].want);
    }
    remove_file(told.dir, "x.conf");
    assert_false(config_scan_control(path, out, sizeof(out)));
    assert_int_equal(rmdir(told.dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_scanned),
        cmocka_unit_test(any_bytes_will_do),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(the_socket_of_a_wrong_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
