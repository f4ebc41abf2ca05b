/* Key files: what is read, what is refused, and that no message tells a secret. */
#include "config_help.h"

#include <sys/stat.h>

#include "lib/key_file.h"

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define KEY    "key = \"" DIGITS "\"\n"
#define SERVER "server = gate.example\n"

static bool read_key(struct told *told, struct key_file *key)
{
    char path[64];
    struct report report = {.say = hear, .arg = told};
    told->lines[0] = '\0';
    snprintf(path, sizeof(path), "%s/c", told->dir);
    bool good = key_file_read(path, &report, key);
    assert_int_equal(good, report.errors == 0);
    return good;
}

static bool read_text(struct told *told, const char *text, struct key_file *key)
{
    char path[64];
    write_file(told->dir, "c", text, strlen(text));
    snprintf(path, sizeof(path), "%s/c", told->dir);
    assert_int_equal(chmod(path, 0600), 0);
    return read_key(told, key);
}

static void reads_everything(void **state)
{
    (void)state;
    struct told told;
    struct key_file key;
    begin(&told);
    assert_true(read_text(&told, "# of alice's laptop\n" KEY SERVER, &key));
    for (unsigned i = 0; i < sizeof(key.secret); i++)
        assert_int_equal(key.secret[i], i);
    assert_string_equal(key.server, "gate.example");
    assert_true(key.expires == INT64_MAX);
    assert_false(key.doors.set);
    key_file_free(&key);
    assert_int_equal(key.secret[31], 0);

    assert_true(read_text(&told, KEY SERVER "expires = 2027-12-31 door = { ssh, web }", &key));
    assert_true(key.expires == INT64_C(1830297600));
    assert_int_equal(key.doors.count, 2);
    assert_string_equal(key.doors.items[1].text, "web");
    assert_int_equal(key.doors.items[1].pos.line, 3);
    assert_ptr_equal(key.doors.items[1].pos.file, key.path);
    key_file_free(&key);
    end(&told);
}

/* Long names are masked on their way through the parser as secrets are. */
static void long_names_come_out_as_they_were(void **state)
{
    (void)state;
    static const char *const names[] = {
        "abcdefghijklmno",
        "abcdefghijklmnop",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789zZ",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "abcdefgh.jklmnopqrstuv",
        "abcdefghijklmnopqrst uv"};
    struct told told;
    struct key_file key;
    begin(&told);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        for (const char *quote = "\"'"; *quote; quote++) {
            char text[256];
            snprintf(text, sizeof(text), KEY "server = %c%s%c", *quote, names[i], *quote);
            assert_true(read_text(&told, text, &key));
            assert_string_equal(key.server, names[i]);
            key_file_free(&key);
        }
    end(&told);
}

static void the_last_day(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t expires; /* 0: refused */
    } rows[] = {
        {"1970-01-01", 86400},
        {"2028-02-29", 1835481600},
        {"2100-02-28", 4107542400},
        {"2027-02-29", 0},
        {"2027-13-01", 0},
        {"2027-00-10", 0},
        {"2027-04-31", 0},
        {"2027-1-01", 0},
        {"2027-01-1", 0},
        {"27-01-01", 0},
        {"2027/01/01", 0},
        {"2027-01-01 ", 0},
        {"2027-01-01T00:00", 0},
        {"tomorrow", 0},
        {"", 0},
        {"2027-01-00", 0},
        {"9999-12-31", 253402300800},
    };
    struct told told;
    struct key_file key;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256];
        snprintf(text, sizeof(text), KEY SERVER "expires = \"%s\"", rows[i].text);
        if (read_text(&told, text, &key) != (rows[i].expires != 0))
            fail_msg("%s: %s", rows[i].text, told.lines);
        if (rows[i].expires)
            assert_true(key.expires == rows[i].expires);
        else
            assert_told(text, &told, "3: won't do: expected the last day as \"YYYY-MM-DD\"");
        key_file_free(&key);
    }
    end(&told);
}

#define SIXTEEN "abcdefghijklmnop"

static void mistakes_come_with_their_place(void **state)
{
    (void)state;
    static const struct told_row rows[] = {
        {KEY SERVER, ""},
        {"", "1: the key is missing\n1: the server's name is missing"},
        {KEY, "1: the server's name is missing: expected server"},
        {SERVER "key = 00", "2: key has 2 characters: expected key = \"64 hex digits\""},
        {SERVER "key = 0" DIGITS, "2: key has 65 characters"},
        {SERVER "key = ''", "2: key has 0 characters"},
        {SERVER "key = \" " DIGITS "\"", "2: key has 65 characters"},
        {SERVER "key = { " DIGITS ", " DIGITS " }", "2: key takes one value, not a list"},
        {SERVER KEY KEY, "3: key is set twice, here and in"},
        {SERVER "key = \"0x0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\"",
         "2: character 2 of key is no hex digit"},
        {SERVER "key = \"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1g\"",
         "2: character 64 of key is no hex digit"},
        {KEY "server = ''", "2: server: expected the server's name, 1 to 64 bytes"},
        {KEY "server = " SIXTEEN SIXTEEN SIXTEEN SIXTEEN, ""},
        {KEY "server = " SIXTEEN SIXTEEN SIXTEEN SIXTEEN "q", "2: expected the server's name"},
        {KEY SERVER "door = ''", "3: door: the list is empty: name a door"},
        {KEY SERVER "door = { ssh, 'a b' }", "3: door: \"a b\" is no name of a door"},
        {KEY SERVER "sever = x", "3: unknown key \"sever\" in this file; did you mean server?"},
        {KEY SERVER "fingerprint = x",
         "3: unknown key \"fingerprint\" in this file: expected one of key "
         "server expires door"},
        {KEY SERVER "door \"ssh\" { }", "3: door has no value: expected door = VALUE"},
        {KEY SERVER "include(\"other\")", "3: unknown key \"include\" in this file"},
        {KEY SERVER "/*", "3: this /* comment is never closed"},
        {KEY "server = gate\\x41", ""},
        {KEY "server = 'gate\\\\x41'", ""},
        {KEY "server = \"$gate\\\"\"", ""},
        {KEY "server = \"\n\\x41bcdefghijklmnopqrstuvwxyz\"", "2: this text has no closing"},
        {KEY "\nserver = \"\\x41bcdefghijklmnopqrstuvwxyz\"", "3: an escape with \\"},
        {KEY "server = \"\x01\"", "2: a control character (0x01)"},
    };
    struct told told;
    struct key_file key;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        read_text(&told, rows[i].text, &key);
        assert_told(rows[i].text, &told, rows[i].expected);
        key_file_free(&key);
    }
    end(&told);
}

