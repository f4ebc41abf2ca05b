/* The sink of messages: no text from outside becomes a line of its own or steers a terminal. */
#include "keeper_help.h"

static void encodes_all_but_printable_ascii(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *encoded;
    } rows[] = {
        {"", 0, ""},
        {"plain text, 100%!~", 18, "plain text, 100%!~"},
        {"a\nb", 3, "a\\x0ab"},
        {"\r\t\x1b[31m", 7, "\\x0d\\x09\\x1b[31m"},
        {"a\0b", 3, "a\\x00b"},
        {"\x7f", 1, "\\x7f"},
        {"\\", 1, "\\x5c"},
        {"\\x0a", 4, "\\x5cx0a"},
        {"\xc3\xa4", 2, "\\xc3\\xa4"},
        {"\xe2\x80\xae", 3, "\\xe2\\x80\\xae"},
        {"\x80\xff", 2, "\\x80\\xff"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[64];
        log_encode(rows[i].text, rows[i].len, out, sizeof(out));
        assert_string_equal(out, rows[i].encoded);
    }
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text = (char)c, out[8], want[8];
        snprintf(want, sizeof(want), c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
        log_encode(&text, 1, out, sizeof(out));
        assert_string_equal(out, want);
    }
}

/* Cut at any size: terminated, nothing behind the end, no half of a \xNN. */
static void is_cut_where_it_ends(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *encoded;
    } rows[] = {{1, ""},
                {2, "a"},
                {5, "a"},
                {6, "a\\x0a"},
                {7, "a\\x0ab"},
                {8, "a\\x0ab"},
                {10, "a\\x0ab"},
                {11, "a\\x0ab\\xff"},
                {12, "a\\x0ab\\xffc"},
                {13, "a\\x0ab\\xffc"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[16];
        memset(out, '#', sizeof(out));
        log_encode("a\nb\xff"
                   "c",
                   5, out, rows[i].size);
        assert_string_equal(out, rows[i].encoded);
        for (size_t j = rows[i].size; j < sizeof(out); j++)
            assert_int_equal(out[j], '#');
    }
}

static void one_message_is_one_line(void **state)
{
    (void)state;
    struct bench b;
    char text[512];
    bench_make(&b);
    errno = 77;
    log_notice("door %s", "a\nknockd: error: forged\x1b[2J");
    assert_int_equal(errno, 77);
    log_error("bad: %d", 5);
    log_warning("hm");
    log_debug("said");
    log_open("knockd", LOG_USER, true, false);
    log_debug("unsaid");
    assert_false(log_debugging());
    log_open("knockd", LOG_USER, false, true);
    log_error("to syslog alone");
    assert_true(log_debugging());
    bench_read(&b, "log", text, sizeof(text));
    const char *none[] = {NULL};
    bench_end(&b, none);
    assert_string_equal(text, "knockd: door a\\x0aknockd: error: forged\\x1b[2J\n"
                              "knockd: error: bad: 5\nknockd: warning: hm\nknockd: debug: said\n");
}

/* However long: still one line. */
static void a_long_message_is_cut(void **state)
{
    (void)state;
    struct bench b;
    char longest[5000], text[8192];
    memset(longest, '\n', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    bench_make(&b);
    log_notice("%s", longest);
    bench_read(&b, "log", text, sizeof(text));
    const char *none[] = {NULL};
    bench_end(&b, none);
    size_t len = strlen(text);
    assert_true(len > 1000 && len < 2100);
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_all_but_printable_ascii),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(is_cut_where_it_ends),
        cmocka_unit_test(one_message_is_one_line),
        cmocka_unit_test(a_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
