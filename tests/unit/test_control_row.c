/* lib/row.h: what is made is read again, and what isn't a row isn't taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/row.h"

static void test_there_and_back(void **state)
{
    static const char *const texts[] = {"",     "plain", "two words", "[DENY] ",
                                        "100%", "a=b:c", "\n\t\x01",  "\xc3\xb6\xff",
                                        "%41",  "end",   "\"\\",      ".."};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct row row;
        struct row_fields fields;
        row_begin(&row, 2, "kind");
        row_text(&row, "text", texts[i]);
        row_number(&row, "number", INT64_MIN + 1);
        row_flag(&row, "flag", true);
        row_null(&row, "nothing");
        assert_null(strpbrk(row.text, "\n\t\x01\xff"));
        assert_true(row_parse(row.text, &fields));
        assert_int_equal(fields.depth, 2);
        assert_string_equal(fields.kind, "kind");
        assert_int_equal(fields.count, 4);
        assert_string_equal(row_get(&fields, "text"), texts[i]);
        assert_false(fields.fields[0].literal);
        assert_true(fields.fields[1].literal);
        assert_int_equal(row_get_number(&fields, "number"), INT64_MIN + 1);
        assert_string_equal(row_get(&fields, "flag"), "true");
        assert_null(row_get(&fields, "nothing"));
        assert_null(row_get(&fields, "no"));
        assert_int_equal(row_get_number(&fields, "no"), 0);
    }
}

static void test_not_rows(void **state)
{
    static const char *const lines[] = {
        "",
        "..",
        "Kind",
        "kind=x",
        "k key",
        "k =x",
        "k key=%",
        "k key=%4",
        "k key=%4g",
        "k key=%00",
        "k key:",
        "k key:x",
        "k key:01",
        "k key:1.5",
        "k key:--1",
        "k key:-",
        "k Key=x",
        "k key:nul",
        "k key:99999999999999999999999",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char line[64];
        struct row_fields fields;
        strcpy(line, lines[i]);
        if (row_parse(line, &fields))
            fail_msg("taken for a row: %s", lines[i]);
    }
}

static void test_lists(void **state)
{
    struct row row;
    struct row_fields fields;
    (void)state;
    row_begin(&row, 0, "kind");
    row_list(&row, "some", "[DENY] ");
    row_list(&row, "some", "a+b=c:d");
    row_list(&row, "none", NULL);
    assert_true(row_parse(row.text, &fields));
    assert_int_equal(fields.count, 3);
    assert_true(fields.fields[0].listed && fields.fields[1].listed);
    assert_string_equal(fields.fields[1].key, "some");
    assert_string_equal(fields.fields[1].value, "a+b=c:d");
    assert_string_equal(row_get(&fields, "some"), "[DENY] ");
    assert_false(fields.fields[2].listed);
    assert_true(fields.fields[2].literal);
    assert_string_equal(row_get(&fields, "none"), "[]");
}

static void test_too_much(void **state)
{
    char text[ROW_MAX];
    struct row row;
    struct row_fields fields;
    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    row_begin(&row, 0, "kind");
    row_text(&row, "long", text);
    row_number(&row, "number", 7);
    assert_true(row.len < ROW_MAX);
    assert_int_equal(strlen(row.text), row.len);
    assert_true(row_parse(row.text, &fields));
    assert_int_equal(row_get_number(&fields, "number"), 7);
    row_begin(&row, 0, "kind");
    for (int i = 0; i < ROW_FIELDS_MAX + 1; i++)
        row_number(&row, "n", i);
    assert_false(row_parse(row.text, &fields));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_not_rows),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