/* However the digits were written, no piece of them comes out. */
static void no_message_tells_digits(void **state)
{
    (void)state;
    static const char *const texts[] = {
        SERVER "key " DIGITS,
        SERVER "key = 0001020304 05060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F",
        SERVER "key = { 0001020304, 05060708090a0b0c0d0e0f10 }",
        SERVER "key = 0001020304, 05060708090a0b0c0d0e0f10",
        SERVER DIGITS,
        SERVER DIGITS " = key",
        SERVER "key = { 0001020304 05060708090a0b0c0d0e0f10 }",
        SERVER "key = \"" DIGITS "\" 0001020304",
        SERVER "key = \"" DIGITS "\\x1F\\999\"",
        SERVER "key = \"" DIGITS "\n",
        SERVER "key = { \"" DIGITS "\"",
        SERVER "key { \"" DIGITS "\"",
        SERVER "0001020304|05060708090a0b0c0d0e0f10 = 3",
        DIGITS,
    };
    struct told told;
    struct key_file key;
    begin(&told);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_false(read_text(&told, texts[i], &key));
        if (strstr(told.lines, "0001020304") || strstr(told.lines, "0506") ||
            strstr(told.lines, "1F"))
            fail_msg("of\n%s\nwas told\n%s", texts[i], told.lines);
        key_file_free(&key);
    }
    end(&told);
}

static void only_private_files(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        bool good;
    } rows[] = {{0600, true},  {0400, true},  {0700, true},  {0640, false}, {0604, false},
                {0620, false}, {0602, false}, {0610, false}, {0601, false}, {0644, false}};
    struct told told;
    struct key_file key;
    char path[64];
    begin(&told);
    write_file(told.dir, "c", KEY SERVER, strlen(KEY SERVER));
    snprintf(path, sizeof(path), "%s/c", told.dir);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(chmod(path, rows[i].mode), 0);
        if (read_key(&told, &key) != rows[i].good)
            fail_msg("mode %o: %s", (unsigned)rows[i].mode, told.lines);
        if (!rows[i].good)
            assert_non_null(strstr(told.lines, "c: others than its owner may use the key file"));
        key_file_free(&key);
    }
    end(&told);
}

/* Only root can give files away. */
static void only_of_root_or_the_caller(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct told told;
    struct key_file key;
    char path[64];
    begin(&told);
    assert_true(read_text(&told, KEY SERVER, &key));
    key_file_free(&key);
    snprintf(path, sizeof(path), "%s/c", told.dir);
    assert_int_equal(chown(path, 12345, 0), 0);
    assert_false(read_key(&told, &key));
    assert_told("", &told, "c: the key file belongs to user 12345: expected root; chown root it");
    key_file_free(&key);
    assert_int_equal(chown(path, 0, 0), 0);
    end(&told);
}

static void nothing_but_files(void **state)
{
    (void)state;
    struct told told;
    struct key_file key;
    char path[64], target[64];
    begin(&told);
    snprintf(path, sizeof(path), "%s/c", told.dir);
    snprintf(target, sizeof(target), "%s/target", told.dir);
    assert_false(read_key(&told, &key));
    assert_told("none", &told,
                "c: can't read the key file: No such file or directory; knockctl key new ");
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(10); /* a FIFO that is waited for ends the test */
    assert_false(read_key(&told, &key));
    alarm(0);
    assert_told("fifo", &told, "c: can't read the key file: it is not a regular file");
    remove_file(told.dir, "c");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(read_key(&told, &key));
    assert_told("folder", &told, "c: can't read the key file: it is not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_false(read_key(&told, &key));
    assert_told("device", &told, "c: can't read the key file: it is not a regular file");
    /* A link is as good as what it leads to. */
    remove_file(told.dir, "c");
    assert_int_equal(symlink(target, path), 0);
    assert_false(read_key(&told, &key));
    write_file(told.dir, "target", KEY SERVER, strlen(KEY SERVER));
    assert_int_equal(chmod(target, 0644), 0);
    assert_false(read_key(&told, &key));
    assert_int_equal(chmod(target, 0600), 0);
    assert_true(read_key(&told, &key));
    key_file_free(&key);
    remove_file(told.dir, "target");
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(the_last_day),
        cmocka_unit_test(no_message_tells_digits),
        cmocka_unit_test(mistakes_come_with_their_place),
        cmocka_unit_test(only_private_files),
        cmocka_unit_test(only_of_root_or_the_caller),
        cmocka_unit_test(nothing_but_files),
        cmocka_unit_test(long_names_come_out_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
